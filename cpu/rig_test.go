//go:build linux

package main_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// programs is where TestMain built cpu and cpud.
var programs string

func TestMain(m *testing.M) {
	// What was ignored when the tests began, as in the background of a script, would be ignored by cpu as well.
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1} {
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig)
		}
	}
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	if programs = os.Getenv(guestPrograms); programs != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "cpu-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir+"/", "cpu/cpu", "cpu/cpud")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	programs = dir
	return m.Run()
}

// A rig is a cpu server and what a terminal needs to reach it: a key, a list of known hosts, a directory to work in.
type rig struct {
	t      testing.TB
	dir    string // the terminal's working directory
	keys   string // key, key.pub, known_hosts, and the server's hostkey and authorized
	addr   string // host:port of the cpu server
	daemon *exec.Cmd
	log    *lineLog
	shares bool     // connections are shared
	flags  []string // of every cpu, besides those that a test gives

	beforeReady func() // called once the daemon's process exists; nil: nothing to do
}

// newKeys makes what both sides need to know each other; host names the server in known_hosts.
func newKeys(t testing.TB, dir string, hosts ...string) {
	t.Helper()
	public := writeKey(t, filepath.Join(dir, "key"))
	hostPublic := writeKey(t, filepath.Join(dir, "hostkey"))
	write(t, filepath.Join(dir, "authorized"), ssh.MarshalAuthorizedKey(public), 0o600)
	var known bytes.Buffer
	for _, h := range hosts {
		fmt.Fprintf(&known, "%s %s", h, ssh.MarshalAuthorizedKey(hostPublic))
	}
	write(t, filepath.Join(dir, "known_hosts"), known.Bytes(), 0o600)
}

func writeKey(t testing.TB, path string) ssh.PublicKey {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, pem.EncodeToMemory(block), 0o600)
	public, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path+".pub", ssh.MarshalAuthorizedKey(public), 0o644)
	return public
}

func write(t testing.TB, path string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
}

// newRig starts a cpud on a free port of the loopback. Its end, with nothing left behind, is the test's cleanup.
func newRig(t testing.TB, flags ...string) *rig {
	t.Helper()
	return newRigWith(t, nil, flags...)
}

// newRigWith is newRig for a cpud that is started in that way.
func newRigWith(t testing.TB, how *syscall.SysProcAttr, flags ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), keys: t.TempDir()}
	// The name is checked against the address as written: every port of the loopback counts as the same host here.
	newKeys(t, r.keys, "cputest")
	// Terminal and server share a disk, so the working directory is there on both: the terminal's is the one that is meant.
	write(t, r.keys+"/here", []byte("cd /mnt/term/$dir\n"), 0o644)
	r.flags = []string{"-n", "default", "-n", r.keys + "/here"}
	args := append([]string{"-a", "127.0.0.1:0", "-hk", r.keys + "/hostkey", "-ak", r.keys + "/authorized"}, flags...)
	daemon := exec.Command(programs+"/cpud", args...)
	daemon.SysProcAttr = how
	r.start(daemon)
	return r
}

// start runs cpud and waits until it says where it listens.
func (r *rig) start(daemon *exec.Cmd) {
	r.t.Helper()
	r.daemon = daemon
	r.log = newLineLog()
	daemon.Stderr = r.log
	if daemon.SysProcAttr == nil {
		daemon.SysProcAttr = &syscall.SysProcAttr{}
	}
	daemon.SysProcAttr.Pdeathsig = syscall.SIGKILL
	if err := daemon.Start(); err != nil {
		r.t.Fatal(err)
	}
	if r.beforeReady != nil {
		r.beforeReady()
	}
	exited := make(chan struct{})
	go func() { daemon.Wait(); r.log.close(); close(exited) }()
	r.t.Cleanup(func() {
		daemon.Process.Signal(syscall.SIGTERM)
		<-exited
		if r.t.Failed() {
			r.t.Logf("cpud said:\n%s", r.log.text())
		}
	})
	m := r.log.find(regexp.MustCompile(`listening on=\S+`))
	if m == "" {
		r.t.Fatalf("cpud ended before it listened:\n%s", r.log.text())
	}
	r.addr = strings.TrimPrefix(m, "listening on=")
}

// terminal is `cpu flags... host args...` as run at this rig's terminal; args begin with the command.
func (r *rig) terminal(flags []string, args ...string) *exec.Cmd {
	host, port, _ := strings.Cut(r.addr, ":")
	all := []string{"-F", "none", "-i", r.keys + "/key", "-o", "UserKnownHostsFile=" + r.keys + "/known_hosts",
		"-o", "GlobalKnownHostsFile=none", "-o", "HostKeyAlias=cputest", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-p", port}
	if !r.shares {
		all = append(all, "-o", "ControlMaster=no")
	}
	if !slices.Contains(flags, "-n") {
		all = append(all, r.flags...)
	}
	all = append(all, flags...)
	all = append(all, host)
	c := exec.Command(programs+"/cpu", append(all, args...)...)
	c.Dir = r.dir
	return c
}

// run runs a command to its end and gives what it wrote and its exit status.
func run(t testing.TB, c *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", c.Args, err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// must runs a command that has to succeed, and gives what it wrote to standard output.
func must(t testing.TB, c *exec.Cmd) string {
	t.Helper()
	stdout, stderr, status := run(t, c)
	if status != 0 {
		t.Fatalf("%v: exit status %d\n%s%s", c.Args, status, stdout, stderr)
	}
	return stdout
}

// lineLog gathers what a process says, and lets one wait for a line of it.
type lineLog struct {
	mu     sync.Mutex
	more   sync.Cond
	buf    bytes.Buffer
	closed bool
}

func newLineLog() *lineLog {
	l := &lineLog{}
	l.more.L = &l.mu
	return l
}

func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.more.Broadcast()
	return l.buf.Write(p)
}

func (l *lineLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.more.Broadcast()
}

// count waits until a text has been said n times, or the process has ended, and tells how often it was.
func (l *lineLog) count(text string, n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if said := strings.Count(l.buf.String(), text); said >= n || l.closed {
			return said
		}
		l.more.Wait()
	}
}

// ended waits for the end of the process.
func (l *lineLog) ended() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !l.closed {
		l.more.Wait()
	}
}

func (l *lineLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// find waits for a whole line that matches and gives the match, or "" if the process ended without one.
func (l *lineLog) find(re *regexp.Regexp) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		lines := bufio.NewReader(bytes.NewReader(l.buf.Bytes()))
		for {
			line, err := lines.ReadString('\n')
			if errors.Is(err, io.EOF) {
				break
			}
			if m := re.FindString(line); m != "" {
				return m
			}
		}
		if l.closed {
			return ""
		}
		l.more.Wait()
	}
}

// needs skips a test for want of a program, and names the Debian package that has it.
func needs(t testing.TB, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not installed: apt install %s", program, pkg)
	}
	return path
}
