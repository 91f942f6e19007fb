package exportfs

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
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
