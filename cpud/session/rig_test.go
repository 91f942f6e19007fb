//go:build linux

package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cpu/ctlfs"
	"cpu/exportfs"
	"cpu/lib/ninep"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	Main()
	os.Setenv("GORACE", "atexit_sleep_ms=0") // a helper does not outlive its session by a second
	if os.Getuid() == 0 && os.Getenv(ownMounts) == "" {
		os.Exit(withOwnMounts())
	}
	os.Exit(m.Run())
}

// ownMounts says in the environment that the mounts which this process sees are nobody else's.
const ownMounts = "CPU_TEST_OWN_MOUNTS"

// withOwnMounts runs the tests where no mount of another program on this machine comes and goes, for they count mounts.
func withOwnMounts() int {
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Env = append(os.Environ(), ownMounts+"=yes")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return c.ProcessState.ExitCode()
}

// long bounds what should take no time at all.
const long = time.Minute

// soon is for what should.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), long)
	t.Cleanup(cancel)
	return ctx
}

// ordinary is who a test is when it is not root.
const ordinary = 65534

// self is the user that the tests' sessions are for: who runs the test.
func self() ctlfs.User {
	return ctlfs.User{Name: "tester", UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Home: "/", Shell: "/bin/sh", Root: os.Getuid() == 0}
}

func nobody() ctlfs.User {
	return ctlfs.User{Name: "nobody", UID: ordinary, GID: ordinary, Groups: []uint32{ordinary}, Home: "/", Shell: "/bin/sh"}
}

// newTable makes a table whose end, with nothing left of it, is part of the test.
func newTable(t *testing.T, c Config) *Table {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	before := here(t)
	table := NewTable(c)
	t.Cleanup(func() {
		table.Close()
		before.check(t)
	})
	return table
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}

// remains is what a session could leave behind in this process, a line each.
type remains map[string]int

func here(t *testing.T) remains {
	t.Helper()
	r := remains{}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range fds {
		link, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.Contains(link, "[event") { // the runtime's own
			kind, _, _ := strings.Cut(link, ":[")
			r["fd "+kind]++
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for m := range strings.Lines(string(mounts)) {
		r["mount "+m]++
	}
	proc, err := unix.Open("/proc", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(proc)
	r["children"] = len(descendants(proc, os.Getpid()))
	r["goroutines"] = runtime.NumGoroutine()
	return r
}

// check waits until there is no more than before: a goroutine that has said its last word is still one for a moment.
func (before remains) check(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(long); ; runtime.Gosched() {
		var more []string
		for what, n := range here(t) {
			if n > before[what] {
				more = append(more, fmt.Sprintf("%s: %d, was %d", what, n, before[what]))
			}
		}
		if len(more) == 0 {
			return
		}
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Errorf("left behind: %q\n%s", more, stacks[:runtime.Stack(stacks, true)])
			return
		}
	}
}

// newSessionOf makes a session with a namespace file.
func newSessionOf(t *testing.T, table *Table, u ctlfs.User, ns string, args ...string) *Session {
	t.Helper()
	made, err := table.New(u)
	if err != nil {
		t.Fatal(err)
	}
	s := made.(*Session)
	s.Hold()
	t.Cleanup(s.Release)
	if err := s.SetArgs(args); err != nil {
		t.Fatal(err)
	}
	if err := s.SetNamespace(ns); err != nil {
		t.Fatal(err)
	}
	return s
}

// start starts the command, which must work.
func (s *Session) mustStart(t *testing.T) {
	t.Helper()
	if err := s.Ctl(soon(t), []string{"start"}); err != nil {
		t.Fatalf("start: %v", err)
	}
}

// output is all that the command writes, and how it ends.
func (s *Session) output(t *testing.T) (stdout, stderr string, st ctlfs.Status) {
	t.Helper()
	ctx := soon(t)
	var wg sync.WaitGroup
	read := func(to *string, from func(context.Context, []byte) (int, error)) {
		wg.Go(func() {
			b, err := io.ReadAll(readerFunc(func(p []byte) (int, error) { return from(ctx, p) }))
			if err != nil {
				t.Error(err)
			}
			*to = string(b)
		})
	}
	read(&stdout, s.ReadStdout)
	read(&stderr, s.ReadStderr)
	wg.Wait()
	st, err := s.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return stdout, stderr, st
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// run runs a command that has to succeed, without input, and gives its output.
func run(t *testing.T, table *Table, u ctlfs.User, ns string, args ...string) string {
	t.Helper()
	s := newSessionOf(t, table, u, ns, args...)
	s.mustStart(t)
	s.CloseStdin(false)
	stdout, stderr, st := s.output(t)
	if st.Code != 0 || stderr != "" {
		t.Errorf("%q: %+v, %q", args, st, stderr)
	}
	return stdout
}

// post serves a directory of this machine to the session as /srv/name, as a terminal would. The terminal goes
// away with the test, or with hangUp.
func post(t *testing.T, table *Table, s *Session, name, dir string) (hangUp func()) {
	t.Helper()
	fs, err := exportfs.New(exportfs.Options{Root: dir})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	p, err := table.Announce(s.owner, s.number, name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { (&ninep.Server{Attacher: fs}).Serve(ctx, far) })
	wg.Go(func() { p.Serve(ctx, near) })
	hangUp = func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(func() {
		hangUp()
		fs.Close()
	})
	return hangUp
}

// needsFUSE skips where services cannot be mounted.
func needsFUSE(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no FUSE for this user: %v", err)
	}
	f.Close()
}

// needsRoot skips where the test is about what root's daemon does.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root's daemon becomes another user: run this test as root")
	}
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tempDir is a directory that every user may go to.
func tempDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// asOrdinary runs tests of this package once more, as an ordinary user.
func asOrdinary(t *testing.T, tests ...string) {
	t.Helper()
	needsRoot(t)
	dir := tempDir(t)
	if err := os.Chown(dir, ordinary, ordinary); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/proc/self/exe", "-test.v", "-test.run=^("+strings.Join(tests, "|")+")$")
	c.Env = append(slices.Clone(os.Environ()), "TMPDIR="+dir)
	c.Dir = dir
	c.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary, Groups: []uint32{}},
		Pdeathsig:  syscall.SIGKILL,
	}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	for _, name := range tests {
		if strings.Contains(string(out), "--- SKIP: "+name+" ") {
			t.Skipf("%s is skipped for an ordinary user\n%s", name, out)
		}
		if !strings.Contains(string(out), fmt.Sprintf("--- PASS: %s ", name)) {
			t.Errorf("%s did not pass\n%s", name, out)
		}
	}
}

// buildStatic makes a program of this package's tests that needs no libraries, nor the address space that the race detector does.
func buildStatic(t *testing.T, to string) {
	t.Helper()
	c := exec.Command("go", "test", "-vet=off", "-c", "-o", to, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
}
