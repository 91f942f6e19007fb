package exportfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"

	"cpu/lib/ninep"
)

// export serves a new directory, for the test's time.
func export(t *testing.T, o Options) (*FS, *file, string) {
	t.Helper()
	if o.Root == "" {
		o.Root = t.TempDir()
	}
	fs, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fs.Close() })
	return fs, attach(t, fs, ""), o.Root
}

func attach(t *testing.T, fs *FS, aname string) *file {
	t.Helper()
	f, err := fs.AttachAs(context.Background(), ninep.Attach{Aname: aname})
	if err != nil {
		t.Fatalf("attach %q: %v", aname, err)
	}
	t.Cleanup(func() { f.Close() })
	return f.(*file)
}

// walk goes to a path below f.
func walk(t *testing.T, f *file, path string) *file {
	t.Helper()
	to, err := tryWalk(f, path)
	if err != nil {
		t.Fatalf("walk %s: %v", path, err)
	}
	t.Cleanup(func() { to.Close() })
	return to
}

func tryWalk(f *file, path string) (*file, error) {
	_, to, err := f.Walk(strings.FieldsFunc(path, func(r rune) bool { return r == '/' }))
	if err != nil {
		return nil, err
	}
	return to.(*file), nil
}

func open(t *testing.T, f *file, path string, mode p9.OpenFlags) *file {
	t.Helper()
	to := walk(t, f, path)
	if _, _, err := to.Open(mode); err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	return to
}

func create(t *testing.T, f *file, name string, flags p9.OpenFlags) *file {
	t.Helper()
	to, _, _, err := f.Create(name, flags, 0o644, p9.NoUID, p9.NoGID)
	if err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
	t.Cleanup(func() { to.Close() })
	return to.(*file)
}

func content(t *testing.T, f *file) string {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// want compares an error; nil wants success.
func want(t *testing.T, what string, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) || (err == nil) != (wanted == nil) {
		t.Errorf("%s: %v, want %v", what, err, wanted)
	}
}

// names are those in a directory, in its order, read count at a time.
func names(t *testing.T, f *file, count uint32) []string {
	t.Helper()
	var all []string
	var offset uint64
	for {
		list, err := f.Readdir(offset, count)
		if err != nil {
			t.Fatalf("readdir at %d: %v", offset, err)
		}
		if len(list) == 0 {
			return all
		}
		for _, d := range list {
			all = append(all, d.Name)
			offset = d.Offset
		}
	}
}

func TestNewFails(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/file", "")
	for _, root := range []string{dir + "/none", dir + "/file"} {
		fs, err := New(Options{Root: root})
		if err == nil {
			fs.Close()
			t.Errorf("New(%s) succeeds", root)
		} else if !strings.Contains(err.Error(), root) {
			t.Errorf("New(%s): %v does not say where", root, err)
		}
	}
}

func TestAttach(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/a/b/file", "text")
	write(t, root+"/secret/file", "text")
	if err := os.Symlink("a", root+"/link"); err != nil {
		t.Fatal(err)
	}
	p, err := ParsePatterns("p", strings.NewReader("- ^/secret$\n"))
	if err != nil {
		t.Fatal(err)
	}
	fs, top, _ := export(t, Options{Root: root, Patterns: p})
	for _, c := range []struct {
		aname string
		err   error
	}{
		{"", nil}, {"/", nil}, {"a", nil}, {"/a/b/", nil}, {"//a//b/file", nil},
		{"none", linux.ENOENT}, {"secret", linux.ENOENT}, {"secret/file", linux.ENOENT}, {"link/b", linux.ENOTDIR}, {"a/b/file/x", linux.ENOTDIR},
	} {
		f, err := fs.AttachAs(context.Background(), ninep.Attach{Aname: c.aname})
		want(t, "attach "+c.aname, err, c.err)
		if err == nil {
			f.Close()
		}
	}

	// ".." goes up to where it was attached.
	q, _, _, err := top.GetAttr(p9.AttrMask{})
	if err != nil {
		t.Fatal(err)
	}
	b := attach(t, fs, "/a/b")
	at, _, _, err := b.GetAttr(p9.AttrMask{})
	if err != nil {
		t.Fatal(err)
	}
	qids, up, err := b.Walk([]string{"..", "..", ".", ".."})
	if err != nil {
		t.Fatal(err)
	}
	up.Close()
	for _, qid := range qids {
		if qid != at {
			t.Errorf("walked to %v, want %v, the root attached to", qid, at)
		}
	}
	qids, up, err = walk(t, top, "a/b").Walk([]string{"..", "..", ".."})
	if err != nil {
		t.Fatal(err)
	}
	up.Close()
	if qids[1] != q || qids[2] != q {
		t.Errorf("walk up from a/b: %v, want the root %v", qids, q)
	}
}

func TestWalk(t *testing.T) {
	_, top, root := export(t, Options{})
	write(t, root+"/dir/file", "text")
	if err := os.Symlink("dir", root+"/link"); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		names []string
		qids  int
		err   error
	}{
		{nil, 0, nil},
		{[]string{"dir"}, 1, nil},
		{[]string{"dir", "file"}, 2, nil},
		{[]string{"link"}, 1, nil},
		{[]string{"dir", "none", "x"}, 1, linux.ENOENT},
		{[]string{"link", "file"}, 1, linux.ENOTDIR},
		{[]string{"dir", "file", "x"}, 2, linux.ENOTDIR},
		{[]string{"dir", "file", ".."}, 2, linux.ENOTDIR},
		{[]string{"dir", "file", "."}, 2, linux.ENOTDIR},
		{[]string{""}, 0, linux.ENOENT},
		{[]string{"dir/file"}, 0, linux.EINVAL},
		{[]string{"/"}, 0, linux.EINVAL},
		{[]string{"a\x00b"}, 0, linux.EINVAL},
		{[]string{long}, 0, linux.ENAMETOOLONG},
	} {
		qids, f, err := top.Walk(c.names)
		want(t, "walk "+strings.Join(c.names, " "), err, c.err)
		if len(qids) != c.qids {
			t.Errorf("walk %q: %d qids, want %d", c.names, len(qids), c.qids)
		}
		if err == nil {
			f.Close()
		} else if f != nil {
			t.Errorf("walk %q: a file with the error", c.names)
		}
	}
	qids, f, valid, attr, err := top.WalkGetAttr([]string{"dir", "file"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	q, valid2, attr2, err := f.GetAttr(p9.AttrMask{})
	if err != nil || q != qids[1] || valid != valid2 || attr != attr2 {
		t.Errorf("walk says %v %v, getattr says %v %v, %v", qids[1], attr, q, attr2, err)
	}
	if _, f, _, attr, err := f.WalkGetAttr(nil); err != nil || attr != attr2 {
		t.Errorf("walk to itself: %v, %v", attr, err)
	} else {
		f.Close()
	}
	f.Close()
	if _, _, err := f.Walk(nil); !errors.Is(err, linux.EBADF) {
		t.Errorf("walk of a closed file: %v", err)
	}
	want(t, "close again", f.Close(), linux.EBADF)
}

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

func TestNames(t *testing.T) {
	_, top, root := export(t, Options{})
	mkdir := func(name string) error {
		_, err := top.Mkdir(name, 0o755, p9.NoUID, p9.NoGID)
		return err
	}
	want(t, "mkdir", mkdir("d"), nil)
	want(t, "mkdir again", mkdir("d"), linux.EEXIST)
	want(t, "mkdir ..", mkdir(".."), linux.EINVAL)
	create(t, top, "f", p9.WriteOnly)
	_, err := top.Symlink("../out/of here", "l", p9.NoUID, p9.NoGID)
	want(t, "symlink", err, nil)
	_, err = top.Symlink("x", "l", p9.NoUID, p9.NoGID)
	want(t, "symlink again", err, linux.EEXIST)
	target, err := walk(t, top, "l").Readlink()
	if err != nil || target != "../out/of here" {
		t.Errorf("readlink: %q, %v", target, err)
	}
	_, err = walk(t, top, "f").Readlink()
	want(t, "readlink of a file", err, linux.EINVAL)

	want(t, "link", walk(t, top, "d").Link(walk(t, top, "f"), "g"), nil)
	want(t, "link again", walk(t, top, "d").Link(walk(t, top, "f"), "g"), linux.EEXIST)
	want(t, "link a directory", top.Link(walk(t, top, "d"), "e"), linux.EPERM)
	a, err := os.Stat(root + "/f")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.Stat(root + "/d/g"); err != nil || !os.SameFile(a, b) {
		t.Errorf("d/g is not f: %v", err)
	}
	other, otherTop, _ := export(t, Options{})
	_ = other
	want(t, "link from another tree", top.Link(otherTop, "x"), linux.EXDEV)
	want(t, "rename to another tree", top.RenameAt("f", otherTop, "f"), linux.EXDEV)

	want(t, "unlink a directory", top.UnlinkAt("d", 0), linux.EISDIR)
	want(t, "rmdir one that is not empty", top.UnlinkAt("d", removeDir), linux.ENOTEMPTY)
	want(t, "rmdir a file", top.UnlinkAt("f", removeDir), linux.ENOTDIR)
	want(t, "unlink with flags", top.UnlinkAt("f", 1), linux.EINVAL)
	want(t, "unlink", walk(t, top, "d").UnlinkAt("g", 0), nil)
	want(t, "rmdir", top.UnlinkAt("d", removeDir), nil)
	want(t, "unlink again", top.UnlinkAt("d", removeDir), linux.ENOENT)
	want(t, "remove", walk(t, top, "f").Remove(), nil)
	want(t, "remove the root", top.Remove(), linux.EBUSY)
	want(t, "remove a link", walk(t, top, "l").Remove(), nil)
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestRename(t *testing.T) {
	_, top, root := export(t, Options{})
	write(t, root+"/a/b/file", "one")
	write(t, root+"/c/other", "two")
	deep := walk(t, top, "a/b/file")
	dir := walk(t, top, "a/b")
	other := walk(t, top, "c/other")

	want(t, "rename a directory", top.RenameAt("a", walk(t, top, "c"), "z"), nil)
	if got := content(t, open(t, deep, "", p9.ReadOnly)); got != "one" {
		t.Errorf("beneath the renamed directory: %q", got)
	}
	if got := content(t, open(t, top, "c/z/b/file", p9.ReadOnly)); got != "one" {
		t.Errorf("at the new name: %q", got)
	}
	want(t, "rename by the file itself", deep.Rename(top, "f"), nil)
	if got := content(t, open(t, deep, "", p9.ReadOnly)); got != "one" {
		t.Errorf("after rename by itself: %q", got)
	}
	_, err := tryWalk(dir, "file")
	want(t, "walk to the old name", err, linux.ENOENT)

	// What a rename replaces is gone; where the name leads is not what its fid meant.
	want(t, "rename over", top.RenameAt("f", walk(t, top, "c"), "other"), nil)
	_, _, _, err = other.GetAttr(p9.AttrMask{})
	want(t, "getattr of what was replaced", err, linux.ESTALE)
	_, _, err = walk(t, other, "").Open(p9.ReadOnly)
	want(t, "open what was replaced", err, linux.ESTALE)
	if got := content(t, open(t, deep, "", p9.ReadOnly)); got != "one" {
		t.Errorf("after rename over: %q", got)
	}

	want(t, "rename into itself", top.RenameAt("c", walk(t, top, "c/z"), "x"), linux.EINVAL)
	want(t, "rename what is not there", top.RenameAt("none", top, "x"), linux.ENOENT)
	want(t, "rename to ..", top.RenameAt("c", top, ".."), linux.EINVAL)
	want(t, "rename to itself", top.RenameAt("c", top, "c"), nil)
	want(t, "rename the root", top.Rename(top, "x"), linux.EBUSY)
	if err := os.Link(root+"/c/other", root+"/same"); err != nil {
		t.Fatal(err)
	}
	want(t, "rename to another name of the same file", top.RenameAt("same", walk(t, top, "c"), "other"), nil)
	if got := content(t, open(t, top, "same", p9.ReadOnly)); got != "one" {
		t.Errorf("same: %q", got)
	}
	if got := content(t, open(t, deep, "", p9.ReadOnly)); got != "one" {
		t.Errorf("after rename to the same file: %q", got)
	}
}

func TestOpenFileSurvives(t *testing.T) {
	_, top, root := export(t, Options{})
	f := create(t, top, "f", p9.ReadWrite)
	unopened := walk(t, top, "f")
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

	if runtime.GOOS != "linux" {
		return
	}
	// A fid that is not open reaches the file as long as one is.
	write(t, root+"/g", "another")
	if _, _, a, err := unopened.GetAttr(p9.AttrMask{}); err != nil || a.Size != 2 {
		t.Errorf("getattr of the unopened fid: %v, %v", a, err)
	}
	if got := content(t, open(t, unopened, "", p9.ReadOnly)); got != "te" {
		t.Errorf("opened after unlink: %q", got)
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

// Any operation may come at any time beside any other, closing included.
func TestConcurrentUse(t *testing.T) {
	fs, top, root := export(t, Options{Patterns: DefaultPatterns()})
	fs.dirs.max = 2
	for _, path := range []string{"a/f", "b/f", "a/c/f"} {
		write(t, root+"/"+path, "text")
	}
	var using sync.WaitGroup
	for i := range 8 {
		using.Go(func() {
			buf := make([]byte, 10)
			for j := range 200 {
				dir, err := tryWalk(top, []string{"a", "b", "a/c", "b/c"}[(i+j)%4])
				if err != nil {
					continue // a/c is renamed all the while
				}
				f, err := tryWalk(dir, "f")
				var each sync.WaitGroup
				do := func(op func()) { each.Go(op) }
				if err == nil {
					do(func() { f.Open(p9.ReadWrite) })
					do(func() { f.ReadAt(buf[:0], 0) })
					do(func() { f.WriteAt([]byte("text"), 0) })
					do(func() { f.GetAttr(p9.AttrMask{}) })
					do(func() { f.SetAttr(p9.SetAttrMask{Size: true, MTime: true}, p9.SetAttr{Size: 3}) })
					do(func() { f.Lock(i, p9.WriteLock, 0, 0, 1, "c") })
					do(func() { f.Close() })
				}
				do(func() { dir.Open(p9.ReadOnly) })
				do(func() { dir.ReaddirAttr(0, 1<<16) })
				do(func() { top.UnlinkAt("g", 0) })
				do(func() { top.Mkdir("g", 0o755, p9.NoUID, p9.NoGID) })
				do(func() { top.UnlinkAt("g", removeDir) })
				if b, err := tryWalk(top, "b"); err == nil {
					do(func() {
						if a, err := tryWalk(top, "a"); err == nil {
							a.RenameAt("c", b, "c")
							b.RenameAt("c", a, "c")
							a.Close()
						}
						b.Close()
					})
				}
				each.Wait()
				if err == nil {
					f.Close()
				}
				dir.Close()
			}
		})
	}
	using.Wait()
	top.Close()
	fs.Close()
	if n := fs.root.refs; n != 1 || len(fs.root.children) != 0 {
		t.Errorf("%d references to the root, nodes beneath it %v", n, fs.root.children)
	}
	if len(fs.locks.files) != 0 || len(fs.locks.waiting) != 0 {
		t.Errorf("locks left: %v", fs.locks.files)
	}
}

func TestReadOnly(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/d/f", "text")
	_, top, _ := export(t, Options{Root: root, ReadOnly: true})
	f := walk(t, top, "d/f")
	for what, err := range map[string]error{
		"setattr":     f.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{}),
		"setxattr":    f.SetXattr("user.x", nil, 0),
		"removexattr": f.RemoveXattr("user.x"),
		"rename":      top.RenameAt("d", top, "e"),
		"rename2":     f.Rename(top, "e"),
		"unlink":      walk(t, top, "d").UnlinkAt("f", 0),
		"remove":      f.Remove(),
		"link":        top.Link(f, "g"),
	} {
		want(t, what, err, linux.EROFS)
	}
	_, err := top.Mkdir("x", 0o755, p9.NoUID, p9.NoGID)
	want(t, "mkdir", err, linux.EROFS)
	_, err = top.Symlink("x", "y", p9.NoUID, p9.NoGID)
	want(t, "symlink", err, linux.EROFS)
	_, err = top.Mknod("x", p9.ModeRegular|0o644, 0, 0, p9.NoUID, p9.NoGID)
	want(t, "mknod", err, linux.EROFS)
	_, _, _, err = top.Create("x", p9.ReadOnly, 0o644, p9.NoUID, p9.NoGID)
	want(t, "create", err, linux.EROFS)
	for _, mode := range []p9.OpenFlags{p9.WriteOnly, p9.ReadWrite, p9.ReadOnly | flagTrunc} {
		_, _, err = f.Open(mode)
		want(t, "open", err, linux.EROFS)
	}
	if got := content(t, open(t, f, "", p9.ReadOnly)); got != "text" {
		t.Errorf("content %q", got)
	}
}

func TestClosed(t *testing.T) {
	fs, top, root := export(t, Options{})
	write(t, root+"/f", "text")
	f := open(t, top, "f", p9.ReadOnly)
	fs.Close()
	if got := content(t, f); got != "text" {
		t.Errorf("open file: %q", got)
	}
	_, err := tryWalk(top, "f")
	want(t, "walk", err, linux.EBADF)
	_, err = fs.Attach()
	if err == nil {
		t.Log("attaching is harmless")
	}
	want(t, "close again", fs.Close(), nil)
}
