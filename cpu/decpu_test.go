//go:build linux

package main_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestDecpu: by these names cpud announces itself, and cpu takes the best that is found, whatever $cpu says, without being told to.
func TestDecpu(t *testing.T) {
	t.Parallel()
	l := newLink(t)
	dir := t.TempDir()
	for _, name := range []string{"cpu", "cpud"} {
		if err := os.Symlink(programs+"/"+name, dir+"/de"+name); err != nil {
			t.Fatal(err)
		}
	}
	l.machine("h1")
	l.daemon("h1", dir+"/decpud")
	l.see("dnssd:", `^\[{"name":"h1"`)
	by := func(program string, args ...string) (stdout, stderr string, status int) {
		c := l.cpu(args...)
		c.Args[slices.Index(c.Args, programs+"/cpu")] = program
		c.Env = append(os.Environ(), "cpu=nowhere.invalid")
		c.Stdin = strings.NewReader("hostname\n")
		return run(t, c)
	}
	if out, errs, status := by(dir + "/decpu"); out != "h1\n" || status != 0 {
		t.Errorf("decpu alone: %q, %q, exit status %d", out, errs, status)
	}
	if out, errs, status := by(dir+"/decpu", ".", "sh", "-c", "hostname; exit 3"); out != "h1\n" || status != 3 {
		t.Errorf("decpu with a command: %q, %q, exit status %d", out, errs, status)
	}
	if out, errs, status := by(programs + "/cpu"); status != 255 || !strings.Contains(errs, "nowhere.invalid") {
		t.Errorf("cpu: %q, %q, exit status %d", out, errs, status)
	}
}
