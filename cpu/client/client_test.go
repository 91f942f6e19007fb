package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cpu/cpu/client"
	"cpu/ctlfs"
	"cpu/ctlfs/ctlfstest"
	"cpu/exportfs"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// long bounds what should take no time at all.
const long = time.Minute

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), long)
	t.Cleanup(cancel)
	return ctx
}

// A server is the far side of a connection: a control tree whose commands are functions, and what has been posted.
type server struct {
	host  *ctlfstest.Host
	stats ninep.Stats
	wg    sync.WaitGroup
	ready chan struct{} // a value for each Open that blocks

	mu     sync.Mutex
	conns  []net.Conn
	posted map[string]*ninep.Client // by `N NAME`
	opened []string                 // subsystems
}

// newServer gives the server and a connection to it, both of which end with the test, and with nothing left.
func newServer(t testing.TB, programs map[string]ctlfstest.Program) (*server, *client.Conn) {
	s := &server{host: &ctlfstest.Host{Programs: programs}, posted: map[string]*ninep.Client{}, ready: make(chan struct{}, 1)}
	before := runtime.NumGoroutine()
	c := client.New("far", s, nil)
	t.Cleanup(func() {
		c.Close()
		s.host.Close()
		s.wg.Wait()
		if p, f := s.stats.Pending.Load(), s.stats.Fids.Load(); p != 0 || f != 0 {
			t.Errorf("%d requests and %d fids are left", p, f)
		}
		until(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
	})
	return s, c
}

// until waits for what another goroutine is about to do.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(long); !done(); runtime.Gosched() {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("waited in vain: %s\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// Open is that of a client.Opener. The subsystem `hang` hangs, and others than the server's are refused.
func (s *server) Open(ctx context.Context, subsystem string) (io.ReadWriteCloser, error) {
	near, far := net.Pipe()
	s.mu.Lock()
	s.conns = append(s.conns, near, far)
	s.opened = append(s.opened, subsystem)
	s.mu.Unlock()
	name, rest, _ := strings.Cut(subsystem, " ")
	switch {
	case name == "ctlfs":
		s.wg.Go(func() {
			tree := ctlfs.New(s.host, ctlfs.User{Name: "glenda", UID: 1000})
			(&ninep.Server{Attacher: tree, Stats: &s.stats}).Serve(context.Background(), far)
		})
	case name == "srv" && strings.HasSuffix(rest, " hang"):
		s.ready <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	case name == "srv" && !strings.HasSuffix(rest, " refused"):
		s.wg.Go(func() {
			c, err := ninep.NewClient(context.Background(), far, ninep.ClientConfig{})
			if err != nil {
				return
			}
			s.mu.Lock()
			s.posted[rest] = c
			s.mu.Unlock()
		})
	default:
		return nil, errors.New("refused")
	}
	return near, nil
}

// Close breaks all streams.
func (s *server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	return nil
}

// sessions are how many there are.
func (s *server) sessions() int { return len(s.host.Sessions(ctlfs.User{Root: true})) }

// cat is cat(1).
func cat(_ context.Context, p *ctlfstest.Process) string {
	if _, err := io.Copy(p.Stdout, p.Stdin); err != nil {
		return "signal 13"
	}
	return ""
}

// sleep sleeps until a note comes, or for ever.
func sleep(ctx context.Context, p *ctlfstest.Process) string {
	select {
	case n := <-p.Notes:
		if n == "hangup" {
			return "signal 1"
		}
		return "signal 2"
	case <-ctx.Done():
		return "signal 9"
	}
}

func exit(status string) ctlfstest.Program {
	return func(context.Context, *ctlfstest.Process) string { return status }
}

// TestRun: the command gets what the Cmd says, and its output and status come back.
func TestRun(t *testing.T) {
	s, c := newServer(t, map[string]ctlfstest.Program{
		"both": func(_ context.Context, p *ctlfstest.Process) string {
			fmt.Fprintf(p.Stdout, "%q", p.Args)
			fmt.Fprintf(p.Stderr, "%q", p.Env)
			return "exit 3"
		},
		"true": exit(""),
		"slow": exit("signal 15"),
		"sh":   exit("exit 7"),
	})
	var out, errs bytes.Buffer
	cmd := c.Command("both", "a b", "", "it's")
	cmd.Env = []string{"A=1", "B=two words\n"}
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run(soon(t))
	var status *client.ExitError
	if !errors.As(err, &status) || status.Code != 3 || status.Exit != "exit 3" || err.Error() != "exit 3" {
		t.Errorf("Run gives %v", err)
	}
	if got, want := out.String(), fmt.Sprintf("%q", cmd.Args); got != want {
		t.Errorf("stdout is %s, want %s", got, want)
	}
	if got, want := errs.String(), fmt.Sprintf("%q", cmd.Env); got != want {
		t.Errorf("stderr is %s, want %s", got, want)
	}
	if err := c.Command("true").Run(soon(t)); err != nil {
		t.Errorf("true gives %v", err)
	}
	if err := c.Command("slow").Run(soon(t)); !errors.As(err, &status) || status.Code != 128+15 {
		t.Errorf("a signal gives %v", err)
	}
	if err := c.Command().Run(soon(t)); !errors.As(err, &status) || status.Code != 7 {
		t.Errorf("the shell gives %v", err)
	}
	var start *client.StartError
	err = c.Command("nope").Run(soon(t))
	if !errors.As(err, &start) || start.Status.Code != 127 || err.Error() != "nope: no such command" || !errors.Is(err, linux.ENOENT) {
		t.Errorf("what is not there gives %v", err)
	}
	if n := s.sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	if !slices.Equal(s.opened, []string{"ctlfs"}) {
		t.Errorf("opened %q", s.opened)
	}
	if err := c.Command("true").Wait(); err == nil {
		t.Error("Wait before Start succeeds")
	}
}

// TestSetup: directory, namespace and variables arrive, and a posted tree can be used while the command runs.
func TestSetup(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", []byte("from here"), 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := exportfs.New(exportfs.Options{Root: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	s, c := newServer(t, map[string]ctlfstest.Program{"sleep": sleep})
	cmd := c.Command("sleep")
	cmd.Dir, cmd.Namespace = "/tmp", "mount /srv/term /mnt/term\n"
	cmd.Vars = map[string]string{"home": "/usr/glenda", "dir": "a\nb"}
	cmd.Services = map[string]p9.Attacher{"term": files}
	if err := cmd.Start(soon(t)); err != nil {
		t.Fatal(err)
	}
	far, err := s.host.Session(ctlfs.User{Root: true}, cmd.Session())
	if err != nil {
		t.Fatal(err)
	}
	if ns, err := cmd.Built(soon(t)); ns != cmd.Namespace || far.Dir() != "/tmp" || err != nil {
		t.Errorf("namespace %q, directory %q, %v", ns, far.Dir(), err)
	}
	if v := far.(*ctlfstest.Session).Vars(); !slices.Equal(v, []string{"dir=a\nb", "home=/usr/glenda"}) {
		t.Errorf("variables %q", v)
	}
	var posted *ninep.Client
	until(t, "the tree is posted", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		posted = s.posted["1 term"]
		return posted != nil
	})
	top, err := posted.Attach(soon(t), ninep.Attach{UID: p9.NoUID})
	if err != nil {
		t.Fatal(err)
	}
	_, f, err := top.Walk([]string{"file"})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Open(p9.ReadOnly); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 100)
	if n, err := f.ReadAt(p, 0); string(p[:n]) != "from here" {
		t.Errorf("the file has %q, %v", p[:n], err)
	}
	if err := cmd.Note(soon(t), "interrupt"); err != nil {
		t.Error(err)
	}
	var status *client.ExitError
	if err := cmd.Wait(); !errors.As(err, &status) || status.Code != 128+2 {
		t.Errorf("Wait gives %v", err)
	}
	<-posted.Done() // the tree is not served any longer
	posted.Close()
}

// TestRefused: a service that the server does not take is an error with its name, and the session goes.
func TestRefused(t *testing.T) {
	s, c := newServer(t, map[string]ctlfstest.Program{"true": exit("")})
	cmd := c.Command("true")
	cmd.Services = map[string]p9.Attacher{"refused": nil}
	if err := cmd.Run(soon(t)); err == nil || err.Error() != "far: /srv/refused: refused" {
		t.Errorf("Run gives %v", err)
	}
	if n := s.sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// TestStreams: megabytes through cat, to a reader that takes its time, come back as they were, and all before Wait returns.
func TestStreams(t *testing.T) {
	_, c := newServer(t, map[string]ctlfstest.Program{"cat": cat})
	data := make([]byte, 8<<20)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	cmd := c.Command("cat")
	cmd.Stdin = bytes.NewReader(data)
	slow := &slowWriter{}
	cmd.Stdout = slow
	if err := cmd.Run(soon(t)); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(slow.b, data) {
		t.Errorf("%d bytes come back, or others than the %d that went", len(slow.b), len(data))
	}
}

// A slowWriter lets everyone else run before it takes anything.
type slowWriter struct{ b []byte }

func (w *slowWriter) Write(p []byte) (int, error) {
	for range 100 {
		runtime.Gosched()
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

// TestBlockedStdin: a command that ends is not kept by an input that does not.
func TestBlockedStdin(t *testing.T) {
	_, c := newServer(t, map[string]ctlfstest.Program{"true": exit("")})
	r, w := io.Pipe()
	defer w.Close()
	cmd := c.Command("true")
	cmd.Stdin = r
	if err := cmd.Run(soon(t)); err != nil {
		t.Error(err)
	}
	// And one that reads no more while there is ever more.
	full := make(chan struct{})
	_, c = newServer(t, map[string]ctlfstest.Program{"true": func(context.Context, *ctlfstest.Process) string { <-full; return "" }})
	cmd = c.Command("true")
	cmd.Stdin = &endless{full: full, left: 32}
	if err := cmd.Run(soon(t)); err != nil {
		t.Error(err)
	}
}

// endless reads as zeroes, and closes full when much has been read.
type endless struct {
	full chan struct{}
	left int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left--; e.left == 16 {
		close(e.full)
	}
	clear(p)
	return len(p), nil
}

// TestReaderGone: when the reader of the output has gone, the command gets a hangup and the rest of its output nobody.
func TestReaderGone(t *testing.T) {
	_, c := newServer(t, map[string]ctlfstest.Program{"yes": func(_ context.Context, p *ctlfstest.Process) string {
		for {
			if _, err := p.Stdout.Write([]byte("y\n")); err != nil {
				return "signal 13"
			}
			select {
			case <-p.Notes:
				return "signal 1"
			default:
			}
		}
	}})
	cmd := c.Command("yes")
	cmd.Stdout = &brokenPipe{left: 100}
	var status *client.ExitError
	if err := cmd.Run(soon(t)); !errors.As(err, &status) || status.Exit != "signal 1" {
		t.Errorf("Run gives %v", err)
	}
	// One that succeeds all the same has not succeeded for who wanted its output.
	_, c = newServer(t, map[string]ctlfstest.Program{"cat": cat})
	cmd = c.Command("cat")
	cmd.Stdin = strings.NewReader("hello")
	cmd.Stdout = &brokenPipe{}
	if err := cmd.Run(soon(t)); !errors.Is(err, linux.EPIPE) || !strings.HasPrefix(err.Error(), "far: ") {
		t.Errorf("Run gives %v", err)
	}
}

type brokenPipe struct{ left int }

func (w *brokenPipe) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, linux.EPIPE
	}
	return len(p), nil
}

// TestTTY: with a terminal there is one stream both ways, and a size.
func TestTTY(t *testing.T) {
	s, c := newServer(t, map[string]ctlfstest.Program{"echo": func(_ context.Context, p *ctlfstest.Process) string {
		b := make([]byte, 5)
		if _, err := io.ReadFull(p.Stdin, b); err != nil {
			return "exit 1"
		}
		p.Stdout.Write(b)
		<-p.Notes
		return ""
	}})
	cmd := c.Command("echo")
	cmd.TTY = &client.TTY{Term: "vt100", Rows: 24, Cols: 80}
	cmd.Stdin = strings.NewReader("typed")
	out := &slowWriter{}
	cmd.Stdout = out
	if err := cmd.Start(soon(t)); err != nil {
		t.Fatal(err)
	}
	far, _ := s.host.Session(ctlfs.User{Root: true}, cmd.Session())
	if got := far.(*ctlfstest.Session).Terminal(); !slices.Equal(got, []string{"vt100", "24", "80"}) {
		t.Errorf("the terminal is %q", got)
	}
	if err := cmd.Winsize(soon(t), 50, 132); err != nil {
		t.Error(err)
	}
	if got := far.(*ctlfstest.Session).Terminal(); !slices.Equal(got, []string{"vt100", "50", "132"}) {
		t.Errorf("the terminal is %q", got)
	}
	if err := cmd.Note(soon(t), "usr1"); err != nil {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil || string(out.b) != "typed" {
		t.Errorf("it shows %q, %v", out.b, err)
	}
}

// TestCancel: the session ends with the context, at each stage.
func TestCancel(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		_, c := newServer(t, nil)
		ctx, cancel := context.WithCancel(soon(t))
		cancel()
		if err := c.Command("x").Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Run gives %v", err)
		}
	})
	t.Run("while it starts", func(t *testing.T) {
		s, c := newServer(t, nil)
		ctx, cancel := context.WithCancel(soon(t))
		cmd := c.Command("x")
		cmd.Services = map[string]p9.Attacher{"hang": nil}
		go func() { <-s.ready; cancel() }()
		if err := cmd.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Run gives %v", err)
		}
		until(t, "the session is gone", func() bool { return s.sessions() == 0 })
	})
	t.Run("while it runs", func(t *testing.T) {
		s, c := newServer(t, map[string]ctlfstest.Program{"sleep": sleep})
		ctx, cancel := context.WithCancel(soon(t))
		cmd := c.Command("sleep")
		r, w := io.Pipe()
		defer w.Close()
		cmd.Stdin = r
		if err := cmd.Start(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := cmd.Wait(); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait gives %v", err)
		}
		until(t, "the session is gone", func() bool { return s.sessions() == 0 })
		// The connection is as good as before.
		var start *client.StartError
		if err := c.Command("nope").Run(soon(t)); !errors.As(err, &start) {
			t.Errorf("the next command gives %v", err)
		}
	})
}

// TestLost: when the connection dies every command says so, with the host's name.
func TestLost(t *testing.T) {
	s, c := newServer(t, map[string]ctlfstest.Program{"sleep": sleep})
	var running []*client.Cmd
	for range 3 {
		cmd := c.Command("sleep")
		cmd.Stdout = io.Discard
		if err := cmd.Start(soon(t)); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	s.Close()
	for _, cmd := range running {
		if err := cmd.Wait(); err == nil || err.Error() != "far: connection lost" {
			t.Errorf("Wait gives %v", err)
		}
	}
	if err := c.Command("sleep").Run(soon(t)); err == nil || err.Error() != "far: connection lost" {
		t.Errorf("a command after that gives %v", err)
	}
}

// TestMany: commands run side by side over one connection.
func TestMany(t *testing.T) {
	s, c := newServer(t, map[string]ctlfstest.Program{"cat": cat})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			want := strings.Repeat(fmt.Sprint(i), 1000)
			cmd := c.Command("cat")
			cmd.Stdin = strings.NewReader(want)
			var out bytes.Buffer
			cmd.Stdout = &out
			if err := cmd.Run(soon(t)); err != nil || out.String() != want {
				t.Errorf("command %d: %v, %d bytes", i, err, out.Len())
			}
		})
	}
	wg.Wait()
	if n := s.sessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	if !slices.Equal(s.opened, []string{"ctlfs"}) {
		t.Errorf("opened %q", s.opened)
	}
}
