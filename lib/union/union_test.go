package union

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/fsimpl/localfs"
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// newUnion makes a union of directories with those files; a directory's name that ends in + takes new files. It returns the union's root and
// where the directories are.
func newUnion(t *testing.T, dirs ...map[string]string) (p9.File, []string) {
	t.Helper()
	var members []Member
	var paths []string
	for _, files := range dirs {
		dir := t.TempDir()
		paths = append(paths, dir)
		_, create := files["+"]
		for name, data := range files {
			if name == "+" {
				continue
			}
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		root, err := localfs.Attacher(dir).Attach()
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, Member{root, create})
	}
	u, err := New(members)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	root, err := u.Attach()
	if err != nil {
		t.Fatal(err)
	}
	return root, paths
}

func names(t *testing.T, dir p9.File) (all []string) {
	t.Helper()
	_, f, err := dir.Walk(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, _, err := f.Open(p9.ReadOnly); err != nil {
		t.Fatal(err)
	}
	for offset := uint64(0); ; {
		list, err := f.Readdir(offset, 400) // a few at a time
		if err != nil {
			t.Fatal(err)
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

func read(t *testing.T, dir p9.File, path string) string {
	t.Helper()
	_, f, err := dir.Walk(strings.Split(path, "/"))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer f.Close()
	if _, _, err := f.Open(p9.ReadOnly); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	b := make([]byte, 100)
	n, _ := f.ReadAt(b, 0)
	return string(b[:n])
}

func TestNames(t *testing.T) {
	root, _ := newUnion(t,
		map[string]string{"a": "1", "both": "1", "d/x": "1"},
		map[string]string{"b": "2", "both": "2", "d/y": "2", "e/f/g": "2"},
		map[string]string{"c": "3", "a": "3"})
	got := names(t, root)
	slices.Sort(got)
	if want := []string{"a", "b", "both", "c", "d", "e"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	for path, want := range map[string]string{"a": "1", "b": "2", "both": "1", "c": "3", "d/x": "1", "e/f/g": "2"} {
		if got := read(t, root, path); got != want {
			t.Errorf("%s: read %q, want %q", path, got, want)
		}
	}
	for _, path := range []string{"none", "d/y", "d/none"} { // shallow: d is the first member's alone
		if _, _, err := root.Walk(strings.Split(path, "/")); ninep.Errno(err) != linux.ENOENT {
			t.Errorf("%s: %v, want ENOENT", path, err)
		}
	}
}

func TestQidsDiffer(t *testing.T) {
	root, paths := newUnion(t, map[string]string{"a": ""}, map[string]string{})
	if err := os.Link(filepath.Join(paths[0], "a"), filepath.Join(paths[1], "b")); err != nil {
		t.Fatal(err)
	}
	path := func(name string) uint64 {
		q, f, err := root.Walk([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		g, _, _, err := f.GetAttr(p9.AttrMaskAll)
		if err != nil || g.Path != q[0].Path {
			t.Errorf("%s: qid %v of walk, %v of getattr, %v", name, q, g, err)
		}
		return g.Path
	}
	if path("a") == path("b") { // two file systems may number their files alike, and these are such to the union
		t.Error("files of two members have one qid")
	}
}

func TestChanges(t *testing.T) {
	with := map[string]string{"+": "", "mine": "2"}
	root, paths := newUnion(t, map[string]string{"a": "1", "hides": "1"}, with, map[string]string{"+": "", "hides": "3", "d/x": "3"})
	has := func(i int, name string, want bool) {
		t.Helper()
		if _, err := os.Lstat(filepath.Join(paths[i], name)); (err == nil) != want {
			t.Errorf("member %d has %s: %v, want %v", i, name, err == nil, want)
		}
	}
	create := func(name string) error {
		f, _, _, err := root.Create(name, p9.ReadWrite, 0o644, p9.NoUID, p9.NoGID)
		if err == nil {
			f.Close()
		}
		return err
	}
	if err := create("new"); err != nil {
		t.Fatal(err)
	}
	has(1, "new", true)
	if _, err := root.Mkdir("a", 0o755, p9.NoUID, p9.NoGID); ninep.Errno(err) != linux.EEXIST {
		t.Errorf("mkdir of a name that another member has: %v, want EEXIST", err)
	}
	if _, err := root.Mkdir("dir", 0o755, p9.NoUID, p9.NoGID); err != nil {
		t.Error(err)
	}
	has(1, "dir", true)
	if _, err := root.Symlink("target", "link", p9.NoUID, p9.NoGID); err != nil {
		t.Error(err)
	}
	has(1, "link", true)
	if err := root.UnlinkAt("hides", 0); err != nil {
		t.Error(err)
	}
	if got := read(t, root, "hides"); got != "3" {
		t.Errorf("what was hidden reads %q", got)
	}
	if err := root.RenameAt("new", root, "newer"); err != nil {
		t.Error(err)
	}
	has(1, "newer", true)
	if err := root.RenameAt("newer", root, "a"); ninep.Errno(err) != linux.EXDEV {
		t.Errorf("rename onto another member's file: %v, want EXDEV", err)
	}
	_, d, err := root.Walk([]string{"d"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := root.RenameAt("newer", d, "x"); ninep.Errno(err) != linux.EXDEV {
		t.Errorf("rename to another member's directory: %v, want EXDEV", err)
	}
	if err := d.RenameAt("x", root, "y"); err != nil {
		t.Errorf("rename out of a directory: %v", err)
	}
	has(2, "y", true)
	_, f, err := root.Walk([]string{"mine"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := root.Link(f, "a"); ninep.Errno(err) != linux.EEXIST {
		t.Errorf("link over another member's name: %v, want EEXIST", err)
	}
	if err := d.Link(f, "there"); ninep.Errno(err) != linux.EXDEV {
		t.Errorf("link between members: %v, want EXDEV", err)
	}
}

func TestNobodyTakesFiles(t *testing.T) {
	root, _ := newUnion(t, map[string]string{"a": "1"}, map[string]string{"b": "2"})
	if _, err := root.Mkdir("d", 0o755, p9.NoUID, p9.NoGID); ninep.Errno(err) != linux.EPERM {
		t.Errorf("mkdir: %v, want EPERM", err)
	}
	if _, _, _, err := root.Create("new", p9.WriteOnly, 0o644, p9.NoUID, p9.NoGID); ninep.Errno(err) != linux.EPERM {
		t.Errorf("create: %v, want EPERM", err)
	}
	_, f, err := root.Walk([]string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := root.Link(f, "c"); ninep.Errno(err) != linux.EPERM {
		t.Errorf("link: %v, want EPERM", err)
	}
}

// broken is a member whose server is gone, or that only answers while its context lives.
type broken struct {
	p9.File
	ctx context.Context
}

func (b broken) WithContext(ctx context.Context) p9.File { return broken{b.File, ctx} }
func (b broken) Walk([]string) ([]p9.QID, p9.File, error) {
	if b.ctx.Err() != nil {
		return nil, nil, linux.EINTR
	}
	return nil, nil, linux.EIO
}
func (broken) GetAttr(p9.AttrMask) (p9.QID, p9.AttrMask, p9.Attr, error) {
	return p9.QID{}, p9.AttrMask{}, p9.Attr{}, linux.EIO
}
func (broken) Close() error { return nil }

func TestMemberFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/a", []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	good, err := localfs.Attacher(dir).Attach()
	if err != nil {
		t.Fatal(err)
	}
	u, err := New([]Member{{broken{ctx: context.Background()}, true}, {good, true}})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	root, err := u.Attach()
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, root); !slices.Equal(got, []string{"a"}) {
		t.Errorf("names %q", got)
	}
	if got := read(t, root, "a"); got != "1" {
		t.Errorf("read %q", got)
	}
	if _, _, err := root.Walk([]string{"none"}); ninep.Errno(err) != linux.EIO {
		t.Errorf("a name that the broken member may have: %v, want EIO", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := root.(ninep.ContextFile).WithContext(ctx).Walk([]string{"none"}); ninep.Errno(err) != linux.EINTR {
		t.Errorf("with a context that has ended: %v, want EINTR", err)
	}
	if _, err := New(nil); err == nil {
		t.Error("a union of nothing")
	}
}
