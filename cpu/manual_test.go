//go:build linux

package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// TestManual runs the shell session of ctlfs(4) inside a session.
func TestManual(t *testing.T) {
	page, flags := manual, []string(nil)
	if programs := os.Getenv(guestPrograms); programs != "" {
		page, flags = filepath.Join(programs, guestManual), []string{"-mount", os.Getenv(guestMount)}
	}
	script, want := examples(t, page)
	r := newRig(t, flags...)
	stdout, stderr, status := run(t, r.terminal(nil, "sh", "-c", script))
	if stdout != want || status != 0 {
		t.Errorf("the examples print %q, want %q; exit status %d\n%s", stdout, want, status, stderr)
	}
}

// TestManualGuest is the same in a guest, where the tree is mounted by either way.
func TestManualGuest(t *testing.T) {
	share := t.TempDir()
	must(t, exec.Command("cp", manual, filepath.Join(share, guestManual)))
	inGuests(t, "TestManual", share)
}
