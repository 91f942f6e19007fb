package main

import (
	"bytes"
	"sync"
	"testing"
)

// TestHostOutput: lines of several hosts stay whole, and say whose they are where a user reads them.
func TestHostOutput(t *testing.T) {
	for _, named := range []bool{false, true} {
		var to bytes.Buffer
		o := outputs{&to, named, new(sync.Mutex)}
		a, b := o.of("a"), o.of("b")
		for _, w := range []struct {
			to   *hostOutput
			text string
		}{{a, "on"}, {b, "two\nth"}, {a, "e\n"}, {b, ""}, {b, "ree\n\nfo"}, {b, "ur"}} {
			if n, err := w.to.Write([]byte(w.text)); n != len(w.text) || err != nil {
				t.Fatal(n, err)
			}
		}
		a.end()
		b.end()
		want := "two\none\nthree\n\nfour\n"
		if named {
			want = "b: two\na: one\nb: three\nb: \nb: four\n"
		}
		if to.String() != want {
			t.Errorf("named %v: %q, want %q", named, to.String(), want)
		}
		to.Reset()
		a.Write(bytes.Repeat([]byte("x"), maxLine))
		if to.Len() < maxLine {
			t.Errorf("a line without an end is kept back")
		}
	}
}
