//go:build linux

package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackage builds the Debian package, twice, and looks that all is in it.
func TestPackage(t *testing.T) {
	t.Parallel()
	mk := needs(t, "/usr/lib/plan9/bin/mk", "9base")
	needs(t, "dpkg-deb", "dpkg")
	out := t.TempDir()
	build := func() (file string, content []byte) {
		c := exec.Command(mk, "out="+out, "deb")
		c.Dir = ".."
		must(t, c)
		all, err := filepath.Glob(out + "/cpu_*.deb")
		if err != nil || len(all) != 1 {
			t.Fatalf("mk deb made %q, %v", all, err)
		}
		if content, err = os.ReadFile(all[0]); err != nil {
			t.Fatal(err)
		}
		return all[0], content
	}
	_, first := build()
	deb, second := build()
	if !bytes.Equal(first, second) {
		t.Error("the package is not the same when it is built again")
	}
	list := must(t, exec.Command("dpkg-deb", "--contents", deb))
	for _, file := range []string{"/usr/bin/cpu", "/usr/bin/cpud", "/cpud.service", "/cpud.socket", "/etc/init.d/cpud", "/cpu.1.gz", "/cpud.8.gz", "/default"} {
		if !strings.Contains(list, file+"\n") {
			t.Errorf("%s is not in it:\n%s", file, list)
		}
	}
}
