package ctlfs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"cpu/ctlfs"
	"cpu/ctlfs/ctlfstest"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// The users of the tests.
var (
	glenda = ctlfs.User{Name: "glenda", UID: 1000, GID: 100}
	rob    = ctlfs.User{Name: "rob", UID: 1001, GID: 100}
	root   = ctlfs.User{Name: "root", Root: true}
)

// long bounds what should take no time at all.
const long = time.Minute

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), long)
	t.Cleanup(cancel)
	return ctx
}

// newHost makes a host with a few programs.
func newHost(t testing.TB) *ctlfstest.Host {
	h := &ctlfstest.Host{Programs: map[string]ctlfstest.Program{
		"true": func(context.Context, *ctlfstest.Process) string { return "" },
		"exit": func(_ context.Context, p *ctlfstest.Process) string { return "exit " + p.Args[1] },
		"echo": func(_ context.Context, p *ctlfstest.Process) string {
			io.WriteString(p.Stdout, strings.Join(p.Args[1:], " ")+"\n")
			return ""
		},
		"env": func(_ context.Context, p *ctlfstest.Process) string {
			io.WriteString(p.Stdout, strings.Join(p.Env, "\n"))
			return ""
		},
		"cat": func(_ context.Context, p *ctlfstest.Process) string {
			if _, err := io.Copy(p.Stdout, p.Stdin); err != nil {
				return "signal 9"
			}
			return ""
		},
		// notes writes the notes it gets, until a hangup.
		"notes": func(ctx context.Context, p *ctlfstest.Process) string {
			for {
				select {
				case n := <-p.Notes:
					io.WriteString(p.Stdout, n+"\n")
					if n == "hangup" {
						return "signal 1"
					}
				case <-ctx.Done():
					return "signal 9"
				}
			}
		},
		"sh": func(_ context.Context, p *ctlfstest.Process) string {
			io.WriteString(p.Stdout, "out")
			io.WriteString(p.Stderr, "err")
			return "exit 2"
		},
	}}
	t.Cleanup(h.Close)
	return h
}

// serve serves h's tree as u sees it, and returns the end of a connection to it. When the test ends, the server must end with nothing left.
func serve(t testing.TB, h ctlfs.Host, u ctlfs.User) (net.Conn, *ninep.Stats) {
	near, far := net.Pipe()
	stats := new(ninep.Stats)
	var served sync.WaitGroup
	served.Go(func() {
		(&ninep.Server{Attacher: ctlfs.New(h, u), Stats: stats}).Serve(context.Background(), far)
	})
	t.Cleanup(func() {
		near.Close()
		served.Wait()
		if p, f := stats.Pending.Load(), stats.Fids.Load(); p != 0 || f != 0 {
			t.Errorf("%d requests and %d fids are left", p, f)
		}
	})
	return near, stats
}

// attach returns the root of h's tree over 9P in a dialect.
func attach(t testing.TB, h ctlfs.Host, u ctlfs.User, version string) (*ninep.File, *ninep.Stats) {
	t.Helper()
	conn, stats := serve(t, h, u)
	c, err := ninep.NewClient(soon(t), conn, ninep.ClientConfig{Versions: []string{version}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	f, err := c.Attach(soon(t), ninep.Attach{UID: p9.NoUID})
	if err != nil {
		t.Fatal(err)
	}
	return f, stats
}

// dialects runs a test in each dialect that our client speaks.
func dialects(t *testing.T, test func(t *testing.T, version string)) {
	for _, v := range []string{ninep.Version9P2000L, ninep.VersionCPU} {
		t.Run(v, func(t *testing.T) { test(t, v) })
	}
}

const (
	trunc = p9.OpenFlags(0o1000)
	add   = p9.OpenFlags(0o2000)
)

// open opens a path below dir, for the length of the test.
func open(t testing.TB, dir p9.File, path string, mode p9.OpenFlags) p9.File {
	t.Helper()
	f, err := tryOpen(dir, path, mode)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func tryOpen(dir p9.File, path string, mode p9.OpenFlags) (p9.File, error) {
	_, f, err := dir.Walk(strings.Split(path, "/"))
	if err != nil {
		return nil, err
	}
	if _, _, err := f.Open(mode); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// read reads a path to its end.
func read(t testing.TB, dir p9.File, path string) string {
	t.Helper()
	f, err := tryOpen(dir, path, p9.ReadOnly)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer f.Close()
	var b bytes.Buffer
	p := make([]byte, 1000)
	for {
		n, err := f.ReadAt(p, int64(b.Len()))
		b.Write(p[:n])
		if errors.Is(err, io.EOF) || err == nil && n == 0 {
			return b.String()
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

// write does what `printf %s text > path` does.
func write(dir p9.File, path, text string) error {
	return writeMode(dir, path, text, p9.WriteOnly|trunc)
}

func writeMode(dir p9.File, path, text string, mode p9.OpenFlags) error {
	f, err := tryOpen(dir, path, mode)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte(text), 0)
	return err
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantErrno checks the number that an error carries.
func wantErrno(t testing.TB, err error, want linux.Errno, what string) {
	t.Helper()
	if got := ninep.Errno(err); got != want {
		t.Errorf("%s: %v (%d), want %v", what, err, got, want)
	}
}

// clone makes a session and keeps its ctl open until the test ends, or close is called.
func clone(t testing.TB, dir p9.File) (number string, ctl p9.File) {
	t.Helper()
	ctl = open(t, dir, "clone", p9.ReadWrite)
	p := make([]byte, 100)
	n, err := ctl.ReadAt(p, 0)
	if err != nil || n == 0 || p[n-1] != '\n' {
		t.Fatalf("clone gives %q, %v", p[:n], err)
	}
	return string(p[:n-1]), ctl
}

// until waits for what another goroutine is about to do.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for ctx := soon(t); !done(); runtime.Gosched() {
		if ctx.Err() != nil {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
