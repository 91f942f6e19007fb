package ninep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sort"
	"strings"
	"testing"

	"9fans.net/go/plan9"
	"9fans.net/go/plan9/client"
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// stat is Tstat.
func (p *peer) stat(fid uint32) (s stat) {
	p.t.Helper()
	b := buffer{b: ok[*rstat](p, &tstat{fid: fid}).stat}
	s.decode(&b)
	if b.bad || len(b.b) > 0 {
		p.t.Fatal("malformed stat")
	}
	return s
}

// wstat is Twstat of a record in which set has changed some fields.
func wstat(fid uint32, set func(*stat)) message {
	s := untouched
	set(&s)
	var b buffer
	s.encode(&b)
	return &twstat{fid: fid, stat: b.b}
}

// failsWith is rpc of a request whose error is that text.
func (p *peer) failsWith(want string, m message) {
	p.t.Helper()
	if a, ok := p.rpc(m).(*rerror); !ok || a.ename != want {
		p.t.Errorf("%T: got %+v, want %q", m, a, want)
	}
}

func TestPlan9Stat(t *testing.T) {
	p := session(t, Version9P2000, smallTree())
	if s := p.stat(0); s.name != "/" || s.mode != dmDir|0o755 || s.qid.Type != 0x80 || s.length != 0 || s.uid != "10" || s.gid != "20" || s.mtime != 1000 {
		t.Errorf("root: %+v", s)
	}
	ok[*rwalk](p, &twalk{fid: 0, newfid: 1, names: []string{"f"}})
	if s := p.stat(1); s.name != "f" || s.mode != 0o644 || s.length != 12 {
		t.Errorf("f: %+v", s)
	}
	ok[*rwstat](p, wstat(1, func(s *stat) { s.name, s.mode, s.length, s.mtime, s.gid = "g", 0o600, 5, 77, "30" }))
	if s := p.stat(1); s.name != "g" || s.mode != 0o600 || s.length != 5 || s.mtime != 77 || s.gid != "30" {
		t.Errorf("g: %+v", s)
	}
	ok[*rwalk](p, &twalk{fid: 0, newfid: 2, names: []string{"g"}})
	ok[*rwstat](p, wstat(1, func(s *stat) {})) // sync
	s := p.stat(1)
	ok[*rwstat](p, wstat(1, func(w *stat) { *w = s })) // as it is

	p.fails(linux.EEXIST, wstat(1, func(s *stat) { s.name = "d" }))
	p.fails(linux.EINVAL, wstat(1, func(s *stat) { s.name = "a/b" }))
	p.fails(linux.EBUSY, wstat(0, func(s *stat) { s.name = "x" }))
	p.failsWith("wstat: cannot change the kind of a file", wstat(1, func(s *stat) { s.mode = dmDir | 0o777 }))
	p.failsWith("wstat: cannot change a directory's length", wstat(0, func(s *stat) { s.length = 1 }))
	p.failsWith("wstat: cannot change qid", wstat(1, func(s *stat) { s.qid.Path = 1 }))
	p.failsWith("wstat: cannot change type or dev", wstat(1, func(s *stat) { s.dev = 1 }))
	p.failsWith("unknown group nobody", wstat(1, func(s *stat) { s.gid = "nobody" }))
	p.failsWith("bogus wstat buffer", &twstat{fid: 1, stat: []byte{1, 2, 3}})
	if now := p.stat(1); now != s {
		t.Errorf("a Twstat that failed changed %+v to %+v", s, now)
	}
}

type names struct{}

func (names) UserName(id p9.UID) (string, bool)  { return "glenda", id == 10 }
func (names) GroupName(id p9.GID) (string, bool) { return "sys", id == 20 }
func (names) UserID(s string) (p9.UID, bool)     { return 10, s == "glenda" }
func (names) GroupID(s string) (p9.GID, bool)    { return 20, s == "sys" }

func TestPlan9Users(t *testing.T) {
	p := serve(t, &Server{Users: names{}}, smallTree())
	p.version(Version9P2000, 8192)
	p.attach(0)
	if s := p.stat(0); s.uid != "glenda" || s.gid != "sys" || s.muid != "glenda" {
		t.Errorf("got %+v", s)
	}
	ok[*rwstat](p, wstat(0, func(s *stat) { s.gid = "21" }))
	if s := p.stat(0); s.gid != "21" {
		t.Errorf("got %+v", s)
	}
	ok[*rwstat](p, wstat(0, func(s *stat) { s.gid = "sys" }))
	if s := p.stat(0); s.gid != "sys" {
		t.Errorf("got %+v", s)
	}
}

func TestPlan9Open(t *testing.T) {
	tree := smallTree()
	p := session(t, Version9P2000, tree)
	p.open(1, oExec, "f")
	ok[*rread](p, &tread{fid: 1, count: 5})
	p.fails(linux.EBUSY, &twalk{fid: 1, newfid: 2})
	p.fails(linux.EBADF, &twrite{fid: 1, data: []byte("x")})
	p.open(2, 1|oTrunc, "f")
	if s := p.stat(1); s.length != 0 {
		t.Errorf("%d bytes after OTRUNC", s.length)
	}
	ok[*rwalk](p, &twalk{fid: 0, newfid: 3})
	p.fails(linux.EISDIR, &topen{fid: 3, mode: 1})
	p.fails(linux.EISDIR, &topen{fid: 3, mode: oTrunc})
	p.fails(linux.EINVAL, &topen{fid: 3, mode: 0x80})

	// ORCLOSE
	p.open(4, oRClose, "d", "h")
	ok[*rclunk](p, &tclunk{fid: 4})
	if a := ok[*rwalk](p, &twalk{fid: 0, newfid: 4, names: []string{"d", "h"}}); len(a.qids) != 1 {
		t.Error("ORCLOSE left the file")
	}
}

func TestPlan9Create(t *testing.T) {
	tree := smallTree()
	tree.root.mode = p9.ModeDirectory | 0o750
	p := session(t, Version9P2000, tree)
	clone := func(fid uint32) {
		t.Helper()
		ok[*rwalk](p, &twalk{fid: 0, newfid: fid})
	}
	clone(1)
	ok[*rcreate](p, &tcreate{fid: 1, name: "new", perm: 0o777, mode: 2})
	if s := p.stat(1); s.mode != 0o751 || s.name != "new" { // execute permission is not narrowed: open(9P)
		t.Errorf("got %+v", s)
	}
	ok[*rwrite](p, &twrite{fid: 1, data: []byte("x")})
	clone(2)
	p.fails(linux.EEXIST, &tcreate{fid: 2, name: "new", perm: 0o666, mode: 1})
	p.failsWith("no exclusive-use files", &tcreate{fid: 2, name: "excl", perm: dmExcl | 0o666, mode: 1})
	p.fails(linux.EISDIR, &tcreate{fid: 2, name: "dir", perm: dmDir | 0o777, mode: 1})
	p.fails(linux.EINVAL, &tcreate{fid: 2, name: "..", perm: 0o777})
	ok[*rcreate](p, &tcreate{fid: 2, name: "dir", perm: dmDir | 0o777})
	if s := p.stat(2); s.mode != dmDir|0o750 || s.name != "dir" {
		t.Errorf("got %+v", s)
	}
	if a := ok[*rread](p, &tread{fid: 2, count: 1000}); len(a.data) != 0 {
		t.Errorf("%d bytes in a new directory", len(a.data))
	}
	ok[*rclunk](p, &tclunk{fid: 2})
	clone(2)
	ok[*rcreate](p, &tcreate{fid: 2, name: "gone", perm: 0o600, mode: 1 | oRClose})
	ok[*rclunk](p, &tclunk{fid: 2})
	p.fails(linux.ENOENT, &twalk{fid: 0, newfid: 3, names: []string{"gone"}})
}

func TestPlan9Directory(t *testing.T) {
	tree := newMemTree()
	for i := range 50 {
		tree.add(fmt.Sprintf("d/file%02d", i), strings.Repeat("x", i))
	}
	p := session(t, Version9P2000, tree)
	p.open(1, 0, "d")
	for range 2 { // anew from offset 0
		var offset uint64
		var n int
		for {
			b := buffer{b: ok[*rread](p, &tread{fid: 1, offset: offset, count: 200}).data}
			if len(b.b) == 0 {
				break
			}
			offset += uint64(len(b.b))
			for len(b.b) > 0 {
				var s stat
				s.decode(&b)
				if b.bad {
					t.Fatal("not whole records")
				}
				if s.name != fmt.Sprintf("file%02d", n) || s.length != uint64(n) || s.mode != 0o644 || s.uid != "10" {
					t.Errorf("entry %d: %+v", n, s)
				}
				n++
			}
		}
		if n != 50 {
			t.Errorf("%d entries", n)
		}
		p.failsWith("bad offset in directory read", &tread{fid: 1, offset: 5, count: 200})
	}
	p.failsWith("directory entry does not fit count", &tread{fid: 1, count: 20})
}

// Plan 9's own client, which is not ours, finds what it expects.
func TestPlan9Client(t *testing.T) {
	tree := smallTree()
	s := &Server{Attacher: tree, Stats: new(Stats)}
	far, near := connPair(t)
	served := make(chan error)
	go func() { served <- s.Serve(t.Context(), far) }()
	c, err := client.NewConn(net.Conn(near))
	if err != nil {
		t.Fatal(err)
	}
	fs, err := c.Attach(nil, "glenda", "")
	if err != nil {
		t.Fatal(err)
	}
	fid, err := fs.Create("/d/new", plan9.ORDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fid.Write([]byte("written")); err != nil {
		t.Fatal(err)
	}
	if _, err := fid.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(fid); err != nil || string(b) != "written" {
		t.Errorf("read %q, %v", b, err)
	}
	fid.Close()
	d, err := fs.Stat("/d/new")
	if err != nil || d.Name != "new" || d.Length != 7 {
		t.Errorf("stat: %+v, %v", d, err)
	}
	w := plan9.Dir{}
	w.Null()
	w.Name = "renamed"
	if err := fs.Wstat("/d/new", &w); err != nil {
		t.Error(err)
	}
	dir, err := fs.Open("/d", plan9.OREAD)
	if err != nil {
		t.Fatal(err)
	}
	list, err := dir.Dirreadall()
	dir.Close()
	var got []string
	for _, d := range list {
		got = append(got, d.Name)
	}
	sort.Strings(got)
	if strings.Join(got, " ") != "e h renamed" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if err := fs.Remove("/d/renamed"); err != nil {
		t.Error(err)
	}
	if _, err := fs.Open("/d/renamed", plan9.OREAD); err == nil || !strings.Contains(err.Error(), "not found") {
		t.Errorf("got %v", err)
	}
	fs.Close()
	c.Close()
	near.Close()
	<-served
	if n := s.Stats.Fids.Load(); n != 0 {
		t.Errorf("%d fids left", n)
	}
}

func TestPlan9Errors(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{linux.ENOENT, "file does not exist"},
		{fmt.Errorf("open x: %w", linux.ENOENT), "file does not exist"},
		{linux.EINVAL, "Invalid argument"},
		{linux.EISDIR, "Is a directory"},
		{&Error{linux.EINVAL, "unknown control message"}, "unknown control message"},
		{&Error{Errno: linux.EPERM}, "Operation not permitted"},
		{context.Canceled, "Interrupted system call"},
		{&Error{linux.EINVAL, strings.Repeat("é", 1000)}, strings.Repeat("é", 512)},
		{&Error{linux.EINVAL, "x" + strings.Repeat("é", 1000)}, "x" + strings.Repeat("é", 511)},
	} {
		if got := errorText(test.err); got != test.want {
			t.Errorf("%v: got %q, want %q", test.err, got, test.want)
		}
	}
}

// TestPlan9ErrorNumbers: the number for what servers say.
func TestPlan9ErrorNumbers(t *testing.T) {
	for text, want := range map[string]linux.Errno{
		// Plan 9's kernel and file servers, and what is made with lib9p.
		"file does not exist":                linux.ENOENT,
		"'/usr/x' file does not exist":       linux.ENOENT,
		"file does not exist: '/usr/x'":      linux.ENOENT,
		"file not found":                     linux.ENOENT,
		"directory entry not found":          linux.ENOENT,
		"permission denied":                  linux.EACCES,
		"'mordor' permission denied":         linux.EACCES,
		"file already exists":                linux.EEXIST,
		"create/wstat -- file exists":        linux.EEXIST,
		"directory not empty":                linux.ENOTEMPTY,
		"not a directory":                    linux.ENOTDIR,
		"walk in non-directory":              linux.ENOTDIR,
		"wstat prohibited":                   linux.EPERM,
		"exclusive use file already open":    linux.EBUSY,
		"unknown fid":                        linux.EBADF,
		"bad offset":                         linux.EINVAL,
		"interrupted":                        linux.EINTR,
		"i/o on hungup channel":              linux.EPIPE,
		"ramfs: authentication not required": linux.EIO,
		// strerror(3), as plan9port's and u9fs's servers give it.
		"No such file or directory":          linux.ENOENT,
		"open /x: No such file or directory": linux.ENOENT,
		"Permission denied":                  linux.EACCES,
		"File exists":                        linux.EEXIST,
		"Directory not empty":                linux.ENOTEMPTY,
		"Is a directory":                     linux.EISDIR,
		"Operation not permitted":            linux.EPERM,
		"No space left on device":            linux.ENOSPC,
		"Read-only file system":              linux.EROFS,
		"Device or resource busy":            linux.EBUSY,
		"Text file busy":                     linux.ETXTBSY,
		// Go's.
		"open /x: no such file or directory": linux.ENOENT,
		"mkdir /a: b: file exists":           linux.EEXIST,
		// What nobody knows.
		"":                      linux.EIO,
		": ":                    linux.EIO,
		"'":                     linux.EIO,
		"the dog ate it":        linux.EIO,
		"errno 2":               linux.EIO,
		"not: file: really bad": linux.EIO,
	} {
		err := plan9Error(text)
		if !errors.Is(err, want) || text != "" && err.Error() != text {
			t.Errorf("%q: %v, %d, want %d", text, err, Errno(err), want)
		}
	}
	// What our server says of a number is understood as that number again.
	for n := linux.Errno(1); n <= lastErrno; n++ {
		if strings.HasPrefix(n.Error(), "errno ") { // there is none
			continue
		}
		if got := textErrno(errorText(n)); got != n && got.Error() != n.Error() {
			t.Errorf("%v became %v", n, got)
		}
	}
	if got := plan9Error("a\x1b[2Jb\n\xffc").Error(); got != "a?[2Jb?c" {
		t.Errorf("got %q", got)
	}
}

// TestPlan9Modes: open(2)'s flags and open(9P)'s modes.
func TestPlan9Modes(t *testing.T) {
	for _, tt := range []struct {
		flags p9.OpenFlags
		mode  uint8
		back  p9.OpenFlags
		err   error
	}{
		{p9.ReadOnly, 0, p9.ReadOnly, nil},
		{p9.WriteOnly, 1, p9.WriteOnly, nil},
		{p9.ReadWrite, 2, p9.ReadWrite, nil},
		{p9.WriteOnly | flagTrunc, 0x11, p9.WriteOnly | flagTrunc, nil},
		{p9.WriteOnly | flagAppend | flagExcl | 0o100, 1, p9.WriteOnly, nil},
		{3, 0, 0, linux.EINVAL},
	} {
		mode, err := openMode(tt.flags)
		if mode != tt.mode || err != tt.err {
			t.Errorf("%#o: %#x, %v", uint32(tt.flags), mode, err)
		}
		if back, err := modeFlags(mode); tt.err == nil && (back != tt.back || err != nil) {
			t.Errorf("%#x: %#o, %v", mode, uint32(back), err)
		}
	}
	if flags, err := modeFlags(oExec); flags != p9.ReadOnly || err != nil {
		t.Errorf("OEXEC: %#o, %v", uint32(flags), err)
	}
}

// TestPlan9Attributes: what a stat says, as Linux has it.
func TestPlan9Attributes(t *testing.T) {
	f := &clientFid{c: &Client{dialect: dialect9P2000}, user: &plan9User{"glenda", 1000}}
	for _, tt := range []struct {
		stat stat
		typ  p9.QIDType
		vers uint32
		attr p9.Attr
	}{
		{stat{mode: 0o644, length: 5, uid: "glenda", gid: "glenda"}, 0, 3, p9.Attr{Mode: p9.ModeRegular | 0o644, UID: 1000, GID: nobody, Size: 5, Blocks: 1}},
		{stat{mode: 0o600, uid: "7", gid: "8"}, 0, 0, p9.Attr{Mode: p9.ModeRegular | 0o600, UID: 7, GID: 8}},
		{stat{mode: dmDir | 0o755, uid: "sys", gid: "sys"}, p9.TypeDir, 3, p9.Attr{Mode: p9.ModeDirectory | 0o755, UID: nobody, GID: nobody}},
		{stat{mode: dmAppend | 0o222, length: 1, uid: "glenda"}, p9.TypeAppendOnly, 3, p9.Attr{Mode: p9.ModeRegular | 0o222, UID: 1000, GID: nobody, Size: 1, Blocks: 1}},
		{stat{mode: dmExcl | 0o600, length: 1}, p9.TypeExclusive, 3, p9.Attr{Mode: p9.ModeRegular | 0o600, UID: nobody, GID: nobody, Size: 1, Blocks: 1}},
		// The bits of 9P2000.u: a link, a device, setuid.
		{stat{mode: 0x02000000 | 0o777, length: 1}, 0, 3, p9.Attr{Mode: p9.ModeRegular | 0o777, UID: nobody, GID: nobody, Size: 1, Blocks: 1}},
		{stat{mode: 0x00880000 | 0o755, length: 1}, 0, 3, p9.Attr{Mode: p9.ModeRegular | 0o755, UID: nobody, GID: nobody, Size: 1, Blocks: 1}},
	} {
		tt.stat.qid = p9.QID{Type: p9.QIDType(tt.stat.mode >> 24), Version: 3, Path: 9}
		tt.stat.atime, tt.stat.mtime = 10, 20
		qid, _, attr := tt.stat.attributes(f)
		tt.attr.NLink, tt.attr.BlockSize = 1, blockSize
		tt.attr.ATimeSeconds, tt.attr.MTimeSeconds, tt.attr.CTimeSeconds = 10, 20, 20
		if attr != tt.attr || (qid != p9.QID{Type: tt.typ, Version: tt.vers, Path: 9}) {
			t.Errorf("%o: %v %+v, want %+v", tt.stat.mode, qid, attr, tt.attr)
		}
	}
}
