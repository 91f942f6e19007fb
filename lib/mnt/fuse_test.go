//go:build linux

package mnt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"cpu/lib/mnt"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// sh starts a script in the mounter's namespace, with the mount as $M, through its command loop.
func (s *served) sh(t *testing.T, script string) (out string, err error) {
	t.Helper()
	return s.start(t, script).wait()
}

type job struct {
	cmd *exec.Cmd
	out strings.Builder
}

// start starts a script in the mounter's namespace.
func (s *served) start(t *testing.T, script string) *job {
	t.Helper()
	j := &job{cmd: exec.Command("nsenter", "-t", fmt.Sprint(s.cmd.Process.Pid), "-m", "sh", "-c", script)}
	j.cmd.Env = append(os.Environ(), "M="+s.mnt, "T="+s.tree)
	j.cmd.Stdout, j.cmd.Stderr = &j.out, &j.out
	j.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := j.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-j.cmd.Process.Pid, syscall.SIGKILL)
		j.cmd.Wait()
	})
	return j
}

func (j *job) wait() (string, error) {
	err := j.cmd.Wait()
	return j.out.String(), err
}

// rooted skips a test that enters another process's namespace.
func rooted(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root, to enter a namespace")
	}
	if _, err := exec.LookPath("nsenter"); err != nil {
		t.Skip("nsenter is not installed: apt install util-linux")
	}
}

// controlWays runs a test on a control tree, directly and over 9P.
func controlWays(t *testing.T, test func(t *testing.T, c *control, s *served)) {
	rooted(t)
	t.Run("direct", func(t *testing.T) {
		c := newControl()
		root, _ := c.Attach()
		test(t, c, serve(t, "", root, mnt.Options{}))
	})
	t.Run("over 9P", func(t *testing.T) {
		c := newControl()
		root, _ := over(t, c, ninep.ClientConfig{})
		test(t, c, serve(t, "", root, mnt.Options{}))
	})
}

func TestControlFiles(t *testing.T) {
	controlWays(t, func(t *testing.T, c *control, s *served) {
		out, err := s.sh(t, `cd "$M" && cat count && cat count && ls && echo start >ctl && echo more >>ctl`)
		if want := "1\n2\nblock\ncount\nctl\njammed\nstuck\n"; err != nil || out != want {
			t.Errorf("got %q, %v, want %q", out, err, want)
		}
		want := []string{
			fmt.Sprintf("open %#x", unix.O_WRONLY|unix.O_TRUNC), `write 0 "start\n"`,
			fmt.Sprintf("open %#x", unix.O_WRONLY|unix.O_APPEND), `write 0 "more\n"`,
		}
		if got := c.written(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("ctl saw %q, want %q", got, want)
		}
		if out, err := s.sh(t, `/bin/echo bad >"$M/ctl"`); err == nil || !strings.Contains(out, "Invalid argument") {
			t.Errorf("a write that fails: %q, %v", out, err)
		}
	})
}

// TestInterrupt: a signal ends a read that waits, here and at the far side.
func TestInterrupt(t *testing.T) {
	controlWays(t, func(t *testing.T, c *control, s *served) {
		for _, name := range []string{"block", "jammed"} {
			for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
				j := s.start(t, `exec cat "$M/`+name+`"`)
				<-c.blocked
				j.ends(t, sig)
				if err := <-c.ended; err != context.Canceled {
					t.Errorf("%s ended with %v", name, err)
				}
			}
		}
		// Pages of an ordinary file are read by the kernel on its own account; whoever waits for them need not.
		j := s.start(t, `exec cat "$M/stuck"`)
		<-c.blocked
		j.ends(t, syscall.SIGINT)
	})
}

// ends checks that a signal ends a job.
func (j *job) ends(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := j.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	_, err := j.wait()
	if exit, ok := err.(*exec.ExitError); !ok || exit.Sys().(syscall.WaitStatus).Signal() != sig {
		t.Errorf("%v: ended with %v", sig, err)
	}
}

// TestEnd: when ctx is done, whoever waits gets an error, and so does whoever comes later.
func TestEnd(t *testing.T) {
	controlWays(t, func(t *testing.T, c *control, s *served) {
		reader := s.start(t, `cat "$M/block"`)
		<-c.blocked
		ended := errors.New("ended")
		s.cancel(ended)
		if err := <-s.done; err != ended {
			t.Errorf("ServeFUSE: %v", err)
		}
		out, err := reader.wait()
		if err == nil {
			t.Errorf("the reader got no error: %q", out)
		}
		out, err = s.sh(t, `cat "$M/count"`)
		if err == nil || !strings.Contains(out, "not connected") && !strings.Contains(out, "onnection") {
			t.Errorf("afterwards: %q, %v", out, err)
		}
		if out, err := s.sh(t, `umount "$M"`); err != nil {
			t.Errorf("umount: %v, %s", err, out)
		}
	})
}

// TestUnmount: ServeFUSE returns when the mount is gone.
func TestUnmount(t *testing.T) {
	rooted(t)
	tree := t.TempDir()
	s := serve(t, tree, export(t, tree), mnt.Options{})
	out, err := s.sh(t, `cd "$M" && grep "$M" /proc/mounts && echo x >f && cd / && umount "$M"`)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if f := strings.Fields(out); len(f) < 4 || f[0] != "tree" || !strings.Contains(f[3], "nosuid,nodev") {
		t.Errorf("/proc/mounts says %q", out)
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(tree + "/f"); string(b) != "x\n" {
		t.Errorf("the file has %q, %v", b, err)
	}
}

// TestDeadConnection: when the 9P connection dies under a mount, processes get EIO and nobody hangs.
func TestDeadConnection(t *testing.T) {
	rooted(t)
	tree := t.TempDir()
	for i := range 4 {
		if err := os.WriteFile(fmt.Sprintf("%s/%d", tree, i), pattern(64<<20), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ours, theirs := pair(t)
	// The far end is lost after some of the data.
	cut := &cutConn{ReadWriteCloser: theirs, left: 30 << 20}
	done := make(chan struct{})
	go func() {
		(&ninep.Server{Attacher: exporter(t, tree)}).Serve(context.Background(), cut)
		close(done)
	}()
	client, err := ninep.NewClient(context.Background(), ours, ninep.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	root, err := client.Attach(context.Background(), ninep.Attach{UID: p9.NoUID})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, tree, root, mnt.Options{})
	out, err := s.sh(t, `cd "$M"; for i in 0 1 2 3; do cat $i >/dev/null & done; wait; stat nothing; touch new`)
	if strings.Count(out, "Input/output error") != 6 {
		t.Errorf("got %v, %s", err, out)
	}
	<-client.Done()
	if out, err := s.sh(t, `umount "$M"`); err != nil {
		t.Errorf("umount: %v: %s", err, out)
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	client.Close()
	<-done
}

// cutConn is a connection that ends after some bytes were written, or if silent is there, goes on without a word and says so.
type cutConn struct {
	io.ReadWriteCloser
	left   int
	silent chan struct{}
}

func (c *cutConn) Write(p []byte) (int, error) {
	was := c.left
	if c.left -= len(p); c.left >= 0 {
		return c.ReadWriteCloser.Write(p)
	}
	if c.silent == nil {
		c.Close()
		return 0, io.ErrClosedPipe
	}
	if was >= 0 {
		close(c.silent)
	}
	return len(p), nil
}

// TestSilentPeer: a far side that does not answer any more holds nobody up when the mount is to end.
func TestSilentPeer(t *testing.T) {
	rooted(t)
	tree := t.TempDir()
	if err := os.WriteFile(tree+"/f", pattern(8<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	ours, theirs := pair(t)
	cut := &cutConn{ReadWriteCloser: theirs, left: 4 << 20, silent: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		(&ninep.Server{Attacher: exporter(t, tree)}).Serve(context.Background(), cut)
		close(done)
	}()
	client, err := ninep.NewClient(context.Background(), ours, ninep.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	root, err := client.Attach(context.Background(), ninep.Attach{UID: p9.NoUID})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, tree, root, mnt.Options{})
	reader := s.start(t, `exec 3>"$M/open"; cat "$M/f" >/dev/null; echo x >&3`)
	<-cut.silent
	s.cancel(nil)
	if err := <-s.done; err != context.Canceled {
		t.Error(err)
	}
	if out, err := reader.wait(); err == nil {
		t.Errorf("the reader got no error: %s", out)
	}
	client.Close()
	<-done
}

// TestIDs: ids are mapped both ways.
func TestIDs(t *testing.T) {
	rooted(t)
	tree := t.TempDir()
	s := serve(t, tree, export(t, tree), mnt.Options{IDs: []mnt.IDMap{{Far: 1234, Near: 4321}, {Far: 77, Near: 88, Group: true}}})
	if err := os.WriteFile(tree+"/f", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(tree+"/f", 1234, 77); err != nil {
		t.Fatal(err)
	}
	out, err := s.sh(t, `cd "$M"; stat -c '%u %g' f; chown 4321:88 .; chown 9:10 f; stat -c '%u %g' . f`)
	if want := "4321 88\n4321 88\n9 10\n"; err != nil || out != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
	var dir, f unix.Stat_t
	unix.Stat(tree, &dir)
	unix.Stat(tree+"/f", &f)
	if dir.Uid != 1234 || dir.Gid != 77 || f.Uid != 9 || f.Gid != 10 {
		t.Errorf("at the far side: %d %d, %d %d", dir.Uid, dir.Gid, f.Uid, f.Gid)
	}
}

// TestAnyID: ids without a number of their own here all have the same.
func TestAnyID(t *testing.T) {
	rooted(t)
	tree := t.TempDir()
	s := serve(t, tree, export(t, tree), mnt.Options{IDs: []mnt.IDMap{{Far: 0, Near: 5}, {Far: mnt.AnyID, Near: 7}}})
	if err := os.WriteFile(tree+"/f", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(tree+"/f", 999, 999); err != nil {
		t.Fatal(err)
	}
	out, err := s.sh(t, `cd "$M"; stat -c '%u %g' . f; chown 5 f; stat -c '%u' f`)
	if want := "5 0\n7 999\n5\n"; err != nil || out != want {
		t.Errorf("got %q, %v, want %q", out, err, want)
	}
}

// TestReadOnly: the kernel refuses by itself.
func TestReadOnly(t *testing.T) {
	rooted(t)
	dir := t.TempDir()
	if err := mountHere(func() error {
		dev, err := mnt.OpenFUSE(dir, mnt.Options{ReadOnly: true})
		if err == nil {
			dev.Close()
		}
		return err
	}, func() error {
		list, err := os.ReadFile("/proc/thread-self/mounts")
		if err == nil && !strings.Contains(string(list), dir+" fuse.9p ro,nosuid,nodev") {
			err = errors.New(string(list))
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// mountHere runs functions on a thread with a mount namespace of its own.
func mountHere(run ...func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		}
		for _, f := range run {
			if err == nil {
				err = f()
			}
		}
		done <- err
	}()
	return <-done
}

// TestMountErrors: an error says which directory it is about.
func TestMountErrors(t *testing.T) {
	rooted(t)
	dir := t.TempDir() + "/none"
	_, err := mnt.OpenFUSE(dir, mnt.Options{})
	if err == nil || err.Error() != "mount "+dir+": no such file or directory" {
		t.Errorf("OpenFUSE: %v", err)
	}
	a, b := pair(t)
	defer a.Close()
	defer b.Close()
	err = mnt.MountV9FS(dir, a, mnt.Options{}, "a,b")
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), dir) {
		t.Errorf("MountV9FS: %v", err)
	}
}

// TestNothingLeft: after many mounts, ended in both ways, there is no more of anything than before.
func TestNothingLeft(t *testing.T) {
	rooted(t)
	tree := t.TempDir()
	round := func(unmount bool) {
		t.Run("", func(t *testing.T) {
			root, _ := over(t, exporter(t, tree), ninep.ClientConfig{})
			s := serve(t, tree, root, mnt.Options{})
			s.sh(t, `cd "$M"; mkdir -p a/b; echo x >a/b/f; cat a/b/f; ls -lR; exec 3>open; rm open`)
			if unmount {
				s.sh(t, `umount "$M"`)
				<-s.done
			}
		})
	}
	round(true)
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	for i := range 6 {
		round(i%2 == 0)
	}
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), goroutines, buf[:runtime.Stack(buf, true)])
		}
	}
	if n := descriptors(t); n > fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
