//go:build linux

package mnt_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"cpu/exportfs"
	"cpu/lib/mnt"
)

// TestMountTree mounts in this process's own namespace, as root and, with fusermount3, as an ordinary user.
func TestMountTree(t *testing.T) {
	tree, dir := t.TempDir(), t.TempDir()
	if err := os.WriteFile(tree+"/file", []byte("text\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	fs, err := exportfs.New(exportfs.Options{Root: tree})
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	if os.Getuid() != 0 {
		if _, err := exec.LookPath("fusermount3"); err != nil {
			t.Skip("fusermount3 is not installed: apt install fuse3")
		}
	}
	// Another process looks: one that serves a mount must not wait for itself. The list of mounts may miss one while others come and go.
	mounted := func() bool {
		return exec.Command("sh", "-c", `test "$(stat -c %d "$0")" != "$(stat -c %d "$0/..")"`, dir).Run() == nil
	}
	m, err := mnt.MountTree(t.Context(), dir, mnt.FUSE, fs, mnt.Options{FSName: "test,tree"})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command("cat", dir+"/file").Output(); string(b) != "text\n" || !mounted() {
		t.Errorf("read %q, %v; mounted: %v", b, err, mounted())
	}
	if err := m.Close(); err != nil || mounted() {
		t.Errorf("close: %v; mounted: %v", err, mounted())
	}
	if _, err := mnt.MountTree(t.Context(), tree+"/none", mnt.FUSE, fs, mnt.Options{}); err == nil || !strings.Contains(err.Error(), tree+"/none") {
		t.Errorf("mounted on what is not there: %v", err)
	}
	m, err = mnt.MountTree(t.Context(), dir, mnt.FUSE, fs, mnt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("fusermount3", "-u", dir).CombinedOutput()
	if err != nil {
		t.Errorf("fusermount3 -u: %v: %s", err, out)
	}
	<-m.Done()
	m.Close()
}

func TestMountTreeAsOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("this is the other half of TestMountTree: run this test as root")
	}
	dir := t.TempDir()
	for d := dir; d != os.TempDir(); d = d[:strings.LastIndexByte(d, '/')] {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/proc/self/exe", "-test.run=^TestMountTree$", "-test.v")
	c.Env = append(os.Environ(), "TMPDIR="+dir)
	c.Dir = dir
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, Groups: []uint32{}}, Pdeathsig: syscall.SIGKILL}
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestMountTree ") {
		t.Errorf("%v\n%s", err, out)
	}
}
