//go:build linux

package mnt_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

func names(p place, dir string) []string {
	f, err := os.Open(dir)
	p.check(err)
	defer f.Close()
	list, err := f.Readdirnames(-1)
	p.check(err)
	sort.Strings(list)
	return list
}

func directory(p place) {
	p.check(os.MkdirAll(p.mnt+"/a/b/c", 0o755))
	p.check(os.WriteFile(p.tree+"/a/f", nil, 0o644))
	got := fmt.Sprint(names(p, p.mnt+"/a"))
	p.want(got == "[b f]", "names %v", got)
	out := p.sh("ls -a a; cd a/b/c; ls -a ..; pwd -P")
	if p.v9fs { // which leaves the dots to the server
		out = strings.Replace(".\n..\n"+out, "f\n", "f\n.\n..\n", 1)
	}
	p.want(out == ".\n..\nb\nf\n.\n..\nc\n"+p.mnt+"/a/b/c\n", "ls -a: %q", out)
	p.check(os.Remove(p.mnt + "/a/f"))
	err := os.Remove(p.mnt + "/a/b")
	p.want(errors.Is(err, unix.ENOTEMPTY), "rmdir of one that is not empty: %v", err)
	p.check(os.Remove(p.mnt + "/a/b/c"))
	p.check(os.Remove(p.mnt + "/a/b"))
	got = fmt.Sprint(names(p, p.mnt+"/a"))
	p.want(got == "[]", "names %v", got)
	p.check(os.WriteFile(p.mnt+"/a/new", nil, 0o644))
	got = fmt.Sprint(names(p, p.mnt+"/a"))
	p.want(got == "[new]", "names %v", got)
}

func largeDirectory(p place) {
	n := 1500 // more than one reply holds
	if p.v9fs {
		n = 100 // its guest is slow
	}
	for i := range n {
		p.check(os.WriteFile(fmt.Sprintf("%s/%d-%s", p.tree, i, strings.Repeat("x", i%100)), []byte("x"), 0o644))
	}
	seen := map[string]bool{}
	for _, name := range names(p, p.mnt) {
		p.want(!seen[name], "%s twice", name)
		seen[name] = true
	}
	p.want(len(seen) == n, "%d names", len(seen))
	out := p.sh("ls -l | grep -c ' 1 .* 1 ' || true; ls -l | wc -l; cat * | wc -c")
	p.want(strings.HasSuffix(out, fmt.Sprintf("%d\n%d\n", n+1, n)), "%q", out)
	// Removing while reading leaves nothing out.
	p.sh("rm -r *; ls")
	p.want(len(names(p, p.tree)) == 0, "left: %v", names(p, p.tree))
}

func links(p place) {
	p.check(os.WriteFile(p.mnt+"/f", []byte("x"), 0o644))
	p.check(os.Symlink("f", p.mnt+"/s"))
	to, err := os.Readlink(p.mnt + "/s")
	p.check(err)
	p.want(to == "f", "target %q", to)
	to, err = os.Readlink(p.tree + "/s")
	p.check(err)
	p.want(to == "f", "target at the far side %q", to)
	b, err := os.ReadFile(p.mnt + "/s")
	p.check(err)
	p.want(string(b) == "x", "through the link %q", b)
	p.check(os.Link(p.mnt+"/f", p.mnt+"/g"))
	var f, g unix.Stat_t
	p.check(unix.Stat(p.mnt+"/f", &f))
	p.check(unix.Stat(p.mnt+"/g", &g))
	p.want(f.Ino == g.Ino && f.Nlink == 2 && g.Nlink == 2, "%+v %+v", f, g)
	p.check(os.WriteFile(p.mnt+"/g", []byte("yy"), 0o644))
	b, err = os.ReadFile(p.mnt + "/f")
	p.check(err)
	p.want(string(b) == "yy", "by the other name %q", b)
	p.check(os.Remove(p.mnt + "/f"))
	p.check(unix.Stat(p.mnt+"/g", &g))
	p.want(g.Nlink == 1, "after the other's removal %+v", g)
	b, err = os.ReadFile(p.mnt + "/g")
	p.check(err)
	p.want(string(b) == "yy", "%q", b)
}

func rename(p place) {
	p.check(os.WriteFile(p.mnt+"/a", []byte("a"), 0o644))
	p.check(os.WriteFile(p.mnt+"/b", []byte("b"), 0o644))
	f, err := os.OpenFile(p.mnt+"/a", os.O_RDWR, 0)
	p.check(err)
	p.check(os.Rename(p.mnt+"/a", p.mnt+"/b"))
	_, err = os.Stat(p.mnt + "/a")
	p.want(errors.Is(err, unix.ENOENT), "the old name: %v", err)
	b, err := os.ReadFile(p.mnt + "/b")
	p.check(err)
	p.want(string(b) == "a", "%q", b)
	_, err = f.WriteAt([]byte("c"), 0)
	p.check(err)
	p.check(f.Close())
	b, err = os.ReadFile(p.tree + "/b")
	p.check(err)
	p.want(string(b) == "c", "%q", b)
	p.check(os.Mkdir(p.mnt+"/d", 0o755))
	p.check(os.Rename(p.mnt+"/b", p.mnt+"/d/c"))
	p.check(os.Chmod(p.mnt+"/d/c", 0o600))
	b, err = os.ReadFile(p.mnt + "/d/c")
	p.check(err)
	p.want(string(b) == "c", "%q", b)
	err = os.Rename(p.mnt+"/d", p.mnt+"/d/e")
	p.want(errors.Is(err, unix.EINVAL), "into itself: %v", err)
	p.check(os.WriteFile(p.mnt+"/x", nil, 0o644))
	p.check(os.WriteFile(p.mnt+"/y", nil, 0o644))
	err = unix.Renameat2(unix.AT_FDCWD, p.mnt+"/x", unix.AT_FDCWD, p.mnt+"/y", unix.RENAME_NOREPLACE)
	p.want(errors.Is(err, unix.EEXIST) || errors.Is(err, unix.EINVAL), "without replacing: %v", err)
	p.sh("mv -n x y; test -e x; mv x z; test -e z")
}

func renameDirectory(p place) {
	p.sh("mkdir -p a/b; echo 1 >a/b/f")
	f, err := os.Open(p.mnt + "/a/b/f")
	p.check(err)
	defer f.Close()
	p.check(os.Rename(p.mnt+"/a", p.mnt+"/c"))
	out := p.sh("cat c/b/f; echo 2 >c/b/g; chmod 600 c/b/f; ls c/b; ls")
	p.want(out == "1\nf\ng\nc\n", "%q", out)
	b, err := io.ReadAll(f)
	p.check(err)
	p.want(string(b) == "1\n", "%q", b)
	// And at the far side, under a process's feet.
	p.check(os.Chdir(p.mnt + "/c/b"))
	p.check(os.Rename(p.tree+"/c", p.tree+"/d"))
	p.until("the new name", func() bool {
		b, err := os.ReadFile(p.mnt + "/d/b/f")
		return err == nil && string(b) == "1\n"
	})
	c, err := os.ReadFile("f")
	p.check(err)
	p.want(string(c) == "1\n", "%q", c)
}

func removeOpen(p place) {
	f, err := os.OpenFile(p.mnt+"/f", os.O_CREATE|os.O_RDWR, 0o644)
	p.check(err)
	_, err = f.WriteString("before")
	p.check(err)
	p.check(os.Remove(p.mnt + "/f"))
	_, err = f.WriteString(" after")
	p.check(err)
	p.check(f.Sync())
	b := make([]byte, 12)
	_, err = f.ReadAt(b, 0)
	p.check(err)
	p.want(string(b) == "before after", "%q", b)
	st, err := f.Stat()
	p.check(err)
	p.want(st.Size() == 12, "size %d", st.Size())
	p.check(f.Truncate(3))
	p.check(f.Chmod(0o600))
	st, err = f.Stat()
	p.check(err)
	p.want(st.Size() == 3 && st.Mode() == 0o600, "%v", st)
	p.check(os.WriteFile(p.mnt+"/f", []byte("another"), 0o644))
	_, err = f.ReadAt(b[:3], 0)
	p.check(err)
	p.want(string(b[:3]) == "bef", "%q", b)
	p.check(f.Close())
	c, err := os.ReadFile(p.mnt + "/f")
	p.check(err)
	p.want(string(c) == "another", "%q", c)
}

func removeTree(p place) {
	p.sh(`for d in a b c; do for e in 1 2 3; do mkdir -p t/$d/$e; for f in x y z; do echo $f >t/$d/$e/$f; done; done; done
		find t | wc -l | grep -qx 40
		cp -a t u; diff -r t u; tar cf - t | tar tf - | wc -l | grep -qx 40
		rm -rf t u; test -z "$(ls -A)"`)
}

func special(p place) {
	p.check(unix.Mkfifo(p.mnt+"/fifo", 0o600))
	st, err := os.Lstat(p.tree + "/fifo")
	p.check(err)
	p.want(st.Mode()&os.ModeNamedPipe != 0, "mode %v", st.Mode())
	out := p.sh("echo through >fifo & cat fifo; wait")
	p.want(out == "through\n", "%q", out)
	p.check(unix.Mknod(p.tree+"/sock", unix.S_IFSOCK|0o600, 0))
	st, err = os.Lstat(p.mnt + "/sock")
	p.check(err)
	p.want(st.Mode()&os.ModeSocket != 0, "mode %v", st.Mode())
}

func errorNumbers(p place) {
	p.check(os.WriteFile(p.mnt+"/f", nil, 0o644))
	p.check(os.Mkdir(p.mnt+"/d", 0o755))
	for _, c := range []struct {
		what string
		err  error
		want error
	}{
		{"stat of nothing", second(os.Stat(p.mnt + "/none")), unix.ENOENT},
		{"open of nothing", second(os.Open(p.mnt + "/none")), unix.ENOENT},
		{"file as directory", second(os.Stat(p.mnt + "/f/x")), unix.ENOTDIR},
		{"unlink of a directory", unix.Unlink(p.mnt + "/d"), unix.EISDIR},
		{"rmdir of a file", unix.Rmdir(p.mnt + "/f"), unix.ENOTDIR},
		{"mkdir over a file", unix.Mkdir(p.mnt+"/f", 0o755), unix.EEXIST},
		{"a long name", second(os.Create(p.mnt + "/" + strings.Repeat("x", 256))), unix.ENAMETOOLONG},
		{"writing a directory", second(os.OpenFile(p.mnt+"/d", os.O_RDWR, 0)), unix.EISDIR},
		{"readlink of a file", second(os.Readlink(p.mnt + "/f")), unix.EINVAL},
		{"link over a file", os.Link(p.mnt+"/f", p.mnt+"/d"), unix.EEXIST},
	} {
		p.want(errors.Is(c.err, c.want), "%s: %v, want %v", c.what, c.err, c.want)
	}
}

func second[T any](_ T, err error) error { return err }
