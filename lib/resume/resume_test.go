package resume_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"cpu/exportfs"
	"cpu/lib/ninep"
	"cpu/lib/resume"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// A line is a tree of this machine over a connection that the test cuts.
type line struct {
	t    *testing.T
	dir  string
	fs   *exportfs.FS
	mu   sync.Mutex
	up   chan struct{} // closed while connections can be made
	conn net.Conn      // the last
	over error         // there will be no more
}

func newLine(t *testing.T) *line {
	l := &line{t: t, dir: t.TempDir(), up: make(chan struct{})}
	fs, err := exportfs.New(exportfs.Options{Root: l.dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fs.Close() })
	l.fs = fs
	close(l.up)
	return l
}

// attach is what the tree is made with.
func (l *line) attach(ctx context.Context) (resume.Root, error) {
	l.mu.Lock()
	up := l.up
	l.mu.Unlock()
	select {
	case <-up:
	case <-ctx.Done():
		return resume.Root{}, ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over != nil {
		return resume.Root{}, l.over
	}
	near, far := net.Pipe()
	var serving sync.WaitGroup
	serving.Go(func() { (&ninep.Server{Attacher: l.fs}).Serve(context.Background(), far) })
	c, err := ninep.NewClient(ctx, near, ninep.ClientConfig{})
	if err != nil {
		return resume.Root{}, err
	}
	l.t.Cleanup(func() { c.Close(); serving.Wait() })
	root, err := c.Attach(ctx, ninep.Attach{UID: p9.NoUID})
	if err != nil {
		return resume.Root{}, err
	}
	l.conn = near
	return resume.Root{File: root, Dead: c.Done()}, nil
}

// cut ends the connection, and lets no other be made before mend.
func (l *line) cut() {
	l.mu.Lock()
	l.up = make(chan struct{})
	l.conn.Close()
	l.mu.Unlock()
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.up)
}

func (l *line) tree() p9.File {
	l.t.Helper()
	root, err := l.attach(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	t := resume.New(context.Background(), root, l.attach)
	f, err := t.Root(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return f
}

func (l *line) write(name, data string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(data), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

func walk(t *testing.T, f p9.File, names ...string) p9.File {
	t.Helper()
	_, to, err := f.Walk(names)
	if err != nil {
		t.Fatalf("walk %q: %v", names, err)
	}
	return to
}

func open(t *testing.T, f p9.File, mode p9.OpenFlags) p9.File {
	t.Helper()
	if _, _, err := f.Open(mode); err != nil {
		t.Fatal(err)
	}
	return f
}

func read(f p9.File) (string, error) {
	b := make([]byte, 100)
	n, err := f.ReadAt(b, 0)
	return string(b[:n]), err
}

func TestGoesOn(t *testing.T) {
	l := newLine(t)
	if err := os.Mkdir(l.dir+"/d", 0o755); err != nil {
		t.Fatal(err)
	}
	l.write("d/file", "text")
	l.write("replaced", "old")
	l.write("removed", "old")
	root := l.tree()
	unopened := walk(t, root, "d", "file")
	file := open(t, walk(t, root, "d", "file"), p9.ReadWrite)
	dir := open(t, walk(t, root, "d"), p9.ReadOnly)
	replaced, removed := open(t, walk(t, root, "replaced"), p9.ReadOnly), open(t, walk(t, root, "removed"), p9.ReadOnly)

	l.cut()
	l.write("new", "new")
	os.Rename(l.dir+"/new", l.dir+"/replaced")
	os.Remove(l.dir + "/removed")
	var waiting sync.WaitGroup
	for range 4 { // at once, and before the connection is back
		waiting.Go(func() {
			if got, err := read(file); got != "text" {
				t.Errorf("read %q, %v", got, err)
			}
		})
	}
	l.mend()
	waiting.Wait()
	if _, err := file.WriteAt([]byte("TE"), 0); err != nil {
		t.Errorf("write: %v", err)
	}
	if got, err := read(file); got != "TExt" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, _, a, err := unopened.GetAttr(p9.AttrMaskAll); err != nil || a.Size != 4 {
		t.Errorf("getattr: %+v, %v", a, err)
	}
	if list, err := dir.Readdir(0, 1000); err != nil || len(list) == 0 {
		t.Errorf("readdir: %v, %v", list, err)
	}
	for name, f := range map[string]p9.File{"replaced": replaced, "removed": removed} {
		if got, err := read(f); !errors.Is(err, linux.ESTALE) {
			t.Errorf("%s: read %q, %v, want ESTALE", name, got, err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
	}
	if got, err := read(open(t, walk(t, root, "replaced"), p9.ReadOnly)); got != "new" {
		t.Errorf("what stands there now: %q, %v", got, err)
	}
}

// TestFollowsRenames: what is open is found where it was moved to.
func TestFollowsRenames(t *testing.T) {
	l := newLine(t)
	if err := os.Mkdir(l.dir+"/d", 0o755); err != nil {
		t.Fatal(err)
	}
	l.write("d/file", "text")
	root := l.tree()
	file := open(t, walk(t, root, "d", "file"), p9.ReadOnly)
	made, _, _, err := root.Create("made", p9.ReadWrite, 0o644, p9.NoUID, p9.NoGID)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.RenameAt("d", root, "e"); err != nil {
		t.Fatal(err)
	}
	if err := root.RenameAt("made", walk(t, root, "e"), "moved"); err != nil {
		t.Fatal(err)
	}
	l.cut()
	l.mend()
	if got, err := read(file); got != "text" {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := made.WriteAt([]byte("x"), 0); err != nil {
		t.Errorf("write: %v", err)
	}
	if b, err := os.ReadFile(l.dir + "/e/moved"); string(b) != "x" {
		t.Errorf("the file has %q, %v", b, err)
	}
}

// TestGivesUp: whoever waits for the connection can be interrupted, and hears when there will be none.
func TestGivesUp(t *testing.T) {
	l := newLine(t)
	l.write("file", "text")
	root := l.tree()
	file := open(t, walk(t, root, "file"), p9.ReadOnly)
	l.cut()
	ctx, cancel := context.WithCancel(context.Background())
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() {
			if _, err := read(file.(ninep.ContextFile).WithContext(ctx)); !errors.Is(err, context.Canceled) {
				t.Errorf("interrupted: %v", err)
			}
		})
	}
	cancel()
	waiting.Wait()
	l.over = linux.EIO
	l.mend()
	if _, err := read(file); !errors.Is(err, linux.EIO) {
		t.Errorf("with no connection to come: %v", err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	if _, err := read(file); !errors.Is(err, linux.EBADF) {
		t.Errorf("closed: %v", err)
	}
}
