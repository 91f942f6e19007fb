package ninep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"9fans.net/go/plan9"
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"

	"cpu/lib/ramfs"
)

// ramfsClient is a client of a server that knows plain 9P2000 only, and the root.
func ramfsClient(t *testing.T) (*ramfs.FS, *File) {
	t.Helper()
	fs := ramfs.New("glenda")
	near, far := socketpair(t)
	var serving sync.WaitGroup
	serving.Go(func() { fs.Serve(far) })
	t.Cleanup(func() {
		near.Close()
		serving.Wait()
	})
	c := dialClient(t, near, ClientConfig{})
	if c.Version() != Version9P2000 {
		t.Fatalf("version %s", c.Version())
	}
	root, err := c.Attach(t.Context(), Attach{Uname: "glenda", UID: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return fs, root
}

// TestPlan9Files makes, reads, changes and removes files at a server that is not ours.
func TestPlan9Files(t *testing.T) {
	fs, root := ramfsClient(t)
	f, qid, _, err := root.Create("file", p9.ReadWrite, 0o640, p9.NoUID, p9.NoGID)
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), 3000)
	if n, err := f.WriteAt(data, 0); n != len(data) || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	got := make([]byte, len(data)+1)
	if n, err := f.ReadAt(got[:10], 0); n != 10 || err != nil {
		t.Errorf("read back %d, %v", n, err)
	}
	if err := f.FSync(); err != nil {
		t.Error(err)
	}
	f.Close()
	if have, _ := fs.Data("/file"); have != string(data) {
		t.Errorf("the server has %d bytes", len(have))
	}
	qids, f, valid, attr, err := root.WalkGetAttr([]string{"file"})
	if err != nil {
		t.Fatal(err)
	}
	d := fs.Stat("/file")
	want := p9.Attr{
		Mode: p9.ModeRegular | 0o640, UID: 1000, GID: nobody, NLink: 1, Size: uint64(len(data)), BlockSize: 4096, Blocks: 94,
		ATimeSeconds: uint64(d.Atime), MTimeSeconds: uint64(d.Mtime), CTimeSeconds: uint64(d.Mtime),
	}
	if qids[0].Path != qid.Path || qids[0].Version == 0 || !valid.Mode || !valid.Size || attr != want {
		t.Errorf("attributes %+v of %v, want %+v", attr, qids, want)
	}
	q, unit, err := f.Open(p9.ReadOnly)
	if err != nil || q.Version != d.Qid.Vers || unit != 8192 {
		t.Errorf("open: %v, %d, %v", q, unit, err)
	}
	for at := 0; ; {
		n, err := f.ReadAt(got[at:], int64(at))
		if at += n; err != nil {
			if err != io.EOF || !bytes.Equal(got[:at], data) {
				t.Errorf("read %d bytes, %v", at, err)
			}
			break
		}
	}
	// A file that is open can be looked at and changed, and another can be opened beside it.
	if err := f.SetAttr(p9.SetAttrMask{Permissions: true, MTime: true, MTimeNotSystemTime: true}, p9.SetAttr{Permissions: 0o600, MTimeSeconds: 77}); err != nil {
		t.Error(err)
	}
	if d := fs.Stat("/file"); d.Mode != 0o600 || d.Mtime != 77 {
		t.Errorf("changed to %v", d)
	}
	f.Close()
	f = openAt(t, root, p9.WriteOnly|flagTrunc, "file")
	if have, _ := fs.Data("/file"); have != "" {
		t.Errorf("OTRUNC left %d bytes", len(have))
	}
	if _, err := f.ReadAt(got, 0); Errno(err) != linux.EBADF {
		t.Errorf("read of what is open to be written: %v", err)
	}
	f.Close()

	if _, err := root.Mkdir("d", 0o755, p9.NoUID, p9.NoGID); err != nil {
		t.Fatal(err)
	}
	dir := walkTo(t, root, "d")
	if _, err := dir.Mknod("plain", p9.ModeRegular|0o600, 0, 0, p9.NoUID, p9.NoGID); err != nil {
		t.Error(err)
	}
	if err := root.UnlinkAt("d", removeDir); !errors.Is(err, linux.ENOTEMPTY) || err.Error() != "directory not empty" {
		t.Errorf("rmdir: %v", err)
	}
	if err := root.UnlinkAt("d", 0); !errors.Is(err, linux.EISDIR) {
		t.Errorf("unlink of a directory: %v", err)
	}
	if err := dir.UnlinkAt("plain", removeDir); !errors.Is(err, linux.ENOTDIR) {
		t.Errorf("rmdir of a file: %v", err)
	}
	if err := dir.UnlinkAt("plain", 0); err != nil {
		t.Error(err)
	}
	if err := root.UnlinkAt("d", removeDir); err != nil {
		t.Error(err)
	}
	if err := walkTo(t, root, "file").Remove(); err != nil {
		t.Error(err)
	}
	if _, err := root.entry("file"); !errors.Is(err, linux.ENOENT) || err.Error() != "'file' file does not exist" {
		t.Errorf("walk to what was removed: %v", err)
	}
}

// TestPlan9SetAttr is about what of a file's attributes can be set: what is so already always can.
func TestPlan9SetAttr(t *testing.T) {
	fs, root := ramfsClient(t)
	fs.Add("/f", "hello", 0o644)
	fs.Add("/log", "hello", plan9.DMAPPEND|0o644)
	now := fs.Stat("/f")
	for _, tt := range []struct {
		name  string
		file  []string
		valid p9.SetAttrMask
		attr  p9.SetAttr
		err   error
		want  func(d *plan9.Dir)
	}{
		{"nothing", []string{"f"}, p9.SetAttrMask{}, p9.SetAttr{}, nil, nil},
		{"mode", []string{"f"}, p9.SetAttrMask{Permissions: true}, p9.SetAttr{Permissions: 0o600}, nil, func(d *plan9.Dir) { d.Mode = 0o600 }},
		{"setuid", []string{"f"}, p9.SetAttrMask{Permissions: true}, p9.SetAttr{Permissions: 0o4755}, linux.EPERM, nil},
		{"own user", []string{"f"}, p9.SetAttrMask{UID: true, GID: true}, p9.SetAttr{UID: 1000, GID: nobody}, nil, nil},
		{"other user", []string{"f"}, p9.SetAttrMask{UID: true}, p9.SetAttr{UID: 1001}, linux.EPERM, nil},
		{"other group", []string{"f"}, p9.SetAttrMask{GID: true}, p9.SetAttr{GID: 1000}, linux.EPERM, nil},
		{"mtime, and atime where the server refuses it", []string{"f"},
			p9.SetAttrMask{MTime: true, MTimeNotSystemTime: true, ATime: true, ATimeNotSystemTime: true},
			p9.SetAttr{MTimeSeconds: 5, ATimeSeconds: 6}, nil, func(d *plan9.Dir) { d.Mtime = 5 }},
		{"atime alone", []string{"f"}, p9.SetAttrMask{ATime: true}, p9.SetAttr{}, linux.EIO, nil},
		{"length", []string{"f"}, p9.SetAttrMask{Size: true, MTime: true}, p9.SetAttr{Size: 2}, nil, func(d *plan9.Dir) { d.Length = 2 }},
		{"length of an append-only file", []string{"log"}, p9.SetAttrMask{Size: true, MTime: true}, p9.SetAttr{}, nil, nil},
		{"length of a control file", []string{"dev", "ctl"}, p9.SetAttrMask{Size: true, MTime: true}, p9.SetAttr{}, nil, nil},
		{"mode of a control file", []string{"dev", "ctl"}, p9.SetAttrMask{Permissions: true}, p9.SetAttr{Permissions: 0o600}, linux.EPERM, nil},
		{"length of a directory", []string{"dev"}, p9.SetAttrMask{Size: true}, p9.SetAttr{Size: 1}, linux.EACCES, nil},
	} {
		f := walkTo(t, root, tt.file...)
		if err := f.SetAttr(tt.valid, tt.attr); !errors.Is(err, tt.err) || err == nil != (tt.err == nil) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
		f.Close()
		if tt.want != nil {
			tt.want(&now)
		}
		d := fs.Stat("/f")
		if tt.name == "length" {
			now.Mtime = d.Mtime
		}
		if d.Qid = now.Qid; d != now {
			t.Errorf("%s: %v, want %v", tt.name, d, now)
		}
	}
	if log, _ := fs.Data("/log"); log != "hello" {
		t.Errorf("log has %q", log)
	}
}

// TestPlan9Rename: within a directory a name can be changed, and a file that has the new one gives way.
func TestPlan9Rename(t *testing.T) {
	fs, root := ramfsClient(t)
	for _, name := range []string{"/a", "/b", "/c"} {
		fs.Add(name, name, 0o644)
	}
	fs.Add("/d", "", plan9.DMDIR|0o755)
	fs.Add("/d/e", "", plan9.DMDIR|0o755)
	fs.Add("/d/e/f", "/d/e/f", 0o644)
	d := walkTo(t, root, "d")
	again := walkTo(t, root)
	for _, tt := range []struct {
		from    *File
		old     string
		to      *File
		new     string
		err     error
		a, want string // the file that is looked at, and what it has
	}{
		{root, "a", root, "a2", nil, "/a2", "/a"},
		{root, "a2", again, "b", nil, "/b", "/a"},
		{root, "b", root, "b", nil, "/b", "/a"},
		{root, "none", root, "x", linux.ENOENT, "/b", "/a"},
		{root, "b", d, "b", linux.EXDEV, "/b", "/a"},
		{root, "b", root, "d", linux.EISDIR, "/b", "/a"},
		{root, "d", root, "b", linux.ENOTDIR, "/b", "/a"},
		{root, "dev", root, "d", linux.ENOTEMPTY, "/d/e/f", "/d/e/f"},
		{d, "e", d, "e2", nil, "/d/e2/f", "/d/e/f"},
	} {
		if err := tt.from.RenameAt(tt.old, tt.to, tt.new); !errors.Is(err, tt.err) || err == nil != (tt.err == nil) {
			t.Errorf("%s to %s: %v, want %v", tt.old, tt.new, err, tt.err)
		}
		if got, _ := fs.Data(tt.a); got != tt.want {
			t.Errorf("%s to %s: %s has %q", tt.old, tt.new, tt.a, got)
		}
	}
	// A file that was walked to through its directory knows it; one by way of ".." does not.
	f := walkTo(t, root, "d", "e2", "f")
	e := walkTo(t, d, "e2")
	if err := f.Rename(e, "g"); err != nil {
		t.Error(err)
	}
	up := walkTo(t, root, "d", "..", "c")
	if err := up.Rename(root, "c2"); !errors.Is(err, linux.EXDEV) {
		t.Errorf("got %v", err)
	}
	made, _, _, err := e.Create("made", p9.WriteOnly, 0o644, p9.NoUID, p9.NoGID)
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Rename(e, "renamed"); err != nil {
		t.Error(err)
	}
	if _, there := fs.Data("/d/e2/renamed"); !there {
		t.Error("a new file was not renamed")
	}
}

// TestPlan9Append: who opens to append writes at the end, wherever he says; and an append-only file's end only the server knows.
func TestPlan9Append(t *testing.T) {
	fs, root := ramfsClient(t)
	fs.Add("/f", "one\n", 0o644)
	fs.Add("/log", "one\n", plan9.DMAPPEND|0o644)
	for _, name := range []string{"f", "log"} {
		for _, flags := range []p9.OpenFlags{p9.WriteOnly | flagAppend, p9.WriteOnly} {
			f := openAt(t, root, flags, name)
			if flags&flagAppend == 0 && name == "f" {
				continue
			}
			for range 2 {
				if n, err := f.WriteAt([]byte("more\n"), 0); n != 5 || err != nil {
					t.Errorf("%d, %v", n, err)
				}
			}
			f.Close()
		}
	}
	if got, _ := fs.Data("/f"); got != "one\nmore\nmore\n" {
		t.Errorf("f has %q", got)
	}
	if got, _ := fs.Data("/log"); got != "one\n"+strings.Repeat("more\n", 4) {
		t.Errorf("log has %q", got)
	}
	if q := walkTo(t, root, "log").QID(); q.Type != p9.TypeAppendOnly {
		t.Errorf("type %v", q.Type)
	}
}

// TestPlan9Exclusive: a file with DMEXCL can be opened once.
func TestPlan9Exclusive(t *testing.T) {
	fs, root := ramfsClient(t)
	fs.Add("/lock", "", plan9.DMEXCL|0o644)
	f := openAt(t, root, p9.ReadWrite, "lock")
	if _, _, err := walkTo(t, root, "lock").Open(p9.ReadOnly); !errors.Is(err, linux.EBUSY) {
		t.Errorf("opened twice: %v", err)
	}
	f.Close()
	openAt(t, root, p9.ReadOnly, "lock").Close()
}

// TestPlan9CreateTaken: Tcreate refuses a name that is taken, which open(2) only does when it is told to.
func TestPlan9CreateTaken(t *testing.T) {
	fs, root := ramfsClient(t)
	fs.Add("/f", "hello", 0o644)
	if _, _, _, err := root.Create("f", p9.WriteOnly|flagExcl, 0o600, p9.NoUID, p9.NoGID); !errors.Is(err, linux.EEXIST) {
		t.Errorf("got %v", err)
	}
	f, _, _, err := root.Create("f", p9.ReadWrite, 0o600, p9.NoUID, p9.NoGID)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	if n, _ := f.ReadAt(p, 0); string(p[:n]) != "hello" {
		t.Errorf("read %q", p[:n])
	}
	f.Close()
	f, _, _, err = root.Create("f", p9.WriteOnly|flagTrunc, 0o600, p9.NoUID, p9.NoGID)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if d := fs.Stat("/f"); d.Length != 0 || d.Mode != 0o644 {
		t.Errorf("%v", d)
	}
}

// TestPlan9Streams: a file of length 0 is read all the same, once for each read, and is not taken for one that can be kept.
func TestPlan9Streams(t *testing.T) {
	fs, root := ramfsClient(t)
	qids, f, _, attr, err := root.WalkGetAttr([]string{"dev", "ctl"})
	if err != nil || qids[1].Version != 0 || attr.Size != 0 {
		t.Errorf("%v, %+v, %v", qids, attr, err)
	}
	q, _, err := f.Open(p9.ReadWrite | flagTrunc)
	if err != nil || q.Version != 0 {
		t.Errorf("open: %v, %v", q, err)
	}
	if n, err := f.WriteAt([]byte("start\n"), 0); n != 6 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := f.WriteAt([]byte("bad\n"), 0); !errors.Is(err, linux.EINVAL) || err.Error() != "unknown control request" {
		t.Errorf("got %v", err)
	}
	p := make([]byte, 1<<20)
	if n, err := f.ReadAt(p, 0); string(p[:n]) != "start\n" || err != nil {
		t.Errorf("read %q, %v", p[:n], err)
	}
	f.Close()
	for i := 1; i < 4; i++ {
		f := walkTo(t, root, "dev", "count")
		_, _, n, _, err := f.OpenRead(p9.ReadOnly, p)
		if n != 0 || err != nil {
			t.Errorf("read with the open: %d, %v", n, err)
		}
		if n, err := f.ReadAt(p, 0); string(p[:n]) != strings.Repeat("I", i)+"\n" || err != nil {
			t.Errorf("read %q, %v", p[:n], err)
		}
		f.Close()
	}
	if got, _ := fs.Data("/dev/ctl"); got != "start\n" {
		t.Errorf("ctl has %q", got)
	}
}

// TestPlan9Flush: a read that waits ends with its context, at the server too, and the fid works on.
func TestPlan9Flush(t *testing.T) {
	fs, root := ramfsClient(t)
	f := openAt(t, root, p9.ReadOnly, "dev", "wait")
	for range 3 {
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error)
		go func() {
			_, err := f.WithContext(ctx).ReadAt(make([]byte, 10), 0)
			got <- err
		}()
		<-fs.Blocked
		cancel()
		if err := <-got; Errno(err) != linux.EINTR {
			t.Errorf("cancelled read: %v", err)
		}
		if err := <-fs.Ended; err != context.Canceled {
			t.Errorf("at the server: %v", err)
		}
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	root.Close()
	reaches(t, "requests", root.c.stats.Pending.Load, 0)
}

// TestPlan9Lacks: what the dialect has no message for.
func TestPlan9Lacks(t *testing.T) {
	fs, root := ramfsClient(t)
	fs.Add("/f", "", 0o644)
	f := openAt(t, root, p9.ReadOnly, "f")
	for what, err := range map[string]error{
		"symlink":     first(root.Symlink("a", "b", p9.NoUID, p9.NoGID)),
		"readlink":    first(f.Readlink()),
		"link":        root.Link(f, "g"),
		"device":      first(root.Mknod("n", p9.ModeNamedPipe|0o600, 0, 0, p9.NoUID, p9.NoGID)),
		"getxattr":    first(f.GetXattr("user.a")),
		"listxattr":   first(f.ListXattrs()),
		"setxattr":    f.SetXattr("user.a", nil, 0),
		"removexattr": f.RemoveXattr("user.a"),
		"lock":        first(f.Lock(1, p9.WriteLock, 0, 0, 0, "")),
		"getlock":     first(f.GetLock(Lock{})),
	} {
		if err != linux.EOPNOTSUPP {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := root.StatFS(); err != linux.ENOSYS {
		t.Errorf("statfs: %v", err)
	}
	f.Close()
	root.Close()
	reaches(t, "fids", root.c.stats.Fids.Load, 0)
}

// plan9Names are names that are so long that a directory takes many reads.
func plan9Names(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%04d%s", i, strings.Repeat("n", i%200))
	}
	return names
}

// TestPlan9ReadDirectory reads a directory in pieces, from offsets that the server would refuse.
func TestPlan9ReadDirectory(t *testing.T) {
	fs, root := ramfsClient(t)
	fs.Add("/d", "", plan9.DMDIR|0o755)
	names := plan9Names(500)
	for _, name := range names {
		fs.Add("/d/"+name, name, 0o640)
	}
	d := openAt(t, root, p9.ReadOnly, "d")
	var offsets []uint64
	for range 2 { // from the start again
		var got []string
		offsets = nil
		for offset := uint64(0); ; {
			list, err := d.ReaddirAttr(offset, 1500)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			for _, e := range list {
				if e.Attr.Size != uint64(len(e.Name)) || e.Attr.Mode != p9.ModeRegular|0o640 || !e.Valid.Size || e.Attr.UID != 1000 {
					t.Errorf("%s: %+v", e.Name, e.Attr)
				}
				got = append(got, e.Name)
				offset = e.Offset
				offsets = append(offsets, offset)
			}
		}
		if !slices.Equal(got, names) {
			t.Fatalf("%d entries, not as they are", len(got))
		}
	}
	for _, i := range []int{499, 3, 250, 251, 0, 498} {
		list, err := d.Readdir(offsets[i], 8000)
		if i == 499 {
			if len(list) != 0 || err != nil {
				t.Errorf("after the last: %v, %v", list, err)
			}
		} else if err != nil || len(list) == 0 || list[0].Name != names[i+1] {
			t.Errorf("after %d: %v, %v", i, list, err)
		}
	}
	// A directory that is open can be walked from, which its fid could not.
	walkTo(t, d, names[7]).Close()
	if list, err := d.Readdir(0, 1); len(list) != 1 || err != nil {
		t.Errorf("at least one: %v, %v", list, err)
	}
	if _, err := openAt(t, root, p9.ReadOnly, "d", names[0]).Readdir(0, 100); err != linux.ENOTDIR {
		t.Errorf("got %v", err)
	}
}

// TestPlan9OfOurs: our own server, when it is asked for 9P2000, is one such server more; here the names of users are numbers.
func TestPlan9OfOurs(t *testing.T) {
	c, stats := clientOf(t, Version9P2000, smallTree())
	root := attachRoot(t, c, "")
	_, f, _, attr, err := root.WalkGetAttr([]string{"f"})
	if err != nil || attr.Mode != p9.ModeRegular|0o644 || attr.UID != 10 || attr.GID != 20 || attr.Size != 12 || attr.MTimeSeconds != 1000 {
		t.Errorf("%+v, %v", attr, err)
	}
	if err := f.SetAttr(p9.SetAttrMask{Size: true, Permissions: true}, p9.SetAttr{Size: 2, Permissions: 0o600}); err != nil {
		t.Error(err)
	}
	if err := f.Rename(root, "g"); err != nil {
		t.Error(err)
	}
	f.Close()
	made, _, _, err := root.Create("made", p9.WriteOnly, 0o666, p9.NoUID, p9.NoGID)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := made.WriteAt([]byte("written"), 0); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if err := made.FSync(); err != nil {
		t.Error(err)
	}
	made.Close()
	sizes := map[string]int64{"d": 0, "g": 2, "made": 7}
	exerciseDirectory(t, root, sizes, 2000)
	if err := root.RenameAt("made", root, "g"); err != nil {
		t.Error(err)
	}
	p := make([]byte, 10)
	g := openAt(t, root, p9.ReadOnly, "g")
	if n, err := g.ReadAt(p, 0); string(p[:n]) != "written" || err != nil {
		t.Errorf("g has %q, %v", p[:n], err)
	}
	g.Close()
	if _, err := root.entry("made"); !errors.Is(err, linux.ENOENT) {
		t.Errorf("got %v", err)
	}
	if _, err := root.Mkdir("sub", 0o755, p9.NoUID, p9.NoGID); err != nil {
		t.Error(err)
	}
	if err := root.UnlinkAt("sub", removeDir); err != nil {
		t.Error(err)
	}
	if err := root.UnlinkAt("g", 0); err != nil {
		t.Error(err)
	}
	root.Close()
	reaches(t, "fids", stats.Fids.Load, 0)
}
