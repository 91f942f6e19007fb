//go:build linux

package main_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestControl works on the control tree with -ctl, as a machine does that cannot mount.
func TestControl(t *testing.T) {
	r := newRig(t)
	session := r.terminal([]string{"-n", "none"}, "cat")
	stdin, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	defer session.Process.Kill()
	stdin.Write([]byte("x"))
	stdout.Read(make([]byte, 1)) // it runs
	control := func(words ...string) *exec.Cmd { return r.terminal([]string{"-ctl"}, words...) }
	if got := must(t, control("ls")); got != "1/\nclone\nctl\nevents\nstats\n" {
		t.Errorf("ls: %q", got)
	}
	if got := must(t, control("ls", "1/ctl")); got != "ctl\n" {
		t.Errorf("ls of a file: %q", got)
	}
	if got := must(t, control("read", "1/args")); got != "cat\n" {
		t.Errorf("read: %q", got)
	}
	if got := must(t, control("stat", "/1")); !strings.HasPrefix(got, "1 qid ") || !strings.Contains(got, " mode 40500 ") {
		t.Errorf("stat: %q", got)
	}
	for _, test := range []struct {
		words []string
		err   string
	}{
		{[]string{"rm", "1/ctl"}, "cpu: rm /1/ctl: operation not permitted\n"},
		{[]string{"read", "2/ctl"}, "cpu: read /2/ctl: no such file or directory\n"},
		{[]string{"chmod", "1/ctl"}, "cpu: -ctl: want ls, read, write, stat, rm or dial, and a path\n"},
		{[]string{"read"}, "cpu: -ctl: want ls, read, write, stat, rm or dial, and a path\n"},
	} {
		if _, errs, status := run(t, control(test.words...)); errs != test.err || status != 255 {
			t.Errorf("%q: %q, exit status %d, want %q", test.words, errs, status, test.err)
		}
	}
	kill := control("write", "1/ctl")
	kill.Stdin = strings.NewReader("kill\n")
	must(t, kill)
	session.Wait()
	if code := session.ProcessState.ExitCode(); code != 128+9 {
		t.Errorf("the session that was killed ended with %d", code)
	}
}
