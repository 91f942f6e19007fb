//go:build linux && !portable

package exportfs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// TestManyFids walks to 100,000 files and opens some, with few descriptors to be had.
func TestManyFids(t *testing.T) {
	root := t.TempDir()
	for i := range 40 {
		for j := range 10 {
			write(t, fmt.Sprintf("%s/%d/%d/deep/file", root, i, j), "text")
		}
	}
	out, err := play(t, "many fids", root).Output()
	if err != nil || string(out) != "ok\n" {
		t.Errorf("%v, %q", err, out)
	}
}

func manyFids(args []string) {
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fail(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}))
	fs, err := New(Options{Root: args[0]})
	fail(err)
	top, err := fs.Attach()
	fail(err)
	var files []p9.File
	for n := range 100_000 {
		_, f, err := top.Walk([]string{fmt.Sprint(n % 40), fmt.Sprint(n / 40 % 10), "deep", "file"})
		fail(err)
		files = append(files, f)
	}
	buf := make([]byte, 10)
	for i, f := range files {
		_, _, a, err := f.GetAttr(p9.AttrMask{})
		if err == nil && a.Size != 4 {
			err = fmt.Errorf("size %d", a.Size)
		}
		fail(err)
		if i%1000 == 0 {
			_, g, err := f.Walk(nil)
			fail(err)
			_, _, err = g.Open(p9.ReadOnly)
			fail(err)
			n, _ := g.ReadAt(buf, 0)
			if string(buf[:n]) != "text" {
				fail(fmt.Errorf("read %q", buf[:n]))
			}
			fail(g.Close())
		}
	}
	for _, f := range files {
		fail(f.Close())
	}
	fail(top.Close())
	fail(fs.Close())
	if n := fs.root.refs; n != 1 || len(fs.root.children) != 0 {
		fail(fmt.Errorf("%d references and %d children left at the root", n, len(fs.root.children)))
	}
	left, err := os.ReadDir("/proc/self/fd")
	fail(err)
	if len(left) > 10 {
		fail(fmt.Errorf("%d descriptors left", len(left)))
	}
	fmt.Println("ok")
}

// Nothing is left of fids that are gone.
func TestNodesGo(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/a/b/c", "text")
	fs, err := New(Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	t.Run("work", func(t *testing.T) {
		top := attach(t, fs, "")
		walk(t, top, "a/b/c")
		open(t, top, "a/b", p9.ReadOnly)
		want(t, "rename", top.RenameAt("a", top, "x"), nil)
		want(t, "unlink", walk(t, top, "x/b").UnlinkAt("c", 0), nil)
		create(t, walk(t, top, "x/b"), "c", p9.WriteOnly)
		create(t, walk(t, top, "x/b"), "d", p9.WriteOnly)
		want(t, "rename", walk(t, top, "x/b").RenameAt("c", top, "c"), nil)
		want(t, "rename", walk(t, top, "x/b").RenameAt("d", top, "c"), nil)
		if err := os.Rename(root+"/x", root+"/y"); err != nil {
			t.Fatal(err)
		}
		write(t, root+"/x/b/c", "text")
		walk(t, top, "x/b/c")
	})
	fs.Close()
	if n := fs.root.refs; n != 1 || len(fs.root.children) != 0 {
		t.Errorf("%d references to the root, nodes beneath it %v", n, fs.root.children)
	}
}

// TestEscape walks through names that are swapped all the while between a directory and a symbolic link out of the tree.
func TestEscape(t *testing.T) {
	outside := t.TempDir()
	write(t, outside+"/b/c/secret", "secret")
	fs, top, root := export(t, Options{})
	fs.dirs.max = 1 // resolve anew as often as can be
	write(t, root+"/a/b/c/secret", "inside")
	write(t, root+"/link/x", "")
	for _, dir := range []string{"a", "a/b", "a/b/c"} {
		target := outside + strings.TrimPrefix(dir, "a")
		if err := os.Symlink(target, root+"/link/"+strings.ReplaceAll(dir, "/", "-")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside+"/b/c/secret", root+"/link/secret"); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var swapping sync.WaitGroup
	swap := func(path, link string) {
		// RENAME_EXCHANGE: at any time there is one or the other.
		unix.Renameat2(unix.AT_FDCWD, root+"/"+path, unix.AT_FDCWD, root+"/link/"+link, unix.RENAME_EXCHANGE)
	}
	swapping.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, s := range [][2]string{{"a", "a"}, {"a/b", "a-b"}, {"a/b/c", "a-b-c"}, {"a/b/c/secret", "secret"}} {
				swap(s[0], s[1])
				swap(s[0], s[1])
			}
		}
	})
	defer swapping.Wait()
	defer close(stop)
	buf := make([]byte, 10)
	reached := 0
	for range 5000 {
		_, f, err := top.Walk([]string{"a", "b", "c", "secret"})
		if err == nil {
			if _, _, err = f.Open(p9.ReadOnly); err == nil {
				n, _ := f.ReadAt(buf, 0)
				if string(buf[:n]) != "inside" {
					t.Errorf("read %q", buf[:n])
				}
				reached++
			}
			f.Close()
		}
		switch {
		case err == nil, errors.Is(err, linux.ENOENT), errors.Is(err, linux.ENOTDIR), errors.Is(err, linux.ESTALE), errors.Is(err, linux.ELOOP):
		default:
			t.Errorf("walk: %v", err)
		}
		_, f, err = top.Walk([]string{"a", "b", "c"})
		if err != nil {
			continue
		}
		if g, _, _, err := f.Create("new", p9.WriteOnly, 0o644, p9.NoUID, p9.NoGID); err == nil {
			g.Close()
			f.UnlinkAt("new", 0)
		}
		f.Close()
	}
	if _, err := os.Stat(outside + "/b/c/new"); err == nil {
		t.Error("a file was made outside")
	}
	t.Logf("reached %d times", reached)
}

// Without openat2(2) directories are opened one by one, to the same effect.
func TestOpenEach(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/a/b/c/file", "text")
	if err := os.Symlink("b", root+"/a/link"); err != nil {
		t.Fatal(err)
	}
	d, err := openRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	long := []string{"a"}
	at := root + "/a"
	for range 20 {
		name := strings.Repeat("x", 255)
		long = append(long, name)
		if err := unix.Mkdir(at, 0o755); err != nil && err != unix.EEXIST {
			t.Fatal(err)
		}
		if len(at) > 3000 {
			break
		}
		at += "/" + name
	}
	long = long[:len(long)-2]
	for _, c := range []struct {
		names []string
		err   []error
	}{
		{[]string{"a"}, []error{nil}},
		{[]string{"a", "b", "c"}, []error{nil}},
		{long, []error{nil}},
		{[]string{"a", "link", "c"}, []error{linux.ELOOP, linux.ENOTDIR}},
		{[]string{"a", "b", "c", "file"}, []error{linux.ENOTDIR}},
		{[]string{"a", "none", "c"}, []error{linux.ENOENT}},
	} {
		for i, open := range []func(int, []string) (int, error){openEach, openBeneath} {
			fd, err := open(d.fd, c.names)
			if err == nil {
				unix.Close(fd)
			}
			ok := false
			for _, e := range c.err {
				ok = ok || errors.Is(err, e)
			}
			if !ok {
				t.Errorf("%d: open %.40q: %v, want %v", i, c.names, err, c.err)
			}
		}
	}
}

// Paths may be longer than any system call takes.
func TestDeepTree(t *testing.T) {
	fs, top, _ := export(t, Options{})
	fs.dirs.max = 2
	name := strings.Repeat("d", 200)
	dirs := []*file{top}
	for range 30 {
		d := dirs[len(dirs)-1]
		if _, err := d.Mkdir(name, 0o755, p9.NoUID, p9.NoGID); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, walk(t, d, name))
	}
	deepest := dirs[len(dirs)-1]
	f := create(t, deepest, "file", p9.ReadWrite)
	if _, err := f.WriteAt([]byte("text"), 0); err != nil {
		t.Fatal(err)
	}
	getattr(t, top)
	for i := 1; i < 10; i++ { // push the deep ones out of the cache
		walk(t, dirs[i], name)
	}
	if got := content(t, open(t, deepest, "file", p9.ReadOnly)); got != "text" {
		t.Errorf("content %q", got)
	}
	want(t, "rename across the tree", deepest.RenameAt("file", top, "file"), nil)
	for i := len(dirs) - 2; i >= 0; i-- {
		want(t, "rmdir", dirs[i].UnlinkAt(name, removeDir), nil)
	}
}

// Renames at one client overtake another's operations, which must find the file in any case.
func TestConcurrentRename(t *testing.T) {
	fs, top, root := export(t, Options{})
	fs.dirs.max = 1
	write(t, root+"/a/b/f", "text")
	write(t, root+"/z/x", "")
	f, other := walk(t, top, "a/b/f"), attach(t, fs, "")
	stop := make(chan struct{})
	var renaming sync.WaitGroup
	renaming.Go(func() {
		z := walk(t, other, "z")
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := other.RenameAt("a", z, "a"); err != nil {
				t.Error(err)
				return
			}
			if err := z.RenameAt("a", other, "a"); err != nil {
				t.Error(err)
				return
			}
		}
	})
	defer renaming.Wait()
	defer close(stop)
	for i := range 2000 {
		if _, _, _, err := f.GetAttr(p9.AttrMask{}); err != nil {
			t.Fatalf("getattr %d: %v", i, err)
		}
		g, err := tryWalk(f, "")
		if err == nil {
			_, _, err = g.Open(p9.ReadOnly)
			g.Close()
		}
		if err != nil {
			t.Fatalf("open %d: %v", i, err)
		}
		walk(t, top, "z").GetAttr(p9.AttrMask{})
	}
}

// TestSpecialFiles describes what it must not open: opening the FIFO would wait for its other end.
func TestSpecialFiles(t *testing.T) {
	_, top, root := export(t, Options{})
	mknod := func(name string, mode p9.FileMode, major, minor uint32) error {
		_, err := top.Mknod(name, mode, major, minor, p9.NoUID, p9.NoGID)
		return err
	}
	want(t, "mknod file", mknod("file", p9.ModeRegular|0o644, 0, 0), nil)
	want(t, "mknod again", mknod("file", p9.ModeRegular|0o644, 0, 0), linux.EEXIST)
	kinds := map[string]p9.FileMode{"fifo": p9.ModeNamedPipe, "sock": p9.ModeSocket}
	for name, kind := range kinds {
		want(t, "mknod "+name, mknod(name, kind|0o644, 0, 0), nil)
	}
	if err := mknod("null", p9.ModeCharacterDevice|0o666, 1, 3); err == nil {
		kinds["null"] = p9.ModeCharacterDevice
	} else {
		want(t, "mknod null without the right to", err, linux.EPERM)
	}
	for name, kind := range kinds {
		f := walk(t, top, name)
		q, a := getattr(t, f)
		if a.Mode.FileType() != kind || q.Type != p9.TypeRegular {
			t.Errorf("%s: %v %o", name, q, a.Mode)
		}
		if kind == p9.ModeCharacterDevice && a.RDev != 0x103 {
			t.Errorf("%s: device %x", name, a.RDev)
		}
		for _, mode := range []p9.OpenFlags{p9.ReadOnly, p9.WriteOnly, p9.ReadWrite} {
			_, _, err := walk(t, top, name).Open(mode)
			want(t, "open "+name, err, linux.ENXIO)
			_, _, _, err = top.Create(name, mode, 0o644, p9.NoUID, p9.NoGID)
			want(t, "create over "+name, err, linux.ENXIO)
		}
		want(t, "chmod "+name, f.SetAttr(p9.SetAttrMask{Permissions: true}, p9.SetAttr{Permissions: 0o600}), nil)
		want(t, "truncate "+name, f.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{}), linux.EINVAL)
		want(t, "touch "+name, f.SetAttr(p9.SetAttrMask{MTime: true}, p9.SetAttr{}), nil)
		if _, err := f.StatFS(); err != nil {
			t.Errorf("statfs of %s: %v", name, err)
		}
		if _, err := f.ListXattrs(); err != nil && !errors.Is(err, linux.EOPNOTSUPP) {
			t.Errorf("xattrs of %s: %v", name, err)
		}
		want(t, "link "+name, top.Link(f, name+"2"), nil)
		want(t, "rename "+name, top.RenameAt(name+"2", top, name+"3"), nil)
		want(t, "unlink "+name, top.UnlinkAt(name+"3", 0), nil)
	}
	list, err := open(t, top, "", p9.ReadOnly).ReaddirAttr(0, 1<<16)
	if err != nil || len(list) != len(kinds)+1 {
		t.Fatalf("%d entries, %v", len(list), err)
	}
	for _, e := range list {
		if kind, ok := kinds[e.Name]; ok && e.Attr.Mode.FileType() != kind {
			t.Errorf("%s: %o", e.Name, e.Attr.Mode)
		}
	}
	if _, err := os.Lstat(root + "/fifo"); err != nil {
		t.Error(err)
	}
}

// TestOpenFileReached: a fid that is not open reaches the file as long as one is.
func TestOpenFileReached(t *testing.T) {
	_, top, root := export(t, Options{})
	f := create(t, top, "f", p9.ReadWrite)
	unopened := walk(t, top, "f")
	if _, err := f.WriteAt([]byte("te"), 0); err != nil {
		t.Fatal(err)
	}
	want(t, "unlink", top.UnlinkAt("f", 0), nil)
	write(t, root+"/f", "another")
	if _, _, a, err := unopened.GetAttr(p9.AttrMask{}); err != nil || a.Size != 2 {
		t.Errorf("getattr of the unopened fid: %v, %v", a, err)
	}
	if got := content(t, open(t, unopened, "", p9.ReadOnly)); got != "te" {
		t.Errorf("opened after unlink: %q", got)
	}
}
