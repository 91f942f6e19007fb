package exportfs

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

func TestReadWrite(t *testing.T) {
	_, top, root := export(t, Options{})
	f := create(t, top, "f", p9.ReadWrite|flagExcl)
	if n, err := f.WriteAt([]byte("hello, world"), 0); n != 12 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := f.WriteAt([]byte("J"), 0); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if got := content(t, f); got != "Jello, world" {
		t.Errorf("content %q", got)
	}
	buf := make([]byte, 100)
	if n, err := f.ReadAt(buf, 7); n != 5 || err != io.EOF {
		t.Errorf("read to the end: %d, %v", n, err)
	}
	if n, err := f.ReadAt(buf[:5], 7); n != 5 || err != nil {
		t.Errorf("read up to the end: %d, %v", n, err)
	}
	if n, err := f.ReadAt(buf, 1<<40); n != 0 || err != io.EOF {
		t.Errorf("read beyond the end: %d, %v", n, err)
	}
	_, err := f.ReadAt(buf, -1)
	want(t, "read at -1", err, linux.EINVAL)
	_, err = f.WriteAt(buf, -1)
	want(t, "write at -1", err, linux.EINVAL)
	want(t, "fsync", f.FSync(), nil)

	_, err = walk(t, top, "f").ReadAt(buf, 0)
	want(t, "read unopened", err, linux.EBADF)
	want(t, "fsync unopened", walk(t, top, "f").FSync(), linux.EBADF)
	r, w := open(t, top, "f", p9.ReadOnly), open(t, top, "f", p9.WriteOnly)
	_, err = r.WriteAt(buf, 0)
	want(t, "write to what is open for reading", err, linux.EBADF)
	_, err = w.ReadAt(buf, 0)
	want(t, "read from what is open for writing", err, linux.EBADF)
	_, _, err = r.Open(p9.ReadOnly)
	want(t, "open again", err, linux.EBADF)

	a := open(t, top, "f", p9.WriteOnly|flagAppend)
	if _, err := a.WriteAt([]byte("!"), 0); err != nil {
		t.Error(err)
	}
	if got := content(t, r); got != "Jello, world!" {
		t.Errorf("after appending: %q", got)
	}
	open(t, top, "f", p9.WriteOnly|flagTrunc)
	if got := content(t, r); got != "" {
		t.Errorf("after truncating: %q", got)
	}
	if _, err := os.Stat(filepath.Join(root, "f")); err != nil {
		t.Error(err)
	}
}

func TestOpenErrors(t *testing.T) {
	_, top, root := export(t, Options{})
	write(t, root+"/dir/file", "text")
	if err := os.Symlink("dir", root+"/link"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		mode p9.OpenFlags
		err  error
	}{
		{"dir", p9.ReadOnly, nil},
		{"dir", p9.ReadOnly | flagDirectory, nil},
		{"dir", p9.WriteOnly, linux.EISDIR},
		{"dir", p9.ReadWrite, linux.EISDIR},
		{"dir/file", p9.ReadOnly | flagDirectory, linux.ENOTDIR},
		{"dir/file", p9.ReadOnly | flagNofollow, nil},
		{"dir/file", 3, linux.EINVAL},
		{"link", p9.ReadOnly, linux.ELOOP},
		{"link", p9.ReadOnly | flagNofollow, linux.ELOOP},
	} {
		_, _, err := walk(t, top, c.path).Open(c.mode)
		want(t, "open "+c.path, err, c.err)
	}
	for _, c := range []struct {
		name  string
		flags p9.OpenFlags
		err   error
	}{
		{"file", p9.WriteOnly | flagExcl, linux.EEXIST},
		{"file", p9.WriteOnly, nil},
		{"new", p9.ReadOnly, nil},
		{"a/b", p9.WriteOnly, linux.EINVAL},
		{"..", p9.WriteOnly, linux.EINVAL},
		{strings.Repeat("x", 300), p9.WriteOnly, linux.ENAMETOOLONG},
		{"x", 3, linux.EINVAL},
	} {
		f, _, _, err := walk(t, top, "dir").Create(c.name, c.flags, 0o600, p9.NoUID, p9.NoGID)
		want(t, "create "+c.name, err, c.err)
		if err == nil {
			f.Close()
		}
	}
	_, _, _, err := walk(t, top, "dir/file").Create("x", p9.WriteOnly, 0o600, p9.NoUID, p9.NoGID)
	want(t, "create in a file", err, linux.ENOTDIR)
	_, _, _, err = top.Create("dir", p9.ReadWrite, 0o600, p9.NoUID, p9.NoGID)
	want(t, "create over a directory", err, linux.EISDIR)
	_, _, _, err = top.Create("link", p9.ReadWrite, 0o600, p9.NoUID, p9.NoGID)
	want(t, "create over a link", err, linux.ELOOP)
}

func TestOpenFileSurvives(t *testing.T) {
	_, top, _ := export(t, Options{})
	f := create(t, top, "f", p9.ReadWrite)
	if _, err := f.WriteAt([]byte("text"), 0); err != nil {
		t.Fatal(err)
	}
	want(t, "rename", top.RenameAt("f", top, "g"), nil)
	if got := content(t, f); got != "text" {
		t.Errorf("after rename: %q", got)
	}
	want(t, "unlink", top.UnlinkAt("g", 0), nil)
	if got := content(t, f); got != "text" {
		t.Errorf("after unlink: %q", got)
	}
	if _, err := f.WriteAt([]byte("s"), 4); err != nil {
		t.Error(err)
	}
	want(t, "truncate", f.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{Size: 2}), nil)
	if _, _, a, err := f.GetAttr(p9.AttrMask{}); err != nil || a.Size != 2 || a.NLink != 0 {
		t.Errorf("getattr: %v, %v", a, err)
	}
}

func TestReplacedOutside(t *testing.T) {
	_, top, root := export(t, Options{})
	write(t, root+"/d/f", "old")
	f, d := walk(t, top, "d/f"), walk(t, top, "d")
	write(t, root+"/new", "new")
	if err := os.Rename(root+"/new", root+"/d/f"); err != nil {
		t.Fatal(err)
	}
	_, _, _, err := f.GetAttr(p9.AttrMask{})
	want(t, "getattr of a replaced file", err, linux.ESTALE)
	want(t, "truncating a replaced file", f.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{}), linux.ESTALE)
	want(t, "removing a replaced file", f.Remove(), linux.ESTALE)
	if got := content(t, open(t, top, "d/f", p9.ReadOnly)); got != "new" {
		t.Errorf("walked to anew: %q", got)
	}
	if err := os.Remove(root + "/d/f"); err != nil {
		t.Fatal(err)
	}
	_, err = tryWalk(d, "f")
	want(t, "walk to a removed file", err, linux.ENOENT)
	if err := os.Rename(root+"/d", root+"/e"); err != nil {
		t.Fatal(err)
	}
	_, _, _, err = d.GetAttr(p9.AttrMask{})
	want(t, "getattr of a directory renamed outside", err, linux.ENOENT)
}

// The next file of a name may get the number of the one that was removed.
func TestRemade(t *testing.T) {
	_, top, _ := export(t, Options{})
	for i := range 20 {
		create(t, top, "f", p9.WriteOnly|flagExcl).Close()
		old := walk(t, top, "f")
		want(t, "unlink", top.UnlinkAt("f", 0), nil)
		_, _, _, err := old.GetAttr(p9.AttrMask{})
		want(t, "getattr of a removed file", err, linux.ENOENT)
		create(t, top, "f", p9.WriteOnly|flagExcl).Close()
		_, _, _, err = old.GetAttr(p9.AttrMask{})
		want(t, fmt.Sprint("getattr of a file made anew ", i), err, linux.ESTALE)
		want(t, "unlink", top.UnlinkAt("f", 0), nil)
	}
}
