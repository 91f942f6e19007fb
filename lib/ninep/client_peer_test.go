package ninep

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/hugelgupf/p9/fsimpl/localfs"
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// socketpair gives both ends of a connected Unix socket.
func socketpair(t testing.TB) (a, b *net.UnixConn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socketpair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = c.(*net.UnixConn)
		t.Cleanup(func() { c.Close() })
	}
	return ends[0], ends[1]
}

// dialClient makes a Client that the test's end closes.
func dialClient(t testing.TB, conn io.ReadWriteCloser, cfg ClientConfig) *Client {
	t.Helper()
	c, err := NewClient(context.Background(), conn, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func attachRoot(t testing.TB, c *Client, aname string) *File {
	t.Helper()
	root, err := c.Attach(context.Background(), Attach{Uname: "root", UID: p9.UID(os.Getuid()), Aname: aname})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// p9Server serves dir with p9's server and returns the client's end.
func p9Server(t testing.TB, dir string) io.ReadWriteCloser {
	near, far := socketpair(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p9.NewServer(localfs.Attacher(dir)).Handle(far, far)
		far.Close()
	}()
	t.Cleanup(func() {
		near.Close()
		<-done
	})
	return near
}

// ownServer serves dir with our server, and p9's localfs.
func ownServer(t testing.TB, dir string) io.ReadWriteCloser {
	return serveTree(t, &Server{Attacher: localfs.Attacher(dir)})
}

// relayServer serves on what a client of ownServer sees.
func relayServer(t testing.TB, dir string) io.ReadWriteCloser {
	c := dialClient(t, ownServer(t, dir), ClientConfig{Versions: []string{Version9P2000L}})
	return serveTree(t, &Server{Attacher: c.Attacher()})
}

// serveTree runs a server until the test ends, when nothing may be left in it, and returns the client's end.
func serveTree(t testing.TB, s *Server) io.ReadWriteCloser {
	near, far := socketpair(t)
	s.Stats = new(Stats)
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(context.Background(), far) })
	t.Cleanup(func() {
		near.Close()
		serving.Wait()
		if fids, pending := s.Stats.Fids.Load(), s.Stats.Pending.Load(); fids != 0 || pending != 0 {
			t.Errorf("%d fids and %d requests left", fids, pending)
		}
	})
	return near
}

// A peerServer is a 9P server of a directory, ours or another's.
type peerServer struct {
	name  string
	serve func(t testing.TB, dir string) io.ReadWriteCloser
	aname func(dir string) string
	full  bool // it has what p9's localfs lacks: statfs, locks between its fids
}

var peerServers = []peerServer{
	{"ninep", ownServer, func(string) string { return "" }, false},
	{"ninep behind ninep", relayServer, func(string) string { return "" }, false},
	{"p9", p9Server, func(string) string { return "" }, false},
	{"diod", diodServer, func(dir string) string { return dir }, true},
}

// diodServer serves dir with diod over a socket that it inherits.
func diodServer(t testing.TB, dir string) io.ReadWriteCloser {
	path, err := exec.LookPath("diod")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/diod") // not in every user's PATH
	}
	if err != nil {
		t.Skip("diod is not installed: Debian package diod")
	}
	near, far := socketpair(t)
	f, err := far.File()
	if err != nil {
		t.Fatal(err)
	}
	far.Close()
	cmd := exec.Command(path, "-f", "-n", "-N", "-r", "3", "-w", "3", "-L", "stderr", "-c", os.DevNull, "-e", dir)
	cmd.ExtraFiles = []*os.File{f}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	t.Cleanup(func() {
		near.Close()
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("diod: %s", stderr.String())
		}
	})
	return near
}

// TestClientOfPeers runs our client against servers that others wrote, and looks at what they did to the directory.
func TestClientOfPeers(t *testing.T) {
	for _, p := range peerServers {
		t.Run(p.name, func(t *testing.T) {
			dir := t.TempDir()
			c := dialClient(t, p.serve(t, dir), ClientConfig{})
			want := VersionCPU
			if !strings.HasPrefix(p.name, "ninep") {
				want = Version9P2000L
			}
			if c.Version() != want {
				t.Errorf("version %q", c.Version())
			}
			root := attachRoot(t, c, p.aname(dir))
			exerciseFiles(t, root, dir)
			switch p.name {
			case "ninep behind ninep": // the directories of p9's localfs can be read in one piece only
			case "diod":
				exerciseDirectory(t, root, makeEntries(t, dir), 1000)
			default:
				exerciseDirectory(t, root, makeEntries(t, dir), 100_000)
			}
			if p.full {
				fs, err := root.StatFS()
				if err != nil || fs.BlockSize == 0 || fs.Blocks == 0 {
					t.Errorf("statfs: %+v %v", fs, err)
				}
				exerciseLocks(t, root)
			}
			if err := root.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestServerOfP9 runs p9's client against our server.
func TestServerOfP9(t *testing.T) {
	dir := t.TempDir()
	c, err := p9.NewClient(ownServer(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	root, err := c.Attach("")
	if err != nil {
		t.Fatal(err)
	}
	exerciseFiles(t, root, dir)
	if err := root.Close(); err != nil {
		t.Error(err)
	}
}

// exerciseFiles makes, reads, changes and removes files by 9P, and looks at dir, which is the same directory.
func exerciseFiles(t *testing.T, root p9.File, dir string) {
	t.Helper()
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	gid := p9.GID(os.Getgid())
	uid := p9.UID(os.Getuid())
	_, d, err := root.Walk(nil) // p9's client turns it into the file; ours does not
	check("walk", err)
	f, qid, _, err := d.Create("file", p9.ReadWrite, 0o640, uid, gid)
	check("create", err)
	if f != d {
		check("close", d.Close())
	}
	data := make([]byte, 3<<20+17)
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	n, err := f.WriteAt(data, 0)
	check("write", err)
	if n != len(data) {
		t.Fatalf("wrote %d of %d bytes", n, len(data))
	}
	check("fsync", f.FSync())
	if got, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("file differs from what was written (%v)", err)
	}
	got := make([]byte, len(data)+1)
	for at := 0; ; {
		n, err := f.ReadAt(got[at:], int64(at))
		at += n
		if err == io.EOF {
			if !bytes.Equal(got[:at], data) {
				t.Fatal("read differs from what was written")
			}
			break
		}
		check("read", err)
	}
	check("close", f.Close())
	if _, ours := f.(*File); ours {
		if err := f.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
	}
	if _, err := f.ReadAt(got[:1], 0); !errors.Is(err, linux.EBADF) {
		t.Errorf("read after close: %v", err)
	}

	qids, f, valid, attr, err := root.WalkGetAttr([]string{"file"})
	check("walkgetattr", err)
	if len(qids) != 1 || qids[0].Path != qid.Path || !valid.Size || attr.Size != uint64(len(data)) || attr.Mode != p9.ModeRegular|0o640 {
		t.Errorf("walkgetattr: %v %v %v", qids, valid, attr)
	}
	check("setattr", f.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{Size: 5}))
	st, err := os.Stat(filepath.Join(dir, "file"))
	check("stat", err)
	if st.Size() != 5 {
		t.Errorf("after setattr: size %d", st.Size())
	}
	n = 0
	if r, ok := f.(ReadOpener); ok {
		_, _, n, _, err = r.OpenRead(p9.ReadOnly, got[:100])
		check("openread", err)
	} else {
		_, _, err = f.Open(p9.ReadOnly)
		check("open", err)
	}
	if n == 0 { // qids of version 0 are taken for streams
		n, err = f.ReadAt(got[:100], 0)
		check("read", err)
	}
	if !bytes.Equal(got[:n], data[:5]) {
		t.Errorf("openread: %d bytes", n)
	}
	check("close", f.Close())

	_, err = root.Mkdir("sub", 0o755, uid, gid)
	check("mkdir", err)
	_, sub, err := root.Walk([]string{"sub"})
	check("walk", err)
	_, err = root.Symlink("file", "link", uid, gid)
	check("symlink", err)
	_, link, err := root.Walk([]string{"link"})
	check("walk", err)
	if target, err := link.Readlink(); err != nil || target != "file" {
		t.Errorf("readlink: %q %v", target, err)
	}
	check("close", link.Close())
	_, f, err = root.Walk([]string{"file"})
	check("walk", err)
	check("link", sub.Link(f, "hard"))
	check("renameat", root.RenameAt("file", sub, "moved"))
	if _, err := os.Stat(filepath.Join(dir, "sub", "moved")); err != nil {
		t.Error(err)
	}
	check("close", f.Close())
	check("unlinkat", root.UnlinkAt("link", 0))
	for _, name := range []string{"moved", "hard"} {
		_, f, err := sub.Walk([]string{name})
		check("walk", err)
		check("remove", f.(Remover).Remove())
		if _, ours := f.(*File); ours {
			if err := f.Close(); err != nil {
				t.Errorf("close after remove: %v", err)
			}
		}
	}
	check("close", sub.Close())
	check("rmdir", root.UnlinkAt("sub", 0x200))
	if _, _, err := root.Walk([]string{"sub"}); !errors.Is(err, linux.ENOENT) {
		t.Errorf("walk to what was removed: %v", err)
	}
	if _, _, err := root.Walk([]string{"no", "such"}); !errors.Is(err, linux.ENOENT) {
		t.Errorf("walk to nothing: %v", err)
	}

	if _, ours := root.(*File); !ours {
		return
	}
	// Deeper than one Twalk goes.
	var names []string
	for range 2*MaxWalk + 3 {
		names = append(names, "d")
	}
	check("mkdir", os.MkdirAll(filepath.Join(dir, filepath.Join(names...)), 0o755))
	qids, deep, err := root.Walk(names)
	check("deep walk", err)
	if len(qids) != len(names) {
		t.Errorf("%d qids for %d names", len(qids), len(names))
	}
	check("close", deep.Close())
	if _, _, err := root.Walk(append(names, "no")); !errors.Is(err, linux.ENOENT) {
		t.Errorf("deep walk to nothing: %v", err)
	}
	check("rm", os.RemoveAll(filepath.Join(dir, "d")))
}

// TestClientDirectory lists a directory through our server, and through two of them.
func TestClientDirectory(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		tree := newMemTree()
		want := make(map[string]int64)
		for i := range maxNodes - 10 {
			name := "entry" + strconv.Itoa(i)
			want[name] = int64(i)
			tree.add(name, string(make([]byte, i)))
		}
		c, _ := clientOf(t, version, tree)
		exerciseDirectory(t, attachRoot(t, c, ""), want, 1000)
		outer := dialClient(t, serveTree(t, &Server{Attacher: c.Attacher()}), ClientConfig{})
		exerciseDirectory(t, attachRoot(t, outer, ""), want, 1000)
	})
}

// makeEntries makes files in dir, and says how long they are.
func makeEntries(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	made := make(map[string]int64)
	for i := range 300 {
		name := "entry" + strconv.Itoa(i)
		made[name] = int64(i)
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return made
}

// exerciseDirectory lists a directory, of which the sizes of files are known, in both ways, with count in each message.
func exerciseDirectory(t *testing.T, root p9.File, want map[string]int64, count uint32) {
	t.Helper()
	list := func(what string, read func(d p9.File, offset uint64) ([]DirentAttr, error)) {
		_, d, err := root.Walk(nil)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if _, _, err := d.Open(p9.ReadOnly); err != nil {
			t.Fatal(err)
		}
		got := make(map[string]bool)
		for offset := uint64(0); ; {
			list, err := read(d, offset)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if len(list) == 0 {
				break
			}
			for _, e := range list {
				offset = e.Offset
				if got[e.Name] {
					t.Errorf("%s: %s twice", what, e.Name)
				}
				got[e.Name] = true
				if size, ok := want[e.Name]; ok && e.Valid.Size && int64(e.Attr.Size) != size || what == "readdirattr" && !e.Valid.Size {
					t.Errorf("%s: size %d, %v", e.Name, e.Attr.Size, e.Valid)
				}
			}
		}
		for name := range want {
			if !got[name] {
				t.Errorf("%s: %s is missing", what, name)
			}
		}
	}
	list("readdir", func(d p9.File, offset uint64) (list []DirentAttr, err error) {
		dir, err := d.Readdir(offset, count)
		for _, e := range dir {
			list = append(list, DirentAttr{Dirent: e})
		}
		return list, err
	})
	list("readdirattr", func(d p9.File, offset uint64) ([]DirentAttr, error) {
		return d.(AttrReaddirer).ReaddirAttr(offset, 8*count)
	})
}

// exerciseLocks has two owners lock one file.
func exerciseLocks(t *testing.T, root p9.File) {
	t.Helper()
	f, _, _, err := root.Create("locked", p9.ReadWrite, 0o644, p9.UID(os.Getuid()), p9.GID(os.Getgid()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, g, err := root.Walk([]string{"locked"})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, _, err := g.Open(p9.ReadWrite); err != nil {
		t.Fatal(err)
	}
	if s, err := f.Lock(1, p9.WriteLock, 0, 0, 0, "a"); s != p9.LockStatusOK || err != nil {
		t.Fatalf("lock: %v %v", s, err)
	}
	if s, err := g.Lock(2, p9.WriteLock, 0, 0, 0, "b"); s != p9.LockStatusBlocked && !errors.Is(err, linux.EAGAIN) {
		t.Errorf("lock of what another holds: %v %v", s, err)
	}
	got, err := g.(LockGetter).GetLock(Lock{Type: p9.WriteLock, PID: 2, Client: "b"})
	if err != nil || got.Type != p9.WriteLock {
		t.Errorf("getlock: %+v %v", got, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if s, err := g.(ContextFile).WithContext(ctx).Lock(2, p9.WriteLock, p9.LockFlagsBlock, 0, 0, "b"); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled lock: %v %v", s, err)
		}
	})
	cancel()
	waiting.Wait()
	waiting.Go(func() {
		if s, err := g.Lock(2, p9.WriteLock, p9.LockFlagsBlock, 0, 0, "b"); s != p9.LockStatusOK || err != nil {
			t.Errorf("lock that waits: %v %v", s, err)
		}
	})
	if s, err := f.Lock(1, p9.Unlock, 0, 0, 0, "a"); s != p9.LockStatusOK || err != nil {
		t.Errorf("unlock: %v %v", s, err)
	}
	waiting.Wait()
}
