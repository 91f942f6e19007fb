package ninep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// clientOf serves a tree and returns a client of it that speaks one dialect. When the test ends nothing may be left on either side.
func clientOf(t testing.TB, version string, tree *memTree) (*Client, *Stats) {
	t.Helper()
	near, far := socketpair(t)
	server := &Server{Attacher: tree, Stats: new(Stats)}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(context.Background(), far) })
	mine := new(Stats)
	c := dialClient(t, near, ClientConfig{Versions: []string{version}, Stats: mine})
	t.Cleanup(func() {
		c.Close()
		serving.Wait()
		for _, s := range []*Stats{server.Stats, mine} {
			if fids, pending := s.Fids.Load(), s.Pending.Load(); fids != 0 || pending != 0 {
				t.Errorf("%d fids and %d requests left", fids, pending)
			}
		}
		if n := tree.files.Load(); n != 0 {
			t.Errorf("%d files not closed", n)
		}
	})
	return c, server.Stats
}

// reaches waits until a count that others change is what it is to be.
func reaches(t testing.TB, what string, count func() int64, want int64) {
	t.Helper()
	for start := time.Now(); count() != want; time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatalf("%s: %d, want %d", what, count(), want)
		}
	}
}

// each runs a test in all dialects of the client.
func each(t *testing.T, test func(t *testing.T, version string)) {
	for _, v := range []string{Version9P2000, Version9P2000L, VersionCPU} {
		t.Run(v, func(t *testing.T) { test(t, v) })
	}
}

func walkTo(t testing.TB, from p9.File, names ...string) *File {
	t.Helper()
	_, f, err := from.Walk(names)
	if err != nil {
		t.Fatalf("walk %v: %v", names, err)
	}
	return f.(*File)
}

func openAt(t testing.TB, from p9.File, mode p9.OpenFlags, names ...string) *File {
	t.Helper()
	f := walkTo(t, from, names...)
	if _, _, err := f.Open(mode); err != nil {
		t.Fatalf("open %v: %v", names, err)
	}
	return f
}

// TestClientFlush cancels a read that blocks: the caller has its answer, the server forgets the request, and the fid works on.
func TestClientFlush(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		tree := newMemTree()
		tree.add("block", "x")
		c, stats := clientOf(t, version, tree)
		root := attachRoot(t, c, "")
		f := openAt(t, root, p9.ReadOnly, "block")
		for range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			got := make(chan error)
			go func() {
				_, err := f.WithContext(ctx).ReadAt(make([]byte, 10), 0)
				got <- err
			}()
			<-tree.blocked
			cancel()
			if err := <-got; !errors.Is(err, context.Canceled) || Errno(err) != linux.EINTR {
				t.Errorf("cancelled read: %v", err)
			}
			reaches(t, "pending", stats.Pending.Load, 0)
		}
		if _, _, _, err := f.GetAttr(p9.AttrMaskAll); err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		root.Close()
		reaches(t, "fids", stats.Fids.Load, 0)
		reaches(t, "requests of the client", c.stats.Pending.Load, 0)
		reaches(t, "fids of the client", c.stats.Fids.Load, 0)
		if len(c.free) != len(c.calls) {
			t.Errorf("%d of %d tags are free", len(c.free), len(c.calls))
		}
	})
}

// TestClientFlushTravels cancels through a tree that is served on.
func TestClientFlushTravels(t *testing.T) {
	tree := newMemTree()
	tree.add("block", "x")
	c, stats := clientOf(t, VersionCPU, tree)
	near, far := socketpair(t)
	var serving sync.WaitGroup
	serving.Go(func() { (&Server{Attacher: c.Attacher()}).Serve(context.Background(), far) })
	outer := dialClient(t, near, ClientConfig{})
	f := openAt(t, attachRoot(t, outer, ""), p9.ReadOnly, "block")
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error)
	go func() {
		_, err := f.WithContext(ctx).ReadAt(make([]byte, 10), 0)
		got <- err
	}()
	<-tree.blocked
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled read: %v", err)
	}
	reaches(t, "pending", stats.Pending.Load, 0)
	outer.Close()
	serving.Wait()
	reaches(t, "fids", stats.Fids.Load, 0)
}

// TestClientDeath has many wait on a connection that goes.
func TestClientDeath(t *testing.T) {
	tree := newMemTree()
	tree.add("block", "x")
	near, far := socketpair(t)
	var serving, waiting sync.WaitGroup
	serving.Go(func() { (&Server{Attacher: tree}).Serve(context.Background(), far) })
	c := dialClient(t, near, ClientConfig{})
	root := attachRoot(t, c, "")
	f := openAt(t, root, p9.ReadOnly, "block")
	for range 100 {
		waiting.Go(func() {
			if n, err := f.ReadAt(make([]byte, 10), 0); n != 0 || !errors.Is(err, linux.EIO) {
				t.Errorf("read: %d %v", n, err)
			}
		})
	}
	for range 100 {
		<-tree.blocked
	}
	if c.Err() != nil {
		t.Errorf("before: %v", c.Err())
	}
	far.Close()
	waiting.Wait()
	<-c.Done()
	if c.Err() == nil {
		t.Error("no reason")
	}
	if _, _, err := root.Walk([]string{"block"}); !errors.Is(err, linux.EIO) {
		t.Errorf("walk: %v", err)
	}
	if _, err := root.Readdir(0, 100); !errors.Is(err, linux.EBADF) { // not open
		t.Errorf("readdir: %v", err)
	}
	if _, err := c.Attach(t.Context(), Attach{}); !errors.Is(err, linux.EIO) {
		t.Errorf("attach: %v", err)
	}
	if err := f.Close(); !errors.Is(err, linux.EIO) {
		t.Errorf("close: %v", err)
	}
	serving.Wait()
}

// TestClientLongData moves more than a message holds, and ends at the file's end.
func TestClientLongData(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		tree := newMemTree()
		tree.add("f", "not a stream")
		near, far := socketpair(t)
		var serving sync.WaitGroup
		serving.Go(func() { (&Server{Attacher: tree, Msize: 8192}).Serve(context.Background(), far) })
		defer serving.Wait()
		c := dialClient(t, near, ClientConfig{Versions: []string{version}})
		defer c.Close()
		if c.Msize() != 8192 {
			t.Errorf("msize %d", c.Msize())
		}
		f := openAt(t, attachRoot(t, c, ""), p9.ReadWrite, "f")
		data := make([]byte, 40*8192+77) // more than a window
		for i := range data {
			data[i] = byte(i * i >> 3)
		}
		if n, err := f.WriteAt(data, 0); n != len(data) || err != nil {
			t.Fatalf("write: %d %v", n, err)
		}
		for _, tt := range []struct {
			offset, len, n int
			err            error
		}{
			{0, len(data), len(data), nil},
			{0, len(data) + 100000, len(data), nil},
			{5, len(data) - 10, len(data) - 10, nil},
			{len(data) - 9000, 20000, 9000, nil},
			{len(data), 1, 0, io.EOF},
			{len(data), 100000, 0, io.EOF},
			{3, 0, 0, nil},
			{-1, 10, 0, linux.EINVAL},
		} {
			got := make([]byte, tt.len)
			n, err := f.ReadAt(got, int64(tt.offset))
			if n != tt.n || !errors.Is(err, tt.err) || n > 0 && !bytes.Equal(got[:n], data[tt.offset:tt.offset+n]) {
				t.Errorf("read of %d at %d: %d %v, want %d %v", tt.len, tt.offset, n, err, tt.n, tt.err)
			}
		}
		if _, err := f.WriteAt([]byte("x"), -1); !errors.Is(err, linux.EINVAL) {
			t.Errorf("write at -1: %v", err)
		}
	})
}

// exerciseXattrs sets, reads and removes extended attributes of f.
func exerciseXattrs(t *testing.T, f *File) {
	t.Helper()
	big := bytes.Repeat([]byte("0123456789"), 5000)
	for name, value := range map[string][]byte{"user.a": []byte("1"), "user.big": big} {
		if err := f.SetXattr(name, value, 0); err != nil {
			t.Fatal(err)
		}
		if got, err := f.GetXattr(name); err != nil || !bytes.Equal(got, value) {
			t.Errorf("getxattr %s: %d bytes, %v", name, len(got), err)
		}
	}
	if names, err := f.ListXattrs(); err != nil || len(names) != 2 {
		t.Errorf("listxattrs: %v %v", names, err)
	}
	if err := f.RemoveXattr("user.big"); err != nil {
		t.Error(err)
	}
	if names, err := f.ListXattrs(); err != nil || len(names) != 1 || names[0] != "user.a" {
		t.Errorf("listxattrs: %v %v", names, err)
	}
	if err := f.SetXattr("user.c", make([]byte, MaxXattr+1), 0); !errors.Is(err, linux.E2BIG) {
		t.Errorf("long xattr: %v", err)
	}
	if _, err := f.GetXattr("user.none"); err == nil {
		t.Error("no error for an attribute that is not there")
	}
}

// TestClientTree does what the peers of other hands cannot: extended attributes, Remove, names of any length, a wrong order of things.
func TestClientTree(t *testing.T) {
	each(t, func(t *testing.T, version string) {
		tree := newMemTree()
		tree.add("dir/f", "hello")
		c, stats := clientOf(t, version, tree)
		if c.Version() != version {
			t.Errorf("version %s", c.Version())
		}
		root := attachRoot(t, c, "")
		f := walkTo(t, root, "dir", "f")
		if version != Version9P2000 {
			exerciseXattrs(t, f)
		}
		if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, linux.EBADF) {
			t.Errorf("read before open: %v", err)
		}
		p := make([]byte, 100)
		if _, _, n, eof, err := f.OpenRead(p9.ReadOnly, p); err != nil || string(p[:n]) != "hello" || version == VersionCPU && !eof {
			t.Errorf("openread: %q %v %v", p[:n], eof, err)
		}
		if _, _, err := f.Open(p9.ReadOnly); !errors.Is(err, linux.EBUSY) {
			t.Errorf("second open: %v", err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}

		g, _, _, err := root.Create("new", p9.ReadWrite, 0o600, p9.NoUID, p9.NoGID)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := root.Walk([]string{"dir"}); err != nil {
			t.Errorf("the directory after create: %v", err)
		}
		if err := g.(*File).Remove(); err != nil {
			t.Error(err)
		}
		if err := g.(*File).Remove(); !errors.Is(err, linux.EBADF) {
			t.Errorf("second remove: %v", err)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		long := string(make([]byte, MaxName+1))
		for what, err := range map[string]error{
			"walk":    second(root.Walk([]string{long})),
			"mkdir":   first(root.Mkdir(long, 0o755, 0, 0)),
			"symlink": first(root.Symlink(string(make([]byte, MaxPath+1)), "l", 0, 0)),
			"rename":  root.RenameAt("dir", root, long),
			"unlink":  root.UnlinkAt(long, 0),
			"link":    root.Link(root, long),
			"mknod":   first(root.Mknod(long, 0, 0, 0, 0, 0)),
		} {
			if !errors.Is(err, linux.ENAMETOOLONG) {
				t.Errorf("%s with a long name: %v", what, err)
			}
		}
		if err := root.RenameAt("dir", p9.File(nil), "x"); !errors.Is(err, linux.EXDEV) {
			t.Errorf("rename to elsewhere: %v", err)
		}
		dir := openAt(t, root, p9.ReadOnly, "dir")
		list, err := dir.ReaddirAttr(0, 1<<20)
		if err != nil || len(list) != 1 || list[0].Name != "f" || list[0].Attr.Size != 5 {
			t.Errorf("readdirattr: %v %v", list, err)
		}
		dir.Close()
		c.Close()
		reaches(t, "fids", stats.Fids.Load, 0)
	})
}

func first[T any](_ T, err error) error          { return err }
func second[T, U any](_ T, _ U, err error) error { return err }

// TestClientManyRequests has more callers than there are requests under way.
func TestClientManyRequests(t *testing.T) {
	tree := newMemTree()
	tree.add("f", "x")
	c, _ := clientOf(t, VersionCPU, tree)
	root := attachRoot(t, c, "")
	var calling sync.WaitGroup
	for range 3 * MaxRequests {
		calling.Go(func() {
			_, f, _, _, err := root.WalkGetAttr([]string{"f"})
			if err != nil {
				t.Error(err)
				return
			}
			f.Close()
		})
	}
	calling.Wait()
}

// TestClientVersions negotiates with servers of all kinds.
func TestClientVersions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		offer   []string
		answers []message // to each Tversion
		want    string    // "" is an error
	}{
		{"cpu", nil, []message{&rversion{8192, VersionCPU}}, VersionCPU},
		{"downgraded", nil, []message{&rversion{8192, Version9P2000L}}, Version9P2000L},
		{"unknown", nil, []message{&rversion{8192, "unknown"}, &rversion{8192, Version9P2000L}}, Version9P2000L},
		{"refused", nil, []message{&rlerror{uint32(linux.EIO)}, &rversion{8192, Version9P2000L}}, Version9P2000L},
		{"what remains", nil, []message{&rversion{8192, Version9P2000}}, Version9P2000},
		{"plan9", nil, []message{&rversion{8192, "unknown"}, &rversion{8192, "unknown"}, &rversion{8192, Version9P2000}}, Version9P2000},
		{"plan9 that refuses", nil, []message{&rerror{"bad version"}, &rerror{"bad version"}, &rversion{8192, Version9P2000}}, Version9P2000},
		{"plan9 alone", []string{Version9P2000}, []message{&rversion{8192, Version9P2000}}, Version9P2000},
		{"plan9 not offered", []string{Version9P2000L}, []message{&rversion{8192, Version9P2000}}, ""},
		{"nothing", nil, []message{&rversion{8192, "unknown"}, &rversion{8192, "unknown"}, &rversion{8192, "unknown"}}, ""},
		{"not offered", []string{Version9P2000L}, []message{&rversion{8192, VersionCPU}}, ""},
		{"msize 0", nil, []message{&rversion{0, VersionCPU}}, ""},
		{"msize larger", nil, []message{&rversion{DefaultMsize + 1, VersionCPU}}, ""},
		{"no version", nil, []message{&rattach{}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			near, far := socketpair(t)
			var serving sync.WaitGroup
			serving.Go(func() {
				p := newPeer(t, far)
				for _, a := range tt.answers {
					if _, _, err := p.next(); err != nil {
						t.Error(err)
						return
					}
					p.send(noTag, a)
				}
			})
			c, err := NewClient(t.Context(), near, ClientConfig{Versions: tt.offer})
			serving.Wait()
			if err != nil {
				if tt.want != "" {
					t.Error(err)
				}
				if _, err := near.Write([]byte{0}); err == nil {
					t.Error("the connection is still open")
				}
				return
			}
			if c.Version() != tt.want || c.Msize() != 8192 {
				t.Errorf("%s, %d", c.Version(), c.Msize())
			}
			c.Close()
		})
	}
	t.Run("silence", func(t *testing.T) {
		near, _ := socketpair(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := NewClient(ctx, near, ClientConfig{}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("not spoken", func(t *testing.T) {
		near, _ := socketpair(t)
		if _, err := NewClient(t.Context(), near, ClientConfig{Versions: []string{"9P2000.u"}}); !errors.Is(err, linux.EPROTONOSUPPORT) {
			t.Error(err)
		}
	})
	t.Run("hung up", func(t *testing.T) {
		near, far := socketpair(t)
		far.CloseWrite()
		if _, err := NewClient(t.Context(), near, ClientConfig{}); fmt.Sprint(err) != "9P version: in answer to 9P2000.L.cpu: unexpected EOF" {
			t.Error(err)
		}
	})
}

func TestTraceMessage(t *testing.T) {
	for _, tt := range []struct {
		m    message
		want string
	}{
		{&twalk{fid: 1, newfid: 2, names: []string{"usr", "include"}}, "-> Twalk tag 3 fid 1 newfid 2 names usr include"},
		{&twalk{fid: 1, newfid: 2, names: []string{"a b", "", "\n"}}, `-> Twalk tag 3 fid 1 newfid 2 names "a b" "" "\n"`},
		{&rlerror{uint32(linux.ENOENT)}, "<- Rlerror tag 3 ENOENT"},
		{&rlerror{9999}, "<- Rlerror tag 3 errno 9999"},
		{&rerror{"file does not exist"}, `<- Rerror tag 3 "file does not exist"`},
		{&rread{data: make([]byte, 12)}, "<- Rread tag 3 count 12"},
		{&twrite{fid: 4, offset: 5, data: make([]byte, 6)}, "-> Twrite tag 3 fid 4 offset 5 count 6"},
		{&rwrite{count: 6}, "<- Rwrite tag 3 count 6"},
		{&tlopen{fid: 4, flags: 0o100001}, "-> Tlopen tag 3 fid 4 flags wronly|largefile"},
		{&rwalk{qids: []p9.QID{{Type: p9.TypeDir, Version: 1, Path: 255}, {}}}, "<- Rwalk tag 3 qids ff.1.d 0.0.-"},
		{&tattach{fid: 0, afid: noFid, uname: "glenda", nuname: noUID}, `-> Tattach tag 3 fid 0 afid nofid uname glenda aname "" nuname 4294967295`},
		{&tsetattr{fid: 1, valid: 8, attr: p9.SetAttr{Size: 7, Permissions: 0o644}}, "-> Tsetattr tag 3 fid 1 valid size attr permissions 0644 uid 0 gid 0 size 7 " +
			"atimeseconds 0 atimenanoseconds 0 mtimeseconds 0 mtimenanoseconds 0"},
		{&tgetattr{fid: 1, mask: 0x3fff}, "-> Tgetattr tag 3 fid 1 mask all"},
		{&tmkdir{dfid: 1, name: "d", mode: 0o755, gid: 9}, "-> Tmkdir tag 3 dfid 1 name d mode 0755 gid 9"},
		{&statReply{stat{name: "f", uid: "glenda", mode: 0o644, length: 5}}, "<- Rstat tag 3 stat typ 0 dev 0 qid 0.0.- mode 0644 atime 0 mtime 0 length 5 name f uid glenda gid \"\" muid \"\""},
		{&entries{list: make(p9.Dirents, 3)}, "<- Rreaddir tag 3 entries 3"},
		{&tgetlock{fid: 1, lock: Lock{Type: p9.WriteLock, Start: 1, Length: 2, PID: 3, Client: "c"}}, "-> Tgetlock tag 3 fid 1 lock type 1 start 1 length 2 pid 3 client c"},
	} {
		var b bytes.Buffer
		traceMessage(&b, 3, tt.m)
		if got := b.String(); got != tt.want+"\n" {
			t.Errorf("got  %swant %s", got, tt.want)
		}
	}
	// Every message there is can be traced.
	for typ := range messages {
		if messages[typ].new != nil {
			traceMessage(io.Discard, noTag, messages[typ].new())
		}
	}
	var b bytes.Buffer
	traceMessage(&b, noTag, &tversion{msize: 8192, version: VersionCPU})
	if want := fmt.Sprintf("-> Tversion notag msize 8192 version %s\n", VersionCPU); b.String() != want {
		t.Errorf("got %s", b.String())
	}
}
