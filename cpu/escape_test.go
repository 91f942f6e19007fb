package main

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEscapes(t *testing.T) {
	for _, c := range []struct {
		name, typed, sent string
		help, ended       bool
	}{
		{"nothing", "", "", false, false},
		{"plain", "ls ~/x\rcd ~\r", "ls ~/x\rcd ~\r", false, false},
		{"disconnect at once", "~.more", "", false, true},
		{"disconnect after a line", "ls\r~.", "ls\r", false, true},
		{"disconnect after a newline", "ls\n~.", "ls\n", false, true},
		{"not within a line", "a~.\r", "a~.\r", false, false},
		{"a tilde", "~~.\r", "~.\r", false, false},
		{"a tilde is the line's beginning", "~~~.\r", "~~.\r", false, false},
		{"what is no escape", "~x~.\r", "~x~.\r", false, false},
		{"a line of a tilde", "~\r~.", "~\r", false, true},
		{"help, then disconnect", "~?~.", "", true, true},
		{"help, then a line", "~?ls\r", "ls\r", true, false},
		{"a tilde at the end of input", "ls\r~", "ls\r~", false, false},
		{"bytes that are no characters", "\x00\xff\r~.", "\x00\xff\r", false, true},
	} {
		// As it comes, and a byte at a time, as it is typed.
		for how, from := range map[string]io.Reader{"whole": strings.NewReader(c.typed), "typed": iotest.OneByteReader(strings.NewReader(c.typed))} {
			var said bytes.Buffer
			ended := 0
			sent, err := io.ReadAll(newEscapes(from, &said, func() { ended++ }))
			if string(sent) != c.sent || err != nil || (ended == 1) != c.ended || ended > 1 || (said.String() == "\r\n"+escapeHelp) != c.help {
				t.Errorf("%s, %s: sent %q, %v, ended %d times, said %q", c.name, how, sent, err, ended, &said)
			}
		}
	}
}

// TestEscapeSuspend: ~^Z is taken out where a process can be stopped, and is sent where none can.
func TestEscapeSuspend(t *testing.T) {
	e := newEscapes(strings.NewReader("a\r~\x1a~.b"), io.Discard, func() {})
	stops := 0
	e.suspend = func() { stops++ }
	if sent, err := io.ReadAll(e); string(sent) != "a\r" || err != nil || stops != 1 {
		t.Errorf("sent %q, %v, stopped %d times", sent, err, stops)
	}
	if sent, err := io.ReadAll(newEscapes(strings.NewReader("~\x1a"), io.Discard, nil)); string(sent) != "~\x1a" || err != nil {
		t.Errorf("sent %q, %v", sent, err)
	}
}

// TestEscapeBreak: ~B is taken out where something can get it.
func TestEscapeBreak(t *testing.T) {
	e := newEscapes(strings.NewReader("a\r~B~Bb~B\r"), io.Discard, func() {})
	breaks := 0
	e.sendBreak = func() { breaks++ }
	if sent, err := io.ReadAll(e); string(sent) != "a\rb~B\r" || err != nil || breaks != 2 {
		t.Errorf("sent %q, %v, %d times", sent, err, breaks)
	}
	if sent, err := io.ReadAll(newEscapes(strings.NewReader("~B"), io.Discard, nil)); string(sent) != "~B" || err != nil {
		t.Errorf("sent %q, %v", sent, err)
	}
}

// TestEscapesError: what the terminal says at its end is what the reader says.
func TestEscapesError(t *testing.T) {
	gone := errors.New("gone")
	e := newEscapes(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(gone)), io.Discard, nil)
	if got, err := io.ReadAll(e); string(got) != "x" || err != gone {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestEscapeChar: another character than ~, or none.
func TestEscapeChar(t *testing.T) {
	for _, c := range []struct {
		char       byte
		keys, sent string
		ended      bool
	}{
		{1, "~.\r\x01\x01x\r\x01.y", "~.\r\x01x\r", true},
		{0, "~.\r\x00.x", "~.\r\x00.x", false},
	} {
		ended := false
		e := newEscapes(strings.NewReader(c.keys), io.Discard, func() { ended = true })
		e.char = c.char
		if sent, err := io.ReadAll(e); string(sent) != c.sent || err != nil || ended != c.ended {
			t.Errorf("%q: sent %q, ended %v, %v", c.keys, sent, ended, err)
		}
	}
	e := newEscapes(strings.NewReader(""), io.Discard, nil)
	if e.char = 1; !strings.HasPrefix(e.help(), "^A.  disconnect") {
		t.Errorf("help is %q", e.help())
	}
}
