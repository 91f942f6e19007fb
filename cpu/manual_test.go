//go:build linux

package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// manual is ctlfs(4), from this directory, and from one that a guest sees.
const (
	manual      = "../man/4/ctlfs"
	guestManual = "ctlfs.man"
)

// examples are the scripts of ctlfs(4), and what the page says that they print: the texts after "It prints" and before it.
func examples(t *testing.T, page string) (script, output string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n.SH EXAMPLES\n")
	rest, _, _ = strings.Cut(rest, "\n.SH ")
	blocks := strings.Split(rest, "\n.nf\n")
	for i, b := range blocks {
		blocks[i], _, _ = strings.Cut(b, ".fi\n")
		if before, _, _ := strings.Cut(rest, blocks[i]); strings.HasSuffix(before, "It prints\n.IP\n.nf\n") {
			script += blocks[i-1]
			output += blocks[i]
		}
	}
	if script == "" {
		t.Fatalf("%s has no examples", page)
	}
	return script, output
}

// TestManual runs the shell session of ctlfs(4) in the three places where the tree is seen: in a session, on the server, at the terminal.
// In each of them sessions are administered as well.
func TestManual(t *testing.T) {
	page, flags := manual, []string{"-mount", "auto"}
	if programs := os.Getenv(guestPrograms); programs != "" {
		page, flags = filepath.Join(programs, guestManual), []string{"-mount", os.Getenv(guestMount)}
	}
	script, want := examples(t, page)
	there := publicDir(t)
	r := newRig(t, append([]string{"-m", there}, flags...)...)
	check := func(t *testing.T, here place) {
		stdout, stderr, status := run(t, here("sh", script))
		if stdout != want || status != 0 {
			t.Errorf("the examples print %q, want %q; exit status %d\n%s", stdout, want, status, stderr)
		}
	}
	at := func(dir string) place {
		return func(shell, script string) *exec.Cmd {
			return exec.Command(shell, "-c", strings.ReplaceAll(script, "/mnt/cpu", dir))
		}
	}
	t.Run("session", func(t *testing.T) {
		there := func(shell, script string) *exec.Cmd { return r.terminal(nil, shell, "-c", script) }
		check(t, there)
		if os.Getenv(guestPrograms) == "" { // there sessions take long to start, and this takes many
			administer(t, r, there)
		}
	})
	t.Run("server", func(t *testing.T) {
		check(t, at(there))
		administer(t, r, at(there))
		others(t, there)
	})
	t.Run("terminal", func(t *testing.T) {
		here := publicDir(t)
		c := r.terminal(append([]string{"-m", here}, flags...))
		said := newLineLog()
		c.Stderr = said
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for exec.Command("test", "-e", here+"/clone").Run() != nil {
			if c.Process.Signal(syscall.Signal(0)) != nil {
				t.Fatalf("cpu -m has ended: %s", said.text())
			}
		}
		check(t, at(here))
		administer(t, r, at(here))
		others(t, here)
		c.Process.Signal(syscall.SIGTERM)
		if err := c.Wait(); err != nil || said.text() != "" {
			t.Errorf("cpu -m: %v: %s", err, said.text())
		}
		if exec.Command("test", "-e", here+"/clone").Run() == nil {
			t.Error("the tree is mounted still")
		}
	})
}

// publicDir is a directory that other users reach.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cpu-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
