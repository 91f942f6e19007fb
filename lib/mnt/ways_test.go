//go:build linux

package mnt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"cpu/exportfs"
	"cpu/lib/mnt"
	"cpu/lib/ninep"
	"cpu/lib/umltest"

	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// served is a directory that a process is mounting and this one serves.
type served struct {
	*mounter
	mnt, tree string
	cancel    context.CancelCauseFunc
	done      chan error // ServeFUSE's result
}

// serve has dir, in a namespace of its own, show root.
func serve(t *testing.T, tree string, root p9.File, o mnt.Options) *served {
	t.Helper()
	dir := t.TempDir()
	s := &served{mounter: startMounter(t, dir, tree), mnt: dir, tree: tree, done: make(chan error, 1)}
	ctx, cancel := context.WithCancelCause(context.Background())
	s.cancel = cancel
	go func() {
		s.done <- mnt.ServeFUSE(ctx, s.dev, root, o)
		close(s.done)
	}()
	t.Cleanup(func() {
		cancel(nil)
		<-s.done
	})
	return s
}

// export gives the root of an exported directory.
func export(t *testing.T, dir string) p9.File {
	t.Helper()
	fs, err := exportfs.New(exportfs.Options{Root: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fs.Close() })
	root, err := fs.Attach()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// over gives root as a 9P client sees it, and the end of the connection.
func over(t *testing.T, a p9.Attacher, c ninep.ClientConfig) (*ninep.File, *ninep.Client) {
	t.Helper()
	ours, theirs := pair(t)
	s := &ninep.Server{Attacher: a}
	done := make(chan struct{})
	go func() {
		s.Serve(context.Background(), theirs)
		close(done)
	}()
	client, err := ninep.NewClient(context.Background(), ours, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		<-done
	})
	root, err := client.Attach(context.Background(), ninep.Attach{UID: p9.NoUID, Uname: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return root, client
}

func pair(t *testing.T) (a, b *os.File) {
	t.Helper()
	a, b, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

func socketpair() (a, b *os.File, err error) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(p[0]), "socket"), os.NewFile(uintptr(p[1]), "socket"), nil
}

// TestMounts runs every case over every way of mounting a tree.
func TestMounts(t *testing.T) {
	all := func(t *testing.T, s *served) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				if c.skip != nil {
					if why := c.skip(); why != "" {
						t.Skip(why)
					}
				}
				s.run(t, c.name)
			})
		}
	}
	t.Run("fuse", func(t *testing.T) {
		t.Parallel()
		tree := t.TempDir()
		all(t, serve(t, tree, export(t, tree), mnt.Options{}))
	})
	t.Run("fuse over 9P", func(t *testing.T) {
		t.Parallel()
		tree := t.TempDir()
		root, _ := over(t, exporter(t, tree), ninep.ClientConfig{})
		all(t, serve(t, tree, root, mnt.Options{}))
	})
	t.Run("fuse over plain 9P2000.L", func(t *testing.T) {
		t.Parallel()
		tree := t.TempDir()
		root, _ := over(t, exporter(t, tree), ninep.ClientConfig{Versions: []string{ninep.Version9P2000L}, Msize: 64 << 10})
		all(t, serve(t, tree, root, mnt.Options{}))
	})
	t.Run("fuse as a user", func(t *testing.T) {
		t.Parallel()
		if os.Getuid() == 0 {
			asUser(t)
			return
		}
		tree := t.TempDir()
		root, _ := over(t, exporter(t, tree), ninep.ClientConfig{})
		// In the user namespace this user is root.
		all(t, serve(t, tree, root, mnt.Options{IDs: []mnt.IDMap{
			{Far: uint32(os.Getuid()), Near: 0}, {Far: uint32(os.Getgid()), Near: 0, Group: true}}}))
	})
	t.Run("v9fs", func(t *testing.T) {
		t.Parallel()
		share := t.TempDir()
		program(t, share+"/test")
		argv := []string{share + "/test", guestRole}
		for _, c := range cases {
			if !c.notV9FS && (c.skip == nil || c.skip() == "") {
				argv = append(argv, c.name)
			}
		}
		out, status := umltest.Run(t, share, nil, argv...)
		if status != "0" {
			t.Errorf("status %s\n%s", status, out)
		}
	})
}

// program makes this program, for a guest, a file.
func program(t *testing.T, name string) {
	t.Helper()
	if raced {
		if _, err := exec.LookPath("go"); err != nil {
			t.Skip("go is not installed: apt install golang-go")
		}
		if out, err := exec.Command("go", "test", "-c", "-o", name, ".").CombinedOutput(); err != nil {
			t.Fatalf("go test -c: %v\n%s", err, out)
		}
		return
	}
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, exe, 0o755); err != nil {
		t.Fatal(err)
	}
}

// asUser runs the test that t is once more as an ordinary user.
func asUser(t *testing.T) {
	const nobody = 65534
	tmp := t.TempDir()
	for d := tmp; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(tmp, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	name := "^" + strings.ReplaceAll(t.Name(), "/", "$/^") + "$"
	c := exec.Command("/proc/self/exe", "-test.run="+name, "-test.v")
	c.Dir = tmp
	c.Env = append(os.Environ(), "TMPDIR="+tmp, "HOME="+tmp)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, Pdeathsig: syscall.SIGKILL}
	out, err := c.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "SKIP") {
			t.Log(line)
		}
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func exporter(t *testing.T, dir string) p9.Attacher {
	t.Helper()
	fs, err := exportfs.New(exportfs.Options{Root: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fs.Close() })
	return fs
}

// guestMain runs cases on a v9fs mount of a tree that this process exports.
func guestMain(names []string) error {
	if !mnt.HaveV9FS() {
		return errors.New("the guest has no v9fs")
	}
	tree, err := os.MkdirTemp("", "tree")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mnt")
	if err != nil {
		return err
	}
	fs, err := exportfs.New(exportfs.Options{Root: tree})
	if err != nil {
		return err
	}
	defer fs.Close()
	done, err := mountV9FS(dir, fs)
	if err != nil {
		return err
	}
	failed := 0
	for _, name := range names {
		if why := runCase(name, dir, tree, "v9fs"); why != "" {
			failed++
			fmt.Printf("%s: %s\n", name, why)
		}
	}
	if err := unix.Unmount(dir, 0); err != nil {
		return err
	}
	if err := <-done; err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := guestInterrupt(dir); err != nil {
		return err
	}
	if err := guestPlan9(dir); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d cases failed", failed)
	}
	return nil
}

// mountV9FS mounts a tree that this process exports. The channel gives the result of serving it.
func mountV9FS(dir string, a p9.Attacher) (done chan error, err error) {
	kernel, ours, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer kernel.Close()
	done = make(chan error, 1)
	go func() { done <- (&ninep.Server{Attacher: a}).Serve(context.Background(), ours) }()
	return done, mnt.MountV9FS(dir, kernel, mnt.Options{FSName: "tree"}, "")
}

// guestInterrupt: a signal ends a read that waits, on a v9fs mount too, and nothing stays of it at the far side.
func guestInterrupt(dir string) error {
	c := newControl()
	done, err := mountV9FS(dir, c)
	if err != nil {
		return err
	}
	cat := exec.Command("cat", dir+"/block")
	if err := cat.Start(); err != nil {
		return err
	}
	<-c.blocked
	if err := cat.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	if err := cat.Wait(); err == nil || err.Error() != "signal: interrupt" {
		return fmt.Errorf("interrupted cat: %v", err)
	}
	if err := <-c.ended; err != context.Canceled {
		return fmt.Errorf("the read ended with %v", err)
	}
	if err := unix.Unmount(dir, 0); err != nil {
		return err
	}
	return <-done
}
