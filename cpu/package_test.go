//go:build linux

package main_test

import (
	"bytes"
	"embed"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// packageScripts use the Debian package on a machine of its own.
//
//go:embed testdata/package
var packageScripts embed.FS

// TestPackage builds the Debian package, installs it, uses it as its init script and as systemd starts it, and removes it.
func TestPackage(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("a machine of its own wants root: run this test as root")
	}
	mk := needs(t, "/usr/lib/plan9/bin/mk", "9base")
	needs(t, "dpkg-deb", "dpkg")
	needs(t, "ip", "iproute2")
	needs(t, "/lib/systemd/systemd", "systemd")
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

	keys := t.TempDir()
	if err := os.Chmod(filepath.Dir(keys), 0o755); err != nil { // for the session of a user other than root
		t.Fatal(err)
	}
	newKeys(t, keys)
	scripts, err := fs.Sub(packageScripts, "testdata/package")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(keys, scripts); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-eu", keys+"/machine", deb, keys)
	c.Dir = keys
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWCGROUP,
		Pdeathsig:  syscall.SIGKILL,
	}
	said, err := c.CombinedOutput()
	if err != nil {
		t.Error(err)
	}
	more, err := os.ReadFile(keys + "/said")
	if err != nil {
		t.Error(err)
	}
	said = append(said, more...)
	for _, want := range []string{
		"sysvinit: started", "sysvinit: the terminal's", "sysvinit: an upgrade leaves it running", "sysvinit: restarted", "sysvinit: stopped", "sysvinit: purged",
		"systemd: root: the terminal's", "systemd: user: the terminal's", "systemd: socket: the terminal's", "systemd: done",
	} {
		if !strings.Contains("\n"+string(said), "\n"+want+"\n") {
			t.Errorf("it does not say %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", said)
	}
}
