//go:build linux && !portable

package exportfs

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

func getattr(t *testing.T, f *file) (p9.QID, p9.Attr) {
	t.Helper()
	q, valid, a, err := f.GetAttr(p9.AttrMask{})
	if err != nil {
		t.Fatal(err)
	}
	if !valid.Contains(p9.AttrMask{Mode: true, NLink: true, Size: true, MTime: true, CTime: true, Blocks: true}) {
		t.Fatalf("attributes missing: %v", valid)
	}
	return q, a
}

func TestGetAttr(t *testing.T) {
	_, top, root := export(t, Options{})
	write(t, root+"/f", "text")
	if err := os.Chmod(root+"/f", 0o4751); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(root+"/f", root+"/g"); err != nil {
		t.Fatal(err)
	}
	var s unix.Stat_t
	if err := unix.Lstat(root+"/f", &s); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*file{walk(t, top, "f"), open(t, top, "f", p9.ReadOnly)} {
		q, a := getattr(t, f)
		if q.Path != s.Ino || q.Type != p9.TypeRegular || q.Version == 0 {
			t.Errorf("qid %v of inode %d", q, s.Ino)
		}
		if uint32(a.Mode) != s.Mode || uint32(a.UID) != s.Uid || uint32(a.GID) != s.Gid || uint64(a.NLink) != uint64(s.Nlink) ||
			a.Size != uint64(s.Size) || a.Blocks != uint64(s.Blocks) || a.MTimeSeconds != uint64(s.Mtim.Sec) ||
			a.MTimeNanoSeconds != uint64(s.Mtim.Nsec) || a.CTimeSeconds != uint64(s.Ctim.Sec) || a.ATimeSeconds != uint64(s.Atim.Sec) {
			t.Errorf("attributes %+v\nof %+v", a, s)
		}
	}
	if q, a := getattr(t, top); q.Type != p9.TypeDir || !a.Mode.IsDir() {
		t.Errorf("the root: %v %v", q, a)
	}
	q1, _ := getattr(t, walk(t, top, "f"))
	write(t, root+"/f", "changed")
	q2, _ := getattr(t, walk(t, top, "g"))
	if q1.Path != q2.Path || q1.Version == q2.Version {
		t.Errorf("qid %v before, %v after a change", q1, q2)
	}
}

func TestSetAttr(t *testing.T) {
	_, top, root := export(t, Options{})
	write(t, root+"/f", "text")
	write(t, root+"/d/x", "text")
	if err := os.Symlink("f", root+"/l"); err != nil {
		t.Fatal(err)
	}
	long := time.Date(1999, 12, 31, 23, 59, 59, 5000, time.UTC)
	for _, f := range []*file{walk(t, top, "f"), open(t, top, "f", p9.ReadOnly), open(t, top, "f", p9.ReadWrite), walk(t, top, "d")} {
		before := time.Now().Add(-time.Minute)
		_, a := getattr(t, f)
		size := a.Size
		if a.Mode.IsRegular() {
			size = 3
			want(t, "truncate", f.SetAttr(p9.SetAttrMask{Size: true, MTime: true, CTime: true}, p9.SetAttr{Size: 3}), nil)
		} else {
			want(t, "truncate a directory", f.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{Size: 3}), linux.EISDIR)
		}
		want(t, "chmod", f.SetAttr(p9.SetAttrMask{Permissions: true}, p9.SetAttr{Permissions: 0o1714}), nil)
		want(t, "set mtime", f.SetAttr(p9.SetAttrMask{MTime: true, MTimeNotSystemTime: true},
			p9.SetAttr{MTimeSeconds: uint64(long.Unix()), MTimeNanoSeconds: uint64(long.Nanosecond())}), nil)
		want(t, "set nothing", f.SetAttr(p9.SetAttrMask{}, p9.SetAttr{Size: 1, Permissions: 1}), nil)
		_, b := getattr(t, f)
		if b.Mode != a.Mode.FileType()|0o1714 || b.Size != size || b.MTimeSeconds != uint64(long.Unix()) || b.MTimeNanoSeconds != 5000 ||
			b.ATimeSeconds != a.ATimeSeconds || b.UID != a.UID || b.GID != a.GID {
			t.Errorf("%+v\nbecame %+v", a, b)
		}
		want(t, "set atime", f.SetAttr(p9.SetAttrMask{ATime: true, ATimeNotSystemTime: true}, p9.SetAttr{ATimeSeconds: 1 << 30}), nil)
		want(t, "touch", f.SetAttr(p9.SetAttrMask{MTime: true}, p9.SetAttr{MTimeSeconds: 5}), nil)
		_, b = getattr(t, f)
		if b.ATimeSeconds != 1<<30 || int64(b.MTimeSeconds) < before.Unix() {
			t.Errorf("after touching: %+v", b)
		}
		want(t, "truncate beyond", f.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{Size: 1 << 63}), linux.EFBIG)
	}

	l := walk(t, top, "l")
	want(t, "set a link's mtime", l.SetAttr(p9.SetAttrMask{MTime: true, MTimeNotSystemTime: true}, p9.SetAttr{MTimeSeconds: 77}), nil)
	if _, a := getattr(t, l); a.MTimeSeconds != 77 {
		t.Errorf("link's mtime %d", a.MTimeSeconds)
	}
	if _, a := getattr(t, walk(t, top, "f")); a.MTimeSeconds == 77 {
		t.Error("the link was followed")
	}
	want(t, "chmod a link", l.SetAttr(p9.SetAttrMask{Permissions: true}, p9.SetAttr{Permissions: 0o600}), linux.EOPNOTSUPP)
	want(t, "truncate a link", l.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{}), linux.EINVAL)

	if os.Getuid() != 0 {
		t.Skip("chown needs root")
	}
	want(t, "chown a link", l.SetAttr(p9.SetAttrMask{UID: true, GID: true}, p9.SetAttr{UID: 12, GID: 34}), nil)
	if _, a := getattr(t, l); a.UID != 12 || a.GID != 34 {
		t.Errorf("link of %d %d", a.UID, a.GID)
	}
	f := walk(t, top, "f")
	want(t, "chgrp", f.SetAttr(p9.SetAttrMask{GID: true}, p9.SetAttr{UID: 12, GID: 34}), nil)
	if _, a := getattr(t, f); a.UID != 0 || a.GID != 34 {
		t.Errorf("file of %d %d", a.UID, a.GID)
	}
	want(t, "chown and chmod", f.SetAttr(p9.SetAttrMask{UID: true, Permissions: true}, p9.SetAttr{UID: 12, Permissions: 0o6755}), nil)
	if _, a := getattr(t, f); a.UID != 12 || a.Mode&0o7777 != 0o6755 {
		t.Errorf("file of %d, mode %o", a.UID, a.Mode)
	}
}

// A far process's own umask has been applied already; this one's is not to be.
func TestModes(t *testing.T) {
	_, top, root := export(t, Options{})
	if err := os.Chmod(root, os.ModeSetgid|0o777); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := top.Create("f", p9.WriteOnly, 0o666, p9.NoUID, p9.NoGID); err != nil {
		t.Fatal(err)
	}
	if _, err := top.Mkdir("d", 0o777, p9.NoUID, p9.NoGID); err != nil {
		t.Fatal(err)
	}
	if _, err := top.Mknod("p", p9.ModeNamedPipe|0o622, 0, 0, p9.NoUID, p9.NoGID); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]p9.FileMode{"f": p9.ModeRegular | 0o666, "d": p9.ModeDirectory | 0o2777, "p": p9.ModeNamedPipe | 0o622} {
		if _, a := getattr(t, walk(t, top, name)); a.Mode != mode {
			t.Errorf("%s: mode %o, want %o", name, a.Mode, mode)
		}
	}
}

func TestXattr(t *testing.T) {
	_, top, root := export(t, Options{})
	write(t, root+"/f", "text")
	if err := unix.Setxattr(root+"/f", "user.probe", nil, 0); err != nil {
		t.Skipf("the temporary directory's file system has no extended attributes: %v", err)
	}
	for _, f := range []*file{walk(t, top, "f"), open(t, top, "f", p9.ReadOnly), top} {
		want(t, "set", f.SetXattr("user.a", []byte("value"), p9.XattrCreate), nil)
		want(t, "create again", f.SetXattr("user.a", []byte("value"), p9.XattrCreate), linux.EEXIST)
		want(t, "replace none", f.SetXattr("user.b", []byte("value"), p9.XattrReplace), linux.ENODATA)
		want(t, "set an empty one", f.SetXattr("user.empty", nil, 0), nil)
		v, err := f.GetXattr("user.a")
		if err != nil || string(v) != "value" {
			t.Errorf("get: %q, %v", v, err)
		}
		v, err = f.GetXattr("user.empty")
		if err != nil || len(v) != 0 {
			t.Errorf("get the empty one: %q, %v", v, err)
		}
		list, err := f.ListXattrs()
		if err != nil || !slices.Contains(list, "user.a") || !slices.Contains(list, "user.empty") || slices.Contains(list, "") {
			t.Errorf("list: %q, %v", list, err)
		}
		want(t, "remove", f.RemoveXattr("user.a"), nil)
		want(t, "remove again", f.RemoveXattr("user.a"), linux.ENODATA)
		_, err = f.GetXattr("user.a")
		want(t, "get what was removed", err, linux.ENODATA)
	}
	big := bytes.Repeat([]byte("x"), 3000)
	f := walk(t, top, "f")
	want(t, "set a large one", f.SetXattr("user.big", big, 0), nil)
	if v, err := f.GetXattr("user.big"); err != nil || !bytes.Equal(v, big) {
		t.Errorf("get a large one: %d bytes, %v", len(v), err)
	}

	// A link's are its own; those of its target are not reached through it.
	if err := os.Symlink("f", root+"/l"); err != nil {
		t.Fatal(err)
	}
	l := walk(t, top, "l")
	if list, err := l.ListXattrs(); slices.Contains(list, "user.big") {
		t.Errorf("through a link: %q, %v", list, err)
	}
	want(t, "set a link's", l.SetXattr("user.a", nil, 0), linux.EPERM) // xattr(7): no user attributes on links
	if os.Getuid() == 0 {
		err := l.SetXattr("trusted.a", []byte("x"), 0)
		if v, getErr := l.GetXattr("trusted.a"); err == nil && (getErr != nil || string(v) != "x") {
			t.Errorf("a link's own: %q, %v", v, getErr)
		}
		if _, err := walk(t, top, "f").GetXattr("trusted.a"); !errors.Is(err, linux.ENODATA) {
			t.Errorf("the link's target has it: %v", err)
		}
	}
}

func TestStatFS(t *testing.T) {
	_, top, root := export(t, Options{})
	var s unix.Statfs_t
	if err := unix.Statfs(root, &s); err != nil {
		t.Fatal(err)
	}
	got, err := top.StatFS()
	if err != nil || got.Blocks != s.Blocks || got.BlockSize != uint32(s.Bsize) || got.NameLength != uint32(s.Namelen) || got.Type != uint32(s.Type) {
		t.Errorf("%+v, %v, want %+v", got, err, s)
	}
}

// Files of /proc are made as they are read, which qid.Version 0 says.
func TestLiveFiles(t *testing.T) {
	_, top, _ := export(t, Options{Root: "/"})
	for _, c := range []struct {
		path string
		live bool
	}{
		{"proc", true}, {"proc/version", true}, {"proc/self", true}, {"proc/sys/kernel/ostype", true}, {"sys/kernel", true},
		{"etc", false}, {"etc/passwd", false}, {"", false},
	} {
		f, err := tryWalk(top, c.path)
		if err != nil {
			t.Logf("%s: %v", c.path, err)
			continue
		}
		defer f.Close()
		q, _ := getattr(t, f)
		if (q.Version == 0) != c.live {
			t.Errorf("%s: qid %v", c.path, q)
		}
	}
	if got := content(t, open(t, top, "proc/sys/kernel/ostype", p9.ReadOnly)); got != "Linux\n" {
		t.Errorf("ostype %q", got)
	}
	list, err := open(t, top, "proc", p9.ReadOnly).ReaddirAttr(0, 1<<20)
	if err != nil || len(list) == 0 {
		t.Fatal(err)
	}
	for _, d := range list {
		if d.QID.Version != 0 {
			t.Errorf("/proc/%s: qid %v", d.Name, d.QID)
		}
	}
}

// Two file systems have inodes of the same numbers.
func TestQIDsDiffer(t *testing.T) {
	fs := &FS{dev: 1}
	a := fs.qidPath(ident{1, 2})
	if a != 2 {
		t.Errorf("inode 2 of the root's file system: %d", a)
	}
	seen := map[uint64]ident{}
	for dev := range uint64(100) {
		for ino := range uint64(100) {
			id := ident{dev, ino}
			p := fs.qidPath(id)
			if other, ok := seen[p]; ok {
				t.Errorf("%v and %v have qid path %x", id, other, p)
			}
			seen[p] = id
		}
	}
	if v := version(&info{}); v == 0 {
		t.Error("version 0 of a file with no times")
	}
}
