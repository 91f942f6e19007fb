//go:build linux

package main_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// A screen is a terminal with a process at it, and what that has written there.
type screen struct {
	t   *testing.T
	cmd *exec.Cmd
	pty *os.File
	log *lineLog
}

// newScreen starts c at a terminal.
func newScreen(t *testing.T, c *exec.Cmd) *screen {
	t.Helper()
	p, err := pty.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{t, c, p, newLineLog()}
	go func() { io.Copy(s.log, p); s.log.close() }()
	t.Cleanup(func() {
		c.Process.Kill()
		c.Wait()
		p.Close()
	})
	return s
}

// want waits for a text, which need not be a whole line.
func (s *screen) want(text string) {
	s.t.Helper()
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	for !bytes.Contains(l.buf.Bytes(), []byte(text)) {
		if l.closed {
			s.t.Fatalf("%q did not come; the screen has:\n%s", text, &l.buf)
		}
		l.more.Wait()
	}
}

func (s *screen) write(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.pty, text); err != nil {
		s.t.Fatal(err)
	}
}

// shell has a command run by a shell that says afterwards how it ended, and what the terminal's modes are.
func shell(c *exec.Cmd) *exec.Cmd {
	sh := exec.Command("sh", append([]string{"-c", `trap : INT; "$@"; echo "ended with $?"; stty -a; echo over`, "sh"}, c.Args...)...)
	sh.Dir = c.Dir
	sh.Env = append(os.Environ(), "PS1=prompt: ")
	return sh
}

// ended waits for the end of a shell's command, and checks its status and that the terminal is as it was.
func (s *screen) ended(status string) {
	s.t.Helper()
	s.want("ended with " + status)
	s.want("over")
	s.cmd.Wait()
	if text := s.log.text(); !regexp.MustCompile(`[ \n]echo[ \r]`).MatchString(text) || !regexp.MustCompile(`[ \n]icanon[ \r]`).MatchString(text) {
		s.t.Errorf("the terminal's modes are not what they were:\n%s", text)
	}
}

// TestAsked: at a terminal the user is asked about a host that is not known, and for a passphrase, which is not shown; ^C at either ends
// cpu and leaves the terminal as it was.
func TestAsked(t *testing.T) {
	r := newRig(t)
	needs(t, "ssh-keygen", "openssh-client")
	must(t, exec.Command("cp", r.keys+"/key", r.keys+"/encrypted"))
	must(t, exec.Command("ssh-keygen", "-q", "-p", "-a", "1", "-N", "open sesame", "-f", r.keys+"/encrypted"))
	ask := func() *screen {
		c := r.terminal(nil, "echo", "came in")
		c.Args = replaceFlags(c.Args, []string{"-o", "UserKnownHostsFile=" + r.keys + "/new_hosts", "-i", r.keys + "/encrypted"})
		return newScreen(t, shell(c))
	}

	s := ask()
	s.want("The key of cputest is not known.")
	s.write("\x03")
	s.want("cpu: interrupt")
	s.ended("255")

	s = ask()
	s.want("(yes/no/fingerprint)?")
	s.write("yes\n")
	s.want("Passphrase for " + r.keys + "/encrypted:")
	s.write("\x03")
	s.want("cpu: interrupt")
	s.ended("255")

	// The host is known now.
	s = ask()
	s.want("Passphrase")
	s.write("open sesame\n")
	s.want("came in")
	s.ended("0")
	if text := s.log.text(); strings.Contains(text, "sesame") || strings.Contains(text, "not known") {
		t.Errorf("the screen has:\n%s", text)
	}
}

// TestModes: the terminal is as it was when cpu has ended, however that was.
func TestModes(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		how, status string
		end         func(s *screen)
	}{
		{"the command's end", "3", func(s *screen) { s.write("exit 3\r") }},
		{"the escape", "255", func(s *screen) { s.write("\r~.") }},
		{"the server's end", "255", func(s *screen) { r.daemon.Process.Kill() }},
	} {
		t.Run(c.how, func(t *testing.T) {
			s := newScreen(t, shell(r.terminal([]string{"-t"}, "sh")))
			s.want("prompt: ")
			c.end(s)
			s.ended(c.status)
		})
	}
}

// TestSuspend: ~^Z gives the terminal back to a shell with job control, as it was, and fg goes on with the session.
func TestSuspend(t *testing.T) {
	r := newRig(t)
	c := shell(r.terminal([]string{"-t"}, "sh"))
	c.Args[2] = `set -m; "$@"; echo "stopped with $?"; stty -a; echo shown; fg >/dev/null; echo "ended with $?"; stty -a; echo over`
	s := newScreen(t, c)
	s.want("prompt: ")
	s.write("\r~\x1a")
	s.want("stopped with 148") // by SIGTSTP
	s.want("shown")
	if text := s.log.text(); !regexp.MustCompile(`[ \n]echo[ \r]`).MatchString(text) {
		t.Errorf("stopped, the terminal's modes are not what they were:\n%s", text)
	}
	s.write("echo $((40+2)); exit 6\r")
	s.want("42")
	s.ended("6")
}

// TestKeys: keys are the command's, not cpu's.
func TestKeys(t *testing.T) {
	r := newRig(t)
	s := newScreen(t, shell(r.terminal([]string{"-t"}, "sh", "-c", "trap 'exit 4' INT; echo ready; while :; do sleep 0.1; done")))
	s.want("ready")
	s.write("\x03")
	s.ended("4")
	s = newScreen(t, shell(r.terminal([]string{"-t"}, "sh", "-c", "echo ready; cat; exit 5")))
	s.want("ready")
	s.write("\x04")
	s.ended("5")
}

// TestNohup: a signal that was ignored when cpu began does not reach the command.
func TestNohup(t *testing.T) {
	r := newRig(t)
	needs(t, "nohup", "coreutils")
	c := r.terminal(nil, "sh", "-c", "trap 'exit 7' HUP; trap 'exit 8' USR1; echo ready; while :; do sleep 0.1; done")
	c.Args = append([]string{"nohup", c.Path}, c.Args[1:]...)
	c.Path = needs(t, "nohup", "coreutils")
	said := newLineLog()
	c.Stdout = said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if said.find(regexp.MustCompile("ready")) == "" {
		t.Fatal("the command did not come up")
	}
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	c.Wait()
	if got := c.ProcessState.ExitCode(); got != 8 {
		t.Errorf("exit status %d, want 8", got)
	}
}

// TestSilentServer: a user whose notes the server does not take gets away.
func TestSilentServer(t *testing.T) {
	r := newRig(t)
	c := r.terminal(nil, "sh", "-c", "echo ready; exec sleep 1000000")
	said := newLineLog()
	var stderr bytes.Buffer
	c.Stdout, c.Stderr = said, &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if said.find(regexp.MustCompile("ready")) == "" {
		t.Fatal("the command did not come up")
	}
	stopped := r.daemon.Process
	if err := stopped.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopped.Signal(syscall.SIGCONT) })
	exited := make(chan struct{})
	go func() { c.Wait(); close(exited) }()
	tick, minute := time.Tick(10*time.Millisecond), time.After(time.Minute)
	for ended := false; !ended; {
		c.Process.Signal(syscall.SIGINT)
		select {
		case <-exited:
			ended = true
		case <-tick:
		case <-minute:
			c.Process.Kill()
			t.Fatal("cpu does not end")
		}
	}
	if got := c.ProcessState.ExitCode(); got != 255 || stderr.String() != "cpu: the server does not answer\n" {
		t.Errorf("exit status %d, said %q", got, &stderr)
	}
}

// TestStdio: cpud on its standard input, behind whatever brings the connection.
func TestStdio(t *testing.T) {
	r := newRig(t)
	c := r.terminal([]string{"-o", "ProxyCommand=" + programs + "/cpud -i -hk " + r.keys + "/hostkey -ak " + r.keys + "/authorized 2>/dev/null"}, "sh", "-c", "cat; exit 3")
	c.Stdin = strings.NewReader("through pipes")
	if out, stderr, status := run(t, c); out != "through pipes" || stderr != "" || status != 3 {
		t.Errorf("got %q, %q, %d", out, stderr, status)
	}
}
