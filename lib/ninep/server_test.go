package ninep

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// smallTree is what most tests serve.
func smallTree() *memTree {
	t := newMemTree()
	t.add("f", "hello, world")
	t.add("d/e/g", "deep")
	t.add("d/h", "")
	t.add("block", "")
	t.add("empty", "/")
	return t
}

func TestReadWrite(t *testing.T) {
	p := session(t, Version9P2000L, smallTree())
	p.open(1, 2, "f")
	if a := ok[*rread](p, &tread{fid: 1, offset: 7, count: 100}); string(a.data) != "world" {
		t.Errorf("read %q", a.data)
	}
	if a := ok[*rread](p, &tread{fid: 1, offset: 100, count: 100}); len(a.data) != 0 {
		t.Errorf("read %q at the end", a.data)
	}
	if a := ok[*rwrite](p, &twrite{fid: 1, offset: 7, data: []byte("there!")}); a.count != 6 {
		t.Errorf("wrote %d", a.count)
	}
	big := bytes.Repeat([]byte("0123456789"), 100_000)
	if a := ok[*rwrite](p, &twrite{fid: 1, offset: 13, data: big}); a.count != uint32(len(big)) {
		t.Errorf("wrote %d", a.count)
	}
	if a := ok[*rread](p, &tread{fid: 1, count: 2_000_000}); !bytes.Equal(a.data, append([]byte("hello, there!"), big...)) {
		t.Errorf("read %d bytes", len(a.data))
	}
	p.open(2, 0, "f")
	p.fails(linux.EBADF, &twrite{fid: 2, data: []byte("x")})
	p.open(3, 1, "f")
	p.fails(linux.EBADF, &tread{fid: 3, count: 1})
	p.fails(linux.EBADF, &tread{fid: 99, count: 1})
	p.fails(linux.EINVAL, &tread{fid: 1, offset: 1 << 63, count: 1})
	p.fails(linux.EFBIG, &twrite{fid: 1, offset: 1<<63 - 1, data: []byte("x")})
	p.fails(linux.EBUSY, &tlopen{fid: 1})
	ok[*rfsync](p, &tfsync{fid: 1})
	ok[*rclunk](p, &tclunk{fid: 1})
	p.fails(linux.EBADF, &tclunk{fid: 1})
}

func TestWalk(t *testing.T) {
	p := session(t, Version9P2000L, smallTree())
	if a := ok[*rwalk](p, &twalk{fid: 0, newfid: 1, names: []string{"d", "e", "g"}}); len(a.qids) != 3 {
		t.Errorf("%d qids", len(a.qids))
	}
	if a := ok[*rwalk](p, &twalk{fid: 0, newfid: 2, names: []string{"d", "nope", "g"}}); len(a.qids) != 1 {
		t.Errorf("%d qids of a walk that ends early", len(a.qids))
	}
	p.fails(linux.EBADF, &tclunk{fid: 2}) // not made
	p.fails(linux.ENOENT, &twalk{fid: 0, newfid: 2, names: []string{"nope", "g"}})
	p.fails(linux.ENOTDIR, &twalk{fid: 1, newfid: 2, names: []string{"x"}})
	p.fails(linux.EBADF, &twalk{fid: 0, newfid: 1}) // in use
	p.fails(linux.EBADF, &twalk{fid: 0, newfid: noFid})

	// Up, never above the root.
	for _, test := range []struct {
		names []string
		want  string
	}{
		{[]string{".."}, ""},
		{[]string{"..", "..", ".."}, ""},
		{[]string{"d", ".."}, ""},
		{[]string{"d", "e", "..", "h"}, "h"},
		{[]string{"..", "d", "..", "..", "f"}, "f"},
	} {
		a := ok[*rwalk](p, &twalk{fid: 0, newfid: 2, names: test.names})
		if len(a.qids) != len(test.names) {
			t.Errorf("%v: %d qids", test.names, len(a.qids))
		}
		g := ok[*rgetattr](p, &tgetattr{fid: 2, mask: 0x7ff})
		if g.qid != a.qids[len(a.qids)-1] || (test.want == "") != g.attr.Mode.IsDir() {
			t.Errorf("%v: came to %v %v", test.names, g.qid, g.attr.Mode)
		}
		ok[*rclunk](p, &tclunk{fid: 2})
	}

	// In place, but a fid that is open stays where it is.
	ok[*rwalk](p, &twalk{fid: 0, newfid: 3})
	ok[*rwalk](p, &twalk{fid: 3, newfid: 3, names: []string{"d", "h"}})
	if g := ok[*rgetattr](p, &tgetattr{fid: 3}); g.attr.Mode.IsDir() {
		t.Error("did not walk in place")
	}
	ok[*rlopen](p, &tlopen{fid: 3})
	p.fails(linux.EBUSY, &twalk{fid: 3, newfid: 3})
	ok[*rwalk](p, &twalk{fid: 3, newfid: 4})
}

func TestEntries(t *testing.T) {
	for _, plain := range []bool{false, true} {
		tree := smallTree()
		tree.plain = plain
		p := session(t, Version9P2000L, tree)
		ok[*rwalk](p, &twalk{fid: 0, newfid: 1})
		ok[*rlcreate](p, &tlcreate{fid: 1, name: "new", flags: 2, mode: 0o600})
		ok[*rwrite](p, &twrite{fid: 1, data: []byte("1")})
		ok[*rmkdir](p, &tmkdir{dfid: 0, name: "dir", mode: 0o700})
		ok[*rsymlink](p, &tsymlink{fid: 0, name: "link", target: "../anywhere"})
		ok[*rmknod](p, &tmknod{dfid: 0, name: "fifo", mode: 0o10600})
		ok[*rlink](p, &tlink{dfid: 0, fid: 1, name: "other"})
		ok[*rwalk](p, &twalk{fid: 0, newfid: 2, names: []string{"link"}})
		if a := ok[*rreadlink](p, &treadlink{fid: 2}); a.target != "../anywhere" {
			t.Errorf("target %q", a.target)
		}
		ok[*rrenameat](p, &trenameat{olddfid: 0, oldname: "other", newdfid: 0, newname: "third"})
		ok[*runlinkat](p, &tunlinkat{dfid: 0, name: "third"})
		p.fails(linux.ENOENT, &tunlinkat{dfid: 0, name: "third"})

		// Trename and Tremove of a fid.
		ok[*rwalk](p, &twalk{fid: 0, newfid: 3, names: []string{"d", "h"}})
		ok[*rwalk](p, &twalk{fid: 0, newfid: 4, names: []string{"dir"}})
		ok[*rrename](p, &trename{fid: 3, dfid: 4, name: "moved"})
		ok[*rwalk](p, &twalk{fid: 0, newfid: 5, names: []string{"dir", "moved"}})
		ok[*rremove](p, &tremove{fid: 5})
		p.fails(linux.EBADF, &tclunk{fid: 5})
		if a := ok[*rwalk](p, &twalk{fid: 0, newfid: 5, names: []string{"dir", "moved"}}); len(a.qids) != 1 {
			t.Error("it is still there")
		}
		ok[*rwalk](p, &twalk{fid: 0, newfid: 5, names: []string{"d"}})
		p.fails(linux.ENOTEMPTY, &tremove{fid: 5})
		p.fails(linux.EBADF, &tclunk{fid: 5}) // clunked nevertheless
		ok[*rremove](p, &tremove{fid: 4})
		p.fails(linux.EBUSY, &tremove{fid: 0}) // the root
		p.hangup()
	}
}

// A tree without Remover is not made to remove another file than the fid's.
func TestRemoveAfterReplacement(t *testing.T) {
	tree := smallTree()
	tree.plain = true
	p := session(t, Version9P2000L, tree)
	ok[*rwalk](p, &twalk{fid: 0, newfid: 1, names: []string{"f"}})
	tree.mu.Lock() // somebody else
	err := tree.rename(tree.root, "f", tree.root, "f2")
	tree.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	ok[*rwalk](p, &twalk{fid: 0, newfid: 2})
	ok[*rlcreate](p, &tlcreate{fid: 2, name: "f", flags: 1})
	p.fails(linux.ESTALE, &tremove{fid: 1})
	ok[*rwalk](p, &twalk{fid: 0, newfid: 3, names: []string{"f"}})
}

func TestReaddir(t *testing.T) {
	tree := newMemTree()
	for i := range 100 {
		tree.add("d/"+strings.Repeat("x", i+1), "12345")
	}
	p := session(t, VersionCPU, tree)
	p.open(1, 0, "d")
	read := func(get func(offset uint64) []byte, next func(b *buffer) (string, uint64)) {
		t.Helper()
		var offset uint64
		n := 0
		for {
			b := buffer{b: get(offset)}
			if len(b.b) == 0 {
				break
			}
			if len(b.b) > 700 {
				t.Fatalf("%d bytes for a count of 700", len(b.b))
			}
			for len(b.b) > 0 && !b.bad {
				var name string
				name, offset = next(&b)
				if n++; len(name) != n {
					t.Fatalf("entry %d is %q", n, name)
				}
			}
			if b.bad {
				t.Fatal("broken entry")
			}
		}
		if n != 100 {
			t.Errorf("%d entries", n)
		}
	}
	read(func(o uint64) []byte { return ok[*rreaddir](p, &treaddir{fid: 1, offset: o, count: 700}).data },
		func(b *buffer) (string, uint64) {
			var d p9.Dirent
			b.getDirent(&d)
			return d.Name, d.Offset
		})
	read(func(o uint64) []byte { return ok[*rreaddirattr](p, &treaddirattr{fid: 1, offset: o, count: 700}).data },
		func(b *buffer) (string, uint64) {
			var d DirentAttr
			b.getDirentAttr(&d)
			if !d.Valid.Size || d.Attr.Size != 5 {
				t.Fatalf("attributes of %s: %v %v", d.Name, d.Valid, d.Attr)
			}
			return d.Name, d.Offset
		})
	p.fails(linux.EINVAL, &treaddir{fid: 1, count: 10})
	p.fails(linux.EISDIR, &tread{fid: 1, count: 10})
	p.fails(linux.EBADF, &treaddir{fid: 0, count: 100})
	ok[*rwalk](p, &twalk{fid: 0, newfid: 2, names: []string{"d", "x"}})
	p.fails(linux.ENOTDIR, &treaddir{fid: 2, count: 100})
}

func TestCPU(t *testing.T) {
	p := session(t, VersionCPU, smallTree())
	w := ok[*rwalkgetattr](p, &twalkgetattr{fid: 0, newfid: 1, mask: 0x7ff, names: []string{"d", "e", "g"}})
	if len(w.qids) != 3 || w.qid != w.qids[2] || w.attr.Size != 4 || w.valid&0x200 == 0 {
		t.Errorf("got %+v", w)
	}
	p.fails(linux.ENOENT, &twalkgetattr{fid: 0, newfid: 2, names: []string{"d", "nope"}})
	if c := ok[*rwalkgetattr](p, &twalkgetattr{fid: 1, newfid: 2}); c.qid != w.qid || len(c.qids) != 0 {
		t.Errorf("clone: %+v", c)
	}
	if a := ok[*ropenread](p, &topenread{fid: 1, count: 100}); string(a.data) != "deep" || a.eof != 1 {
		t.Errorf("got %q %d", a.data, a.eof)
	}
	if a := ok[*ropenread](p, &topenread{fid: 2, count: 3}); string(a.data) != "dee" || a.eof != 0 {
		t.Errorf("got %q %d", a.data, a.eof)
	}
	if a := ok[*rread](p, &tread{fid: 2, offset: 3, count: 10}); string(a.data) != "p" {
		t.Errorf("got %q", a.data)
	}
	// The number is free at once, without a reply.
	p.send(noTag, &tclunkasync{fid: 1})
	p.send(noTag, &tclunkasync{fid: 1000})
	ok[*rwalk](p, &twalk{fid: 0, newfid: 1, names: []string{"f"}})
}

func TestXattr(t *testing.T) {
	p := session(t, Version9P2000L, smallTree())
	set := func(name, value string) {
		t.Helper()
		ok[*rwalk](p, &twalk{fid: 0, newfid: 5, names: []string{"f"}})
		ok[*rxattrcreate](p, &txattrcreate{fid: 5, name: name, size: uint64(len(value))})
		for i := range value {
			ok[*rwrite](p, &twrite{fid: 5, offset: uint64(i), data: []byte{value[i]}})
		}
		ok[*rclunk](p, &tclunk{fid: 5})
	}
	get := func(name string) string {
		t.Helper()
		n := ok[*rxattrwalk](p, &txattrwalk{fid: 1, newfid: 5, name: name}).size
		a := ok[*rread](p, &tread{fid: 5, count: 1000})
		if int(n) != len(a.data) {
			t.Errorf("size %d, %d bytes", n, len(a.data))
		}
		ok[*rclunk](p, &tclunk{fid: 5})
		return string(a.data)
	}
	ok[*rwalk](p, &twalk{fid: 0, newfid: 1, names: []string{"f"}})
	set("user.a", "value")
	set("user.b", "")
	if v := get("user.a"); v != "value" {
		t.Errorf("got %q", v)
	}
	if v := get(""); v != "user.a\x00user.b\x00" {
		t.Errorf("names %q", v)
	}
	p.fails(linux.ENODATA, &txattrwalk{fid: 1, newfid: 5, name: "user.c"})
	ok[*rwalk](p, &twalk{fid: 1, newfid: 5})
	ok[*rxattrcreate](p, &txattrcreate{fid: 5, name: "user.a", flags: uint32(p9.XattrReplace)})
	ok[*rclunk](p, &tclunk{fid: 5})
	p.fails(linux.ENODATA, &txattrwalk{fid: 1, newfid: 5, name: "user.a"})

	ok[*rwalk](p, &twalk{fid: 1, newfid: 5})
	ok[*rxattrcreate](p, &txattrcreate{fid: 5, name: "user.d", size: 4})
	p.fails(linux.EINVAL, &twrite{fid: 5, offset: 1, data: []byte("x")})
	p.fails(linux.EINVAL, &twrite{fid: 5, data: []byte("12345")})
	p.fails(linux.EBADF, &tlopen{fid: 5})
	p.fails(linux.EBADF, &twalk{fid: 5, newfid: 6})
	p.fails(linux.EINVAL, &tclunk{fid: 5}) // less written than was said
	p.fails(linux.E2BIG, &txattrcreate{fid: 1, name: "user.e", size: MaxXattr + 1})
	for i := range uint32(maxXattrs) {
		ok[*rxattrwalk](p, &txattrwalk{fid: 1, newfid: 100 + i})
	}
	p.fails(linux.EMFILE, &txattrwalk{fid: 1, newfid: 99})
}

func TestAttributes(t *testing.T) {
	p := session(t, Version9P2000L, smallTree())
	ok[*rwalk](p, &twalk{fid: 0, newfid: 1, names: []string{"f"}})
	ok[*rsetattr](p, &tsetattr{fid: 1, valid: 0x1 | 0x8, attr: p9.SetAttr{Permissions: 0o104640, Size: 3}})
	if g := ok[*rgetattr](p, &tgetattr{fid: 1, mask: 0x7ff}); g.attr.Mode != 0o104640 || g.attr.Size != 3 {
		t.Errorf("got %v", g.attr)
	}
	if s := ok[*rstatfs](p, &tstatfs{fid: 1}); s.stat.NameLength != 255 {
		t.Errorf("got %v", s.stat)
	}
	ok[*rlopen](p, &tlopen{fid: 1})
	if l := ok[*rlock](p, &tlock{fid: 1, kind: uint8(p9.WriteLock)}); l.status != 0 {
		t.Errorf("got %v", l.status)
	}
	if l := ok[*rgetlock](p, &tgetlock{fid: 1, lock: Lock{Type: p9.WriteLock, PID: 7, Client: "me"}}); l.lock != (Lock{Type: p9.Unlock, PID: 7, Client: "me"}) {
		t.Errorf("got %v", l.lock)
	}
	p.fails(linux.EINVAL, &tlock{fid: 1, kind: 9})
}

// asker is an attacher that wants to know who attaches to what.
type asker struct {
	*memTree
	a Attach
}

func (s *asker) AttachAs(_ context.Context, a Attach) (p9.File, error) {
	s.a = a
	if a.Aname == "nope" {
		return nil, linux.ENOENT
	}
	return s.Attach()
}

func TestAttach(t *testing.T) {
	tree := smallTree()
	s := &asker{memTree: tree}
	p := serve(t, &Server{Attacher: s}, tree)
	p.version(Version9P2000L, 8192)
	ok[*rattach](p, &tattach{fid: 7, afid: noFid, uname: "glenda", aname: "x", nuname: 12})
	if s.a != (Attach{"glenda", 12, "x"}) {
		t.Errorf("got %+v", s.a)
	}
	p.fails(linux.ENOENT, &tattach{fid: 8, afid: noFid, aname: "nope"})
	p.fails(linux.EBADF, &tattach{fid: 7, afid: noFid})
	p.fails(linux.EBADF, &tattach{fid: 8, afid: 7})
	p.fails(linux.ENOENT, &tauth{afid: 9})
	p.version(Version9P2000, 8192)
	ok[*rattach](p, &tattach{fid: 7, afid: noFid, uname: "glenda"})
	if s.a != (Attach{Uname: "glenda", UID: p9.NoUID}) {
		t.Errorf("got %+v", s.a)
	}
}

// Where the attacher does not want it, an aname is a path.
func TestAttachPath(t *testing.T) {
	p := serve(t, new(Server), smallTree())
	p.version(Version9P2000L, 8192)
	ok[*rattach](p, &tattach{fid: 0, afid: noFid, aname: "/d/e"})
	ok[*rwalk](p, &twalk{fid: 0, newfid: 1, names: []string{"..", "..", "g"}}) // e is the root now
	p.fails(linux.EINVAL, &tattach{fid: 2, afid: noFid, aname: "d/../f"})
	p.fails(linux.ENOENT, &tattach{fid: 2, afid: noFid, aname: "d/x"})
}

func TestTrace(t *testing.T) {
	var b bytes.Buffer
	p := serve(t, &Server{Trace: &b}, smallTree())
	p.version(Version9P2000L, 8192)
	p.fails(linux.EBADF, &tclunk{fid: 3})
	p.hangup()
	want := "-> Tversion notag msize 8192 version 9P2000.L\n<- Rversion notag msize 8192 version 9P2000.L\n-> Tclunk tag 1 fid 3\n<- Rlerror tag 1 EBADF\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", &b, want)
	}
}

// In a tree whose files do not know where they are, fids follow when a directory above them is renamed.
func TestFollow(t *testing.T) {
	for _, version := range []string{Version9P2000, Version9P2000L} {
		tree := smallTree()
		tree.plain = true
		p := session(t, version, tree)
		ok[*rwalk](p, &twalk{fid: 0, newfid: 1, names: []string{"d"}})
		ok[*rwalk](p, &twalk{fid: 0, newfid: 2, names: []string{"d", "e", "g"}})
		if version == Version9P2000 {
			ok[*rwstat](p, wstat(1, func(s *stat) { s.name = "moved" }))
			if s := p.stat(1); s.name != "moved" {
				t.Errorf("it is called %s", s.name)
			}
		} else {
			ok[*rrename](p, &trename{fid: 1, dfid: 0, name: "other"})
			ok[*rrenameat](p, &trenameat{olddfid: 0, oldname: "other", newdfid: 0, newname: "moved"})
		}
		ok[*rremove](p, &tremove{fid: 2})
		if a := ok[*rwalk](p, &twalk{fid: 0, newfid: 2, names: []string{"moved", "e", "g"}}); len(a.qids) != 2 {
			t.Error("it was not removed")
		}
		tree.mu.Lock()
		told := tree.told
		tree.mu.Unlock()
		if len(told) == 0 || told[len(told)-1] != "g" {
			t.Errorf("told: %v", told)
		}
		p.hangup()
	}
}
