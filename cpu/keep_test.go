//go:build linux

package main_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// kept starts a session that keeps itself once it runs, and gives what it says after that.
func (r *rig) kept(options, script string) (c *exec.Cmd, in io.WriteCloser, out io.ReadCloser, number string) {
	r.t.Helper()
	c = r.terminal(nil, "sh", "-c", fmt.Sprintf("n=$(ls /mnt/cpu | grep -x '[0-9]*' | tail -1); echo keep %s >/mnt/cpu/$n/ctl; echo $n; %s", options, script))
	in, err := c.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if out, err = c.StdoutPipe(); err != nil {
		r.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	var line []byte
	for b := make([]byte, 1); len(line) == 0 || b[0] != '\n'; line = append(line, b[0]) {
		if _, err := io.ReadFull(out, b); err != nil {
			r.t.Fatalf("the session says no number: %v", err)
		}
	}
	return c, in, out, strings.TrimSpace(string(line))
}

// lose ends a terminal without a word.
func lose(c *exec.Cmd) {
	c.Process.Kill()
	c.Wait()
}

// TestKeep is a session that goes on without its terminal, and is taken up again from another with all that it has from it.
func TestKeep(t *testing.T) {
	r := newRig(t)
	write(t, r.dir+"/file", []byte("line 1\nline 2\nline 3\n"), 0o644)
	write(t, r.dir+"/gone", make([]byte, 1<<20), 0o644) // more than is read at once
	// Files are open, of which one is another when the terminal returns; one is read in part, one written in part; then the terminal's
	// programs are run.
	c, in, first, number := r.kept("", `exec 3<file 4>out 5<gone; read a <&3; echo $a; echo one >&4; read go; read b <&3; echo $b; echo two >&4
		cat <&5 >/dev/null; echo $?; cat file | wc -l; ls /srv; read last; echo "$last"; exit 9`)
	b := make([]byte, 7)
	if _, err := io.ReadFull(first, b); string(b) != "line 1\n" {
		t.Fatalf("the first says %q, %v", b, err)
	}
	lose(c)
	if err := os.Rename(r.dir+"/file", r.dir+"/file2"); err != nil { // by the terminal itself: the session cannot know
		t.Fatal(err)
	}
	if err := os.Rename(r.dir+"/file2", r.dir+"/file"); err != nil {
		t.Fatal(err)
	}
	write(t, r.dir+"/new", []byte("new\n"), 0o644)
	if err := os.Rename(r.dir+"/new", r.dir+"/gone"); err != nil {
		t.Fatal(err)
	}
	in.Close()
	again := r.terminal([]string{"-attach", number})
	again.Stdin = strings.NewReader("go\nand the end\n")
	out, errs, status := run(t, again)
	want := "line 2\n1\n3\ncpu\nterm\nand the end\n"
	if out != want || !strings.Contains(errs, "Stale file handle") || status != 9 {
		t.Errorf("taken up again: %q and %q, exit status %d, want %q", out, errs, status, want)
	}
	checkFile(t, r.dir+"/out", "one\ntwo\n")
	for status == 9 { // it is there for a moment more
		_, errs, status = run(t, r.terminal([]string{"-attach", number}))
	}
	if status != 255 || errs != "cpu: 127.0.0.1: "+number+"/ctl: no such file or directory\n" {
		t.Errorf("a session that is gone: %q, exit status %d", errs, status)
	}
}

// TestKeepOutput is output that nobody reads for a while: it waits, with the command or without its oldest, and with the exit status when
// the command has ended.
func TestKeepOutput(t *testing.T) {
	r := newRig(t)
	const script = "(i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done); exit 4"
	for _, test := range []struct {
		options     string
		first, last string
	}{
		{"", "line 0\n", "line 19999\n"},
		{"8192 oldest", "", "line 19999\n"},
		{"8192 block", "line 0\n", "line 19999\n"},
	} {
		c, _, _, number := r.kept(test.options, "read go; "+script)
		lose(c)
		go_ := r.terminal([]string{"-ctl"}, "write", number+"/stdin")
		go_.Stdin = strings.NewReader("go\n")
		must(t, go_)
		control := func(file string) string { return must(t, r.terminal([]string{"-ctl"}, "read", number+"/"+file)) }
		if test.options != "8192 block" {
			for !strings.HasSuffix(control("status"), "ended\n") {
			}
		}
		out, errs, status := run(t, r.terminal([]string{"-attach", number}))
		if !strings.HasPrefix(out, test.first) || !strings.HasSuffix(out, test.last) || errs != "" || status != 4 {
			t.Errorf("keep %s: %q ... %q, %q, exit status %d", test.options, out[:min(len(out), 20)], out[max(0, len(out)-20):], errs, status)
		}
		if test.options == "8192 oldest" && len(out) > 8192+64<<10 {
			t.Errorf("keep %s: %d bytes were kept", test.options, len(out))
		}
	}
	for _, line := range []string{"keep 0", "keep block oldest", "keep 1 2", "keep x", "keep 9999999999"} {
		c := r.terminal([]string{"-n", "default"}, "sh", "-c", `n=$(ls /mnt/cpu | grep -x '[0-9]*' | tail -1); echo "`+line+`" >/mnt/cpu/$n/ctl 2>/dev/null || cat /mnt/cpu/$n/errstr`)
		if out := must(t, c); !strings.HasPrefix(out, "keep: ") {
			t.Errorf("%s: %q", line, out)
		}
	}
}

// TestKeepTerminal is a kept session with a terminal.
func TestKeepTerminal(t *testing.T) {
	r := newRig(t)
	c := r.terminal([]string{"-t"}, "sh", "-c", "stty -echo -onlcr; n=$(ls /mnt/cpu | grep -x '[0-9]*' | tail -1); echo keep >/mnt/cpu/$n/ctl; echo $n; read x; echo got $x; exit 6")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	n, err := out.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	lose(c)
	again := r.terminal([]string{"-t", "-attach", strings.TrimSpace(string(b[:n]))})
	again.Stdin = strings.NewReader("typed\n")
	if out, errs, status := run(t, again); out != "got typed\n" || errs != "" || status != 6 {
		t.Errorf("said %q and %q, exit status %d", out, errs, status)
	}
}
