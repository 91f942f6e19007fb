package ninep

import (
	"context"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/hugelgupf/p9/p9"
)

// listen serves tree to whoever connects to the address it returns.
func listen(t *testing.T, tree *memTree) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Attacher: tree, Stats: new(Stats)}
	ctx, cancel := context.WithCancel(context.Background())
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { s.Serve(ctx, c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		conns.Wait()
		if n := s.Stats.Fids.Load(); n != 0 {
			t.Errorf("%d fids left", n)
		}
		if n := tree.files.Load(); n != 0 {
			t.Errorf("%d files not closed", n)
		}
	})
	return l.Addr().String()
}

// diod's tools read what we serve.
func TestDiod(t *testing.T) {
	for _, name := range []string{"diodls", "diodcat"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no %s: install the Debian package diod", name)
		}
	}
	tree := smallTree()
	big := strings.Repeat("0123456789abcdef", 200_000)
	tree.add("d/big", big)
	addr := listen(t, tree)
	out, err := exec.CommandContext(t.Context(), "diodls", "-s", addr, "-a", "/d").CombinedOutput()
	if got := strings.Fields(string(out)); err != nil || strings.Join(got, " ") != "e h big" {
		t.Errorf("diodls: %v: %s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), "diodls", "-l", "-s", addr, "-a", "/d").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "3200000") {
		t.Errorf("diodls -l: %v: %s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), "diodcat", "-s", addr, "-a", "/d", "big").CombinedOutput()
	if err != nil || string(out) != big {
		t.Errorf("diodcat: %v: %d bytes: %.100s", err, len(out), out)
	}
}

// p9's client does what it can do.
func TestP9Client(t *testing.T) {
	tree := smallTree()
	conn, err := net.Dial("tcp", listen(t, tree))
	if err != nil {
		t.Fatal(err)
	}
	c, err := p9.NewClient(conn)
	if err != nil {
		t.Fatal(err)
	}
	root, err := c.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	_, d, err := root.Walk([]string{"d"})
	if err != nil {
		t.Fatal(err)
	}
	_, dir, err := d.Walk(nil)
	if err != nil {
		t.Fatal(err)
	}
	file, _, _, err := d.Create("new", p9.ReadWrite, 0o600, p9.NoUID, p9.NoGID)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("y", 300_000)
	for n := 0; n < len(want); {
		m, err := file.WriteAt([]byte(want[n:]), int64(n))
		if err != nil {
			t.Fatal(err)
		}
		n += m
	}
	if got, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<20)); err != nil || string(got) != want {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := file.FSync(); err != nil {
		t.Error(err)
	}
	if err := dir.RenameAt("new", root, "moved"); err != nil {
		t.Error(err)
	}
	if _, _, err := dir.Open(p9.ReadOnly); err != nil {
		t.Fatal(err)
	}
	list, err := dir.Readdir(0, 8000)
	if err != nil || len(list) != 2 || list.Find("h") == nil {
		t.Errorf("%v, %v", list, err)
	}
	if err := root.UnlinkAt("moved", 0); err != nil {
		t.Error(err)
	}
	for _, f := range []p9.File{file, dir, root} {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	c.Close()
	conn.Close()
}

// A request that moves data allocates nothing on the server.
func TestAllocation(t *testing.T) {
	tree := &benchTree{memTree: newMemTree()}
	tree.add("f", string(make([]byte, 1<<20)))
	p := serve(t, &Server{Attacher: tree}, tree.memTree)
	p.version(Version9P2000L, 128<<10)
	p.attach(0)
	p.open(1, 2, "f")
	read, _ := frameOf(1, &tread{fid: 1, count: 64 << 10}, p.dialect)
	write, _ := frameOf(1, &twrite{fid: 1, data: make([]byte, 64<<10)}, p.dialect)
	reply := make([]byte, 128<<10)
	rpc := func(frame []byte, n int) {
		p.write(frame)
		if _, err := io.ReadFull(p.r, reply[:n]); err != nil {
			t.Fatal(err)
		}
	}
	const n = 2000
	var before, after runtime.MemStats
	for i := range 2 * n {
		if i == n { // all is warm
			runtime.ReadMemStats(&before)
		}
		rpc(read, 11+64<<10)
		rpc(write, 11)
	}
	runtime.ReadMemStats(&after)
	if got := float64(after.Mallocs-before.Mallocs) / n; got >= 2 { // the race detector makes pools forgetful
		t.Errorf("%.2f allocations for a read and a write", got)
	} else {
		t.Logf("%.2f allocations for a read and a write", got)
	}
}

// A tree reached over 9P, served on to another: a Tflush goes all the way.
func TestServedOn(t *testing.T) {
	tree := smallTree()
	near, err := net.Dial("tcp", listen(t, tree))
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewClient(context.Background(), near, ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, version := range []string{Version9P2000, Version9P2000L, VersionCPU} {
		p := serve(t, &Server{Attacher: c.Attacher()}, newMemTree())
		p.version(version, DefaultMsize)
		p.attach(0)
		p.open(1, 0, "block")
		blocked(p, tree, 10)
		p.send(11, &tflush{oldtag: 10})
		if tag, m := p.recv(); tag != 11 || m.typ() != msgRflush {
			t.Errorf("got %T with tag %d", m, tag)
		}
		p.open(2, 0, "f")
		if a := ok[*rread](p, &tread{fid: 2, count: 100}); string(a.data) != "hello, world" {
			t.Errorf("got %q", a.data)
		}
		ok[*rwalk](p, &twalk{fid: 0, newfid: 3, names: []string{"d", "e", "..", "h"}})
		if version == Version9P2000 {
			p.open(4, 0, "d")
			if a := ok[*rread](p, &tread{fid: 4, count: 8000}); len(a.data) == 0 {
				t.Error("an empty directory")
			}
			ok[*rcreate](p, &tcreate{fid: 0, name: "new", perm: 0o644, mode: 1})
			ok[*rwrite](p, &twrite{fid: 0, data: []byte("x")})
			ok[*rremove](p, &tremove{fid: 0})
		}
		p.hangup()
	}
}
