package main

import (
	"os"
	"testing"
)

// TestNewTTY: what flags and RequestTTY say where there is no terminal to type at.
func TestNewTTY(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, c := range []struct {
		f       flags
		request string
		want    bool
	}{
		{flags{}, "", false},
		{flags{}, "auto", false},
		{flags{}, "yes", false},
		{flags{}, "force", true},
		{flags{command: []string{"true"}}, "force", true},
		{flags{noTTY: true}, "force", false},
		{flags{tty: true}, "no", true},
	} {
		if got := newTTY(&c.f, c.request, null, "vt100") != nil; got != c.want {
			t.Errorf("%+v, RequestTTY %q: %v", c.f, c.request, got)
		}
	}
}
