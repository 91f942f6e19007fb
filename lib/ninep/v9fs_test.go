//go:build linux

package ninep

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cpu/lib/umltest"

	"golang.org/x/sys/unix"
)

// inGuest is set in the environment of this program inside a guest.
const inGuest = "NINEP_GUEST"

// The kernel's own client, in the dialects it has, in a guest where this kernel lacks it.
func TestV9FS(t *testing.T) {
	if os.Getenv(inGuest) != "" {
		for _, version := range []string{"9p2000", "9p2000.L"} {
			t.Run(version, func(t *testing.T) { testV9FS(t, version) })
		}
		t.Run("9p2000.u", func(t *testing.T) {
			if err := mountV9FS(t, t.TempDir(), "9p2000.u"); err == nil {
				t.Error("9p2000.u was not refused")
			}
		})
		return
	}
	if testing.Short() {
		t.Skip("a guest takes its time")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("go is not installed: apt install golang-go")
	}
	share := t.TempDir()
	// Not this program itself: built with -race it does not run in a guest.
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", share+"/test", ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, status := umltest.Run(t, share, []string{inGuest + "=1"}, share+"/test", "-test.run=^TestV9FS$", "-test.v")
	if status != "0" {
		t.Errorf("status %s\n%s", status, out)
	}
}

// mountV9FS serves a tree on a Unix socket and mounts it on dir.
func mountV9FS(t *testing.T, dir, version string) error {
	name := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	tree := smallTree()
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		served <- (&Server{Attacher: tree}).Serve(t.Context(), c)
	}()
	err = unix.Mount(name, dir, "9p", unix.MS_NOSUID|unix.MS_NODEV, "trans=unix,access=any,version="+version)
	t.Cleanup(func() {
		if err == nil {
			if err := unix.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		}
		l.Close()
		<-served
		if n := tree.files.Load(); n != 0 {
			t.Errorf("%d files not closed", n)
		}
	})
	return err
}

func testV9FS(t *testing.T, version string) {
	dir := t.TempDir()
	if err := mountV9FS(t, dir, version); err != nil {
		t.Fatal(err)
	}
	read := func(name, want string) {
		t.Helper()
		if b, err := os.ReadFile(dir + "/" + name); err != nil || string(b) != want {
			t.Errorf("%s: %.20q of %d bytes, %v", name, b, len(b), err)
		}
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	read("f", "hello, world")
	big := strings.Repeat("0123456789", 30_000)
	check(os.WriteFile(dir+"/d/new", []byte(big), 0o600))
	read("d/new", big)
	check(os.Truncate(dir+"/d/new", 5))
	read("d/new", "01234")
	check(os.WriteFile(dir+"/d/new", []byte("anew"), 0o600))
	read("d/new", "anew")
	check(os.Chmod(dir+"/d/new", 0o640))
	if fi, err := os.Stat(dir + "/d/new"); err != nil || fi.Mode() != 0o640 || fi.Size() != 4 {
		t.Errorf("%v, %v", fi, err)
	}
	check(os.Rename(dir+"/d/new", dir+"/d/moved"))
	read("d/moved", "anew")
	check(os.Mkdir(dir+"/sub", 0o755))
	list, err := os.ReadDir(dir + "/d")
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); err != nil || got != "e h moved" || !list[0].IsDir() {
		t.Errorf("%s, %v", got, err)
	}
	check(os.Remove(dir + "/d/moved"))
	check(os.Remove(dir + "/sub"))
	if _, err := os.Stat(dir + "/d/moved"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if err := os.Mkdir(dir+"/d", 0o755); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(dir + "/d/e"); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("got %v", err)
	}
}
