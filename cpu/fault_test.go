//go:build linux

package main_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFaults: each gets one line that says what it is about, and the right exit status.
func TestFaults(t *testing.T) {
	r := newRig(t)
	write(t, r.dir+"/malformed", []byte("# comment\n\nbind /x\n"), 0o644)
	write(t, r.dir+"/fails", []byte("mount /srv/term /mnt/term\nbind /mnt/term/nosuch /usr\n"), 0o644)
	write(t, r.dir+"/nodir", []byte("mount /srv/term /mnt/term\ncd /no/such/dir\n"), 0o644)
	writeKey(t, r.keys+"/wrong")
	write(t, r.keys+"/other_hosts", nil, 0o600)
	other, err := os.ReadFile(r.keys + "/wrong.pub")
	if err != nil {
		t.Fatal(err)
	}
	write(t, r.keys+"/changed_hosts", append([]byte("cputest "), other...), 0o600)
	for _, c := range []struct {
		name   string
		flags  []string
		args   []string
		status int
		line   string // a regular expression
	}{
		{"malformed namespace", []string{"-n", "malformed"}, []string{"true"}, 255, `^cpu: malformed:3: bind: .+\n$`},
		{"failing namespace", []string{"-n", "fails"}, []string{"true"}, 1, `^cpu: fails:2: bind /mnt/term/nosuch /usr: no such file or directory\n$`},
		{"no such namespace", []string{"-n", "nosuch"}, []string{"true"}, 255, `^cpu: nosuch: no such namespace file\n$`},
		{"no such directory", []string{"-n", "nodir"}, []string{"true"}, 1, `^cpu: nodir:2: cd /no/such/dir: no such file or directory\n$`},
		{"no such command", nil, []string{"no-such-command", "x"}, 127, `^cpu: no-such-command: command not found\n$`},
		{"no such path", nil, []string{"/no/such/command"}, 127, `^cpu: /no/such/command: .+\n$`},
		{"not executable", nil, []string{"./malformed"}, 126, `^cpu: \./malformed: permission denied\n$`},
		{"unknown host", []string{"-o", "UserKnownHostsFile=" + r.keys + "/other_hosts"}, []string{"true"}, 255,
			`^cpu: 127\.0\.0\.1: unknown host key SHA256:\S+: cputest is not in \S+/other_hosts, and there is nobody to ask\n$`},
		{"changed host", []string{"-o", "UserKnownHostsFile=" + r.keys + "/changed_hosts"}, []string{"true"}, 255,
			`^cpu: 127\.0\.0\.1: the host key has changed: .* \S+/changed_hosts:1\n$`},
		{"wrong key", []string{"-i", r.keys + "/wrong"}, []string{"true"}, 255, `^cpu: 127\.0\.0\.1: permission denied for \S+: tried \S+/wrong\n$`},
		{"missing key", []string{"-i", r.keys + "/none"}, []string{"true"}, 255, `^cpu: 127\.0\.0\.1: identity: \S+ \S+/none: no such file or directory\n$`},
		{"unknown user", []string{"-l", "no-such-user"}, []string{"true"}, 255, `^cpu: 127\.0\.0\.1: permission denied for no-such-user: tried \S+/key\n$`},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := r.terminal(nil, c.args...)
			cmd.Args = replaceFlags(cmd.Args, c.flags)
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal to ask at
			stdout, stderr, status := run(t, cmd)
			if status != c.status || stdout != "" || !regexp.MustCompile(c.line).MatchString(stderr) {
				t.Errorf("exit status %d, want %d; said %q%q, want %s", status, c.status, stdout, stderr, c.line)
			}
		})
	}
	nothingLeft(t, r)
}

// replaceFlags puts flags first, and takes out of args those of the same kind.
func replaceFlags(args, flags []string) []string {
	kind := func(flag, value string) string {
		if flag == "-o" {
			value, _, _ = strings.Cut(value, "=")
			return flag + value
		}
		return flag
	}
	given := map[string]bool{}
	for i := 0; i+1 < len(flags); i += 2 {
		given[kind(flags[i], flags[i+1])] = true
	}
	out := append([]string{args[0]}, flags...)
	for i := 1; i < len(args); i++ {
		if strings.HasPrefix(args[i], "-") && i+1 < len(args) && given[kind(args[i], args[i+1])] {
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}

// TestServerDies: a cpud that is killed while a command reads leaves no cpu that hangs, and says so in one line.
func TestServerDies(t *testing.T) {
	r := newRig(t)
	c := r.terminal(nil, "sh", "-c", "echo ready; cat /dev/zero")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, out, 1<<20); err != nil {
		t.Fatal(err)
	}
	r.daemon.Process.Kill()
	io.Copy(io.Discard, out)
	c.Wait()
	if got := c.ProcessState.ExitCode(); got != 255 || !regexp.MustCompile(`^cpu: 127\.0\.0\.1: connection lost\n$`).MatchString(stderr.String()) {
		t.Errorf("exit status %d, said %q", got, &stderr)
	}
}

// TestClientDies: a cpu that is killed in the middle of a write leaves no process, mount or descriptor at the server.
func TestClientDies(t *testing.T) {
	r := newRig(t)
	before := descriptors(t, r.daemon.Process.Pid)
	c := r.terminal(nil, "sh", "-c", "echo ready; dd if=/dev/zero of=big bs=64k count=1000000 2>/dev/null")
	said := newLineLog()
	c.Stdout = said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if said.find(regexp.MustCompile("ready")) == "" {
		t.Fatal("the command did not come up")
	}
	c.Process.Kill()
	c.Wait()
	nothingLeft(t, r)
	for deadline := time.After(time.Minute); ; {
		after := descriptors(t, r.daemon.Process.Pid)
		if len(after) <= len(before) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("cpud has %d descriptors, %d before:\n%s", len(after), len(before), strings.Join(after, "\n"))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// nothingLeft: cpud has no child, once those that are ending have ended, and no mount of a session.
func nothingLeft(t *testing.T, r *rig) {
	t.Helper()
	pid := r.daemon.Process.Pid
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tasks {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		for _, child := range strings.Fields(string(text)) {
			awaitEnd(t, child)
		}
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mounts", pid))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(mounts, []byte("fuse.9p")) {
		t.Errorf("cpud's own namespace has a session's mount:\n%s", mounts)
	}
}

// awaitEnd waits for a process that is about to end.
func awaitEnd(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(n, 0)
	if err != nil {
		return // it has ended
	}
	defer unix.Close(fd)
	const minute = 60_000
	for {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, minute)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			t.Fatal(err)
		case ready == 0:
			out, _ := exec.Command("ps", "-o", "pid,stat,args", "-p", pid).Output()
			t.Errorf("cpud still has a child:\n%s", out)
		}
		return
	}
}

func descriptors(t *testing.T, pid int) []string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		to, _ := os.Readlink(filepath.Join(dir, e.Name()))
		all = append(all, e.Name()+" "+to)
	}
	return all
}

// TestVanishes is about an end of the connection that says nothing any more, with nobody to say that it has gone.
func TestVanishes(t *testing.T) {
	r := newRig(t, "-alive", "2s")
	c, _ := r.running("-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=2")
	// The terminal stops: the server ends its session.
	c.Process.Signal(syscall.SIGSTOP)
	r.log.find(regexp.MustCompile("end of connection"))
	c.Process.Signal(syscall.SIGCONT)
	c.Wait()
	if code := c.ProcessState.ExitCode(); code != 255 {
		t.Errorf("the terminal that was not there ended with %d", code)
	}
	c, _ = r.running("-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=2")
	r.daemon.Process.Signal(syscall.SIGSTOP)
	c.Wait()
	r.daemon.Process.Signal(syscall.SIGCONT)
	if code := c.ProcessState.ExitCode(); code != 255 {
		t.Errorf("the terminal of a server that is not there ended with %d", code)
	}
}
