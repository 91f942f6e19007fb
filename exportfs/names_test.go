package exportfs

import (
	"os"
	"sync"
	"testing"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

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
