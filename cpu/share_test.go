//go:build linux

package main_test

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cpu/cpu/client"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/p9"
)

// newSharing is a rig whose cpus share connections.
func newSharing(t *testing.T) (r *rig, sockets string) {
	t.Helper()
	r = newRig(t)
	r.shares = true
	run := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", run)
	return r, filepath.Join(run, "cpu")
}

// logins counts those that the server has seen.
func (r *rig) logins() int {
	return len(regexp.MustCompile(`(?m)msg=login `).FindAllString(r.log.text(), -1))
}

// running is a session that says when it runs, and ends with its input.
func (r *rig) running(flags ...string) (c *exec.Cmd, end func()) {
	r.t.Helper()
	c, _, end = r.runningOut(flags...)
	return c, end
}

// runningOut is running with what more it says.
func (r *rig) runningOut(flags ...string) (c *exec.Cmd, out io.Reader, end func()) {
	r.t.Helper()
	c = r.terminal(append([]string{"-n", "none"}, flags...), "sh", "-c", "echo up; cat >/dev/null; exit 7")
	in, err := c.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	pipe, err := c.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	if _, err := io.ReadFull(pipe, make([]byte, 3)); err != nil {
		r.t.Fatalf("the session does not begin: %v", err)
	}
	return c, pipe, func() { in.Close() }
}

func TestShare(t *testing.T) {
	r, sockets := newSharing(t)
	first, firstOut, endFirst := r.runningOut()
	list, err := os.ReadDir(sockets)
	if err != nil || len(list) != 1 {
		t.Fatalf("sockets: %v, %v", list, err)
	}
	socket := filepath.Join(sockets, list[0].Name())
	for path, mode := range map[string]os.FileMode{sockets: os.ModeDir | 0o700, socket: os.ModeSocket | 0o600} {
		if info, err := os.Lstat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v, want %v", path, info.Mode(), err, mode)
		}
	}
	second, endSecond := r.running()
	if got := must(t, r.terminal(nil, "sh", "-c", "pwd; ls -d $0", r.dir)); got != "/mnt/term"+r.dir+"\n"+r.dir+"\n" {
		t.Errorf("a third session says %q", got)
	}
	if n := r.logins(); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
	// Another key is another connection.
	other := r.terminal([]string{"-n", "none", "-o", "IdentityFile=" + r.keys + "/hostkey"}, "true")
	must(t, other)
	if n := r.logins(); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
	// Raw 9P on the socket is the control tree.
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	nine, err := ninep.NewClient(t.Context(), conn, ninep.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	root, err := nine.Attach(t.Context(), ninep.Attach{UID: p9.NoUID})
	if err == nil {
		_, _, err = root.Walk([]string{"clone"})
	}
	if err != nil {
		t.Errorf("9P on the socket: %v", err)
	}
	nine.Close()
	// Who has said hello can open streams also when nobody new may come.
	lease, err := client.Shared(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	// The first ends, and the second does not; nobody new comes this way. Who reads what the first writes is not kept waiting.
	endFirst()
	io.Copy(io.Discard, firstOut)
	must(t, r.terminal([]string{"-n", "none"}, "true"))
	if n := r.logins(); n != 3 {
		t.Errorf("%d logins, want 3", n)
	}
	if stream, err := lease.Open(t.Context(), "ctlfs"); err != nil {
		t.Errorf("a stream for one who was there before: %v", err)
	} else {
		stream.Close()
	}
	if _, err := client.Shared(t.Context(), socket); !errors.Is(err, client.ErrNotShared) {
		t.Errorf("somebody new: %v", err)
	}
	lease.Close()
	endSecond()
	for _, c := range []*exec.Cmd{second, first} {
		c.Wait()
		if code := c.ProcessState.ExitCode(); code != 7 {
			t.Errorf("exit status %d, want 7", code)
		}
	}
}

// TestShareStale is about sockets that nobody listens at, or somebody else does.
func TestShareStale(t *testing.T) {
	r, sockets := newSharing(t)
	path := sockets + "/mine"
	if err := os.MkdirAll(sockets, 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	c, end := r.running("-o", "ControlPath="+path)
	if _, err := net.Dial("unix", path); err != nil {
		t.Errorf("the stale socket was not replaced: %v", err)
	}
	end()
	c.Wait()
	if l, err = net.Listen("unix", path); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "not yours\n")
			c.Close()
		}
	}()
	if got := must(t, r.terminal([]string{"-n", "none", "-o", "ControlPath=" + path}, "echo", "good")); got != "good\n" {
		t.Errorf("said %q", got)
	}
	if n := r.logins(); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
	must(t, r.terminal([]string{"-n", "none", "-o", "ControlPath=none"}, "true"))
	write(t, sockets+"/file", nil, 0o600)
	must(t, r.terminal([]string{"-n", "none", "-o", "ControlPath=" + sockets + "/file"}, "true"))
}

// TestSharePersist is about the connection that stays when the first command has ended.
func TestSharePersist(t *testing.T) {
	r, sockets := newSharing(t)
	persist := []string{"-n", "none", "-o", "ControlPersist=yes", "-o", "ControlPath=" + sockets + "/p"}
	for range 3 {
		if out, errs, status := run(t, r.terminal(persist, "sh", "-c", "echo good; exit 5")); out != "good\n" || errs != "" || status != 5 {
			t.Errorf("said %q and %q, exit status %d", out, errs, status)
		}
	}
	if n := r.logins(); n != 1 {
		t.Errorf("%d logins, want 1", n)
	}
	// It goes with the server, and where it cannot come about the first says why.
	r.daemon.Process.Kill()
	for {
		if _, err := os.Lstat(sockets + "/p"); err != nil {
			break
		}
	}
	if _, errs, status := run(t, r.terminal(persist, "true")); status != 255 || !strings.HasPrefix(errs, "cpu: 127.0.0.1: dial ") || strings.Count(errs, "\n") != 1 {
		t.Errorf("without a server: %q, exit status %d", errs, status)
	}
}
