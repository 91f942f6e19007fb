//go:build linux

package session

import (
	"os"
	"strings"
	"testing"

	"cpu/ctlfs"
)

func TestExit(t *testing.T) {
	plain := tempDir(t) + "/plain"
	write(t, plain, "not a program\n")
	script := tempDir(t) + "/script"
	write(t, script, "echo $1; exit 4\n")
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	table := newTable(t, Config{})
	for _, c := range []struct {
		args []string
		exit string
		code int
		fail string // start fails and says so
	}{
		{[]string{"true"}, "", 0, ""},
		{[]string{"sh", "-c", "exit 3"}, "exit 3", 3, ""},
		{[]string{"sh", "-c", "kill -9 $$"}, "signal 9", 137, ""},
		{[]string{"sh", "-c", "kill -TERM $$"}, "signal 15", 143, ""},
		{[]string{script, "word"}, "exit 4", 4, ""},
		{[]string{"no-such-command"}, "exit 127", 127, "no-such-command: command not found"},
		{[]string{"/no/such/command"}, "exit 127", 127, "/no/such/command: no such file or directory"},
		{[]string{""}, "exit 127", 127, ": command not found"},
		{[]string{plain}, "exit 126", 126, plain + ": permission denied"},
		{[]string{"/tmp"}, "exit 126", 126, "/tmp: permission denied"},
	} {
		s := newSessionOf(t, table, self(), "", c.args...)
		err := s.Ctl(soon(t), []string{"start"})
		if c.fail == "" && err != nil || c.fail != "" && (err == nil || err.Error() != c.fail || s.Err() != c.fail) {
			t.Errorf("%q: start gave %v, errstr %q; want %q", c.args, err, s.Err(), c.fail)
		}
		s.CloseStdin(false)
		_, _, st := s.output(t)
		if st.Exit != c.exit || st.Code != c.code || st.State != ctlfs.Ended {
			t.Errorf("%q: %+v, want %q, %d", c.args, st, c.exit, c.code)
		}
		if (st.PID > 0) != (c.fail == "") {
			t.Errorf("%q: pid %d", c.args, st.PID)
		}
	}
}

func TestStreams(t *testing.T) {
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "", "sh", "-c", "tr a-z A-Z; echo oops >&2")
	s.mustStart(t)
	ctx := soon(t)
	in := strings.Repeat("abcdefgh", 100_000)
	done := make(chan error, 1)
	go func() {
		_, err := s.WriteStdin(ctx, []byte(in))
		s.CloseStdin(false)
		done <- err
	}()
	stdout, stderr, st := s.output(t)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if stdout != strings.ToUpper(in) || stderr != "oops\n" || st.Code != 0 {
		t.Errorf("stdout %d bytes of %d, stderr %q, %+v", len(stdout), len(in), stderr, st)
	}
	if _, err := s.WriteStdin(ctx, []byte("x")); err == nil {
		t.Error("a write after the command's end is no error")
	}
	if n, err := s.ReadCons(ctx, make([]byte, 1)); err == nil {
		t.Errorf("cons without a terminal gave %d bytes", n)
	}
}
