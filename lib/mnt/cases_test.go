//go:build linux

package mnt_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// testCase is a behaviour that every mount has.
type testCase struct {
	name    string
	run     func(p place)
	notV9FS bool          // what v9fs does not do
	skip    func() string // what this machine lacks
}

func needs(program, pkg string) func() string {
	return func() string {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Sprintf("%s is not installed: apt install %s", program, pkg)
		}
		return ""
	}
}

var cases = []testCase{
	{name: "read and write", run: readWrite},
	{name: "large file", run: largeFile},
	{name: "read at any offset", run: readAnywhere},
	{name: "overlapping writes", run: overlappingWrites},
	{name: "append", run: appending},
	{name: "truncate", run: truncating},
	{name: "create exclusively", run: createExclusively},
	{name: "create over what was just not there", run: createOverNew, notV9FS: false},
	{name: "attributes", run: attributes},
	{name: "directory", run: directory},
	{name: "large directory", run: largeDirectory},
	{name: "links", run: links},
	{name: "rename", run: rename},
	{name: "rename a directory", run: renameDirectory},
	{name: "remove an open file", run: removeOpen},
	{name: "remove a tree", run: removeTree},
	{name: "special files", run: special},
	{name: "errors", run: errorNumbers},
	{name: "close to open", run: closeToOpen},
	{name: "change of a file in use", run: changeInUse, notV9FS: true},
	{name: "map shared", run: mapShared},
	{name: "execute", run: execute, skip: needs("gcc", "gcc")},
	{name: "git", run: git, skip: needs("git", "git")},
	{name: "python", run: python, skip: needs("python3", "python3")},
	{name: "locks", run: locks},
	{name: "waiting for a lock", run: lockWait},
	{name: "locks end with the process", run: lockExit},
	{name: "extended attributes", run: xattrs},
	{name: "concurrent readers", run: concurrentReaders},
	{name: "concurrent writers", run: concurrentWriters},
	{name: "statfs", run: statfs},
	{name: "operations that do not exist", run: notThere},
	{name: "access", run: access, notV9FS: true},
}

// pattern is n bytes that tell where they are.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16)*7
	}
	return b
}

func readWrite(p place) {
	p.check(os.WriteFile(p.mnt+"/f", []byte("hello\n"), 0o640))
	b, err := os.ReadFile(p.tree + "/f")
	p.check(err)
	p.want(string(b) == "hello\n", "the tree has %q", b)
	b, err = os.ReadFile(p.mnt + "/f")
	p.check(err)
	p.want(string(b) == "hello\n", "the mount has %q", b)
	st, err := os.Stat(p.tree + "/f")
	p.check(err)
	p.want(st.Mode() == 0o640, "mode %v", st.Mode())
}

func largeFile(p place) {
	want := pattern(20<<20 + 12345)
	p.check(os.WriteFile(p.tree+"/in", want, 0o644))
	got, err := os.ReadFile(p.mnt + "/in")
	p.check(err)
	p.want(bytes.Equal(got, want), "read %d bytes that differ", len(got))
	// Writes of every size, small ones too, that adjoin.
	f, err := os.Create(p.mnt + "/out")
	p.check(err)
	for off, n := 0, 1; off < len(want); n = n*3 + 1 {
		if n > 3<<20 {
			n = 1000
		}
		m := min(n, len(want)-off)
		_, err := f.Write(want[off : off+m])
		p.check(err)
		off += m
	}
	p.check(f.Sync())
	got, err = os.ReadFile(p.tree + "/out")
	p.check(err)
	p.want(bytes.Equal(got, want), "wrote %d bytes that differ", len(got))
	st, err := f.Stat()
	p.check(err)
	p.want(st.Size() == int64(len(want)), "size %d", st.Size())
	p.check(f.Close())
}

func readAnywhere(p place) {
	want := pattern(3<<20 + 77)
	p.check(os.WriteFile(p.tree+"/f", want, 0o644))
	f, err := os.Open(p.mnt + "/f")
	p.check(err)
	defer f.Close()
	for _, off := range []int{0, 1, 4095, 4096, 70000, 1 << 20, 1<<20 - 1, 3<<20 + 70, 3 << 20, 2 << 20, 5} {
		for _, n := range []int{1, 7, 4096, 100000, 1 << 20} {
			b := make([]byte, n)
			k, err := f.ReadAt(b, int64(off))
			w := want[off:min(off+n, len(want))]
			p.want(k == len(w) && bytes.Equal(b[:k], w), "%d bytes at %d: got %d, %v", n, off, k, err)
			p.want(k == n || err == io.EOF, "%d bytes at %d: %v", n, off, err)
		}
	}
	k, err := f.ReadAt(make([]byte, 10), int64(len(want)))
	p.want(k == 0 && err == io.EOF, "at the end: %d, %v", k, err)
}

func overlappingWrites(p place) {
	f, err := os.Create(p.mnt + "/f")
	p.check(err)
	want := make([]byte, 1<<20)
	for i := range 200 {
		off := i * 4000
		b := bytes.Repeat([]byte{byte(i + 1)}, 10000)
		copy(want[off:], b)
		_, err := f.WriteAt(b, int64(off))
		p.check(err)
	}
	p.check(f.Close())
	got, err := os.ReadFile(p.tree + "/f")
	p.check(err)
	p.want(bytes.Equal(got, want[:len(got)]) && len(got) == 199*4000+10000, "%d bytes that differ", len(got))
}

func appending(p place) {
	f, err := os.OpenFile(p.mnt+"/f", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	p.check(err)
	g, err := os.OpenFile(p.tree+"/f", os.O_WRONLY|os.O_APPEND, 0)
	p.check(err)
	var want strings.Builder
	for i := range 20 {
		for j, w := range []*os.File{f, g} {
			line := fmt.Sprintf("%d %d\n", i, j)
			want.WriteString(line)
			_, err := w.WriteString(line)
			p.check(err)
		}
	}
	p.check(f.Close())
	got, err := os.ReadFile(p.tree + "/f")
	p.check(err)
	p.want(string(got) == want.String(), "got %q", got)
	p.want(p.sh("echo one >s; echo two >>s; cat s") == "one\ntwo\n", "the shell's")
}

func truncating(p place) {
	p.check(os.WriteFile(p.mnt+"/f", pattern(100000), 0o644))
	p.check(os.Truncate(p.mnt+"/f", 5))
	b, err := os.ReadFile(p.mnt + "/f")
	p.check(err)
	p.want(bytes.Equal(b, pattern(5)), "got %q", b)
	f, err := os.OpenFile(p.mnt+"/f", os.O_RDWR, 0)
	p.check(err)
	defer f.Close()
	p.check(f.Truncate(10))
	b, err = os.ReadFile(p.mnt + "/f")
	p.check(err)
	p.want(bytes.Equal(b, append(pattern(5), 0, 0, 0, 0, 0)), "got %q", b)
	_, err = f.WriteAt([]byte("tail"), 8)
	p.check(err)
	st, err := f.Stat()
	p.check(err)
	p.want(st.Size() == 12, "size %d", st.Size())
	p.check(f.Truncate(9))
	st, err = os.Stat(p.tree + "/f")
	p.check(err)
	p.want(st.Size() == 9, "size at the far side %d", st.Size())
	g, err := os.OpenFile(p.mnt+"/f", os.O_WRONLY|os.O_TRUNC, 0)
	p.check(err)
	p.check(g.Close())
	st, err = os.Stat(p.mnt + "/f")
	p.check(err)
	p.want(st.Size() == 0, "size %d", st.Size())
}

func createExclusively(p place) {
	f, err := os.OpenFile(p.mnt+"/f", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	p.check(err)
	_, err = f.WriteString("x")
	p.check(err)
	p.check(f.Close())
	_, err = os.OpenFile(p.mnt+"/f", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	p.want(errors.Is(err, unix.EEXIST), "got %v", err)
}

func createOverNew(p place) {
	_, err := os.Stat(p.mnt + "/f")
	p.want(errors.Is(err, unix.ENOENT), "got %v", err)
	p.check(os.WriteFile(p.tree+"/f", []byte("there"), 0o644))
	f, err := os.OpenFile(p.mnt+"/f", os.O_CREATE|os.O_RDWR, 0o600)
	p.check(err)
	b, err := io.ReadAll(f)
	p.check(err)
	p.want(string(b) == "there", "got %q", b)
	p.check(f.Close())
}

func attributes(p place) {
	name := p.mnt + "/f"
	p.check(os.WriteFile(name, []byte("1234"), 0o644))
	p.check(os.Chmod(name, 0o751))
	then := time.Unix(1000000000, 123456789)
	if p.v9fs {
		then = then.Truncate(time.Second) // all that it keeps
	}
	p.check(os.Chtimes(name, then, then))
	for _, n := range []string{name, p.tree + "/f"} {
		st, err := os.Stat(n)
		p.check(err)
		p.want(st.Mode() == 0o751 && st.ModTime().Equal(then) && st.Size() == 4, "%s: %v %v %d", n, st.Mode(), st.ModTime(), st.Size())
	}
	var near, far unix.Stat_t
	p.check(unix.Stat(name, &near))
	p.check(unix.Stat(p.tree+"/f", &far))
	p.want((near.Ino == far.Ino || p.v9fs) && near.Nlink == 1 && near.Blocks == far.Blocks, "near %+v, far %+v", near, far)
	// Times and mode right after a write that is still under way.
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	p.check(err)
	_, err = f.Write(pattern(3 << 20))
	p.check(err)
	p.check(f.Chmod(0o600))
	p.check(unix.Futimes(int(f.Fd()), []unix.Timeval{{Sec: 7}, {Sec: 8}}))
	st, err := f.Stat()
	p.check(err)
	p.want(st.Size() == 3<<20 && st.Mode() == 0o600 && st.ModTime().Unix() == 8, "%d %v %v", st.Size(), st.Mode(), st.ModTime())
	p.check(f.Close())
	st, err = os.Stat(p.tree + "/f")
	p.check(err)
	p.want(st.Size() == 3<<20 && st.ModTime().Unix() == 8, "far: %d %v", st.Size(), st.ModTime())
}

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
		n = 300 // its guest is slow
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

// closeToOpen: an open sees what was written before it, however often and by whomever.
func closeToOpen(p place) {
	for i := range 20 {
		want := strings.Repeat(fmt.Sprint(i), 1+i*i*300)
		p.check(os.WriteFile(p.tree+"/f", []byte(want), 0o644))
		b, err := os.ReadFile(p.mnt + "/f")
		p.check(err)
		p.want(string(b) == want, "round %d: %d bytes of %q, want %d", i, len(b), b[:min(len(b), 3)], len(want))
		// The same size.
		want = strings.Repeat("y", len(want))
		p.check(os.WriteFile(p.tree+"/f", []byte(want), 0o644))
		b, err = os.ReadFile(p.mnt + "/f")
		p.check(err)
		p.want(string(b) == want, "round %d, same size: %d bytes of %q", i, len(b), b[:min(len(b), 3)])
		p.check(os.WriteFile(p.mnt+"/f", []byte("mine"), 0o644))
		b, err = os.ReadFile(p.tree + "/f")
		p.check(err)
		p.want(string(b) == "mine", "at the far side %q", b)
	}
	// A file in place of another, and in place of none.
	for i := range 5 {
		want := fmt.Sprint("other ", i)
		p.check(os.WriteFile(p.tree+"/g", []byte(want), 0o644))
		p.check(os.Rename(p.tree+"/g", p.tree+"/f"))
		b, err := os.ReadFile(p.mnt + "/f")
		p.check(err)
		p.want(string(b) == want, "replaced: %q, want %q", b, want)
	}
	p.check(os.Remove(p.tree + "/f"))
	_, err := os.ReadFile(p.mnt + "/f")
	p.want(errors.Is(err, unix.ENOENT), "removed: %v", err)
	p.check(os.WriteFile(p.tree+"/f", []byte("again"), 0o644))
	p.until("the file that is there again", func() bool {
		b, err := os.ReadFile(p.mnt + "/f")
		return err == nil && string(b) == "again"
	})
}

// until waits for what is true after a lifetime at the latest.
func (p place) until(what string, ok func() bool) {
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			p.fatal("never: %s", what)
		}
	}
}

// changeInUse: who keeps a file open sees changes after a while, as tail -f wants it.
func changeInUse(p place) {
	p.check(os.WriteFile(p.tree+"/f", []byte("one\n"), 0o644))
	f, err := os.Open(p.mnt + "/f")
	p.check(err)
	defer f.Close()
	b, err := io.ReadAll(f)
	p.check(err)
	p.want(string(b) == "one\n", "%q", b)
	g, err := os.OpenFile(p.tree+"/f", os.O_APPEND|os.O_WRONLY, 0)
	p.check(err)
	_, err = g.WriteString("two\n")
	p.check(err)
	p.check(g.Close())
	var more []byte
	p.until("the line that was appended", func() bool {
		b, err := io.ReadAll(f)
		p.check(err)
		more = append(more, b...)
		return len(more) > 0
	})
	p.want(string(more) == "two\n", "%q", more)
	p.check(os.WriteFile(p.tree+"/f", []byte("ONE\nTWO\n"), 0o644))
	p.until("the change", func() bool {
		b := make([]byte, 8)
		_, err := f.ReadAt(b, 0)
		p.check(err)
		return string(b) == "ONE\nTWO\n"
	})
}

func mapShared(p place) {
	p.check(os.WriteFile(p.mnt+"/f", make([]byte, 100000), 0o644))
	f, err := os.OpenFile(p.mnt+"/f", os.O_RDWR, 0)
	p.check(err)
	m, err := unix.Mmap(int(f.Fd()), 0, 100000, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	p.check(err)
	copy(m[5000:], "mapped")
	m[99999] = 'z'
	p.check(unix.Msync(m, unix.MS_SYNC))
	b, err := os.ReadFile(p.tree + "/f")
	p.check(err)
	p.want(string(b[5000:5006]) == "mapped" && b[99999] == 'z', "after msync %q", b[5000:5006])
	copy(m[50000:], "again")
	p.check(unix.Munmap(m))
	p.check(f.Close())
	b, err = os.ReadFile(p.tree + "/f")
	p.check(err)
	p.want(string(b[50000:50005]) == "again", "after close %q", b[50000:50005])
	g, err := os.Open(p.mnt + "/f")
	p.check(err)
	defer g.Close()
	m, err = unix.Mmap(int(g.Fd()), 0, 100000, unix.PROT_READ, unix.MAP_SHARED)
	p.check(err)
	p.want(string(m[50000:50005]) == "again", "mapped to read %q", m[50000:50005])
	p.check(unix.Munmap(m))
}

func execute(p place) {
	p.check(os.WriteFile(p.mnt+"/hello.c", []byte("#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n"), 0o644))
	out := p.sh("gcc -o hello hello.c; ./hello; cp hello h2; ./h2; printf '#!/bin/sh\\necho script\\n' >s; chmod +x s; ./s")
	p.want(out == "hello\nhello\nscript\n", "%q", out)
}

func git(p place) {
	p.sh(`git init -q r; cd r; git config user.name t; git config user.email t@example.org
		for i in 1 2 3 4 5 6 7 8 9; do echo $i >f$i; done; git add .; git commit -qm one
		git clone -q . ../s; cd ../s; git config user.name t; git config user.email t@example.org
		echo more >>f1; rm f2; git commit -qam two; git fsck --strict --no-progress; git status --short >../status
		test ! -s ../status; git push -q origin HEAD:refs/heads/two; cd ../r; git log --oneline two | wc -l | grep -qx 2
		git gc -q; git fsck --strict --no-progress`)
}

func python(p place) {
	p.check(os.Mkdir(p.mnt+"/pkg", 0o755))
	p.check(os.WriteFile(p.mnt+"/pkg/__init__.py", []byte("x = 42\n"), 0o644))
	p.check(os.WriteFile(p.mnt+"/run.py", []byte("import json, pkg, sqlite3\n"+
		"d = sqlite3.connect('db'); d.execute('create table t(a)'); d.executemany('insert into t values (?)', [(i,) for i in range(1000)]); d.commit()\n"+
		"print(json.dumps(pkg.x), d.execute('select sum(a) from t').fetchone()[0])\n"), 0o644))
	out := p.sh("python3 run.py; ls pkg/__pycache__ | wc -l")
	p.want(out == "42 499500\n1\n", "%q", out)
}

func lockOf(typ int16, start, length int64) *unix.Flock_t {
	return &unix.Flock_t{Type: typ, Whence: io.SeekStart, Start: start, Len: length}
}

func locks(p place) {
	p.check(os.WriteFile(p.mnt+"/f", pattern(100), 0o644))
	f, err := os.OpenFile(p.mnt+"/f", os.O_RDWR, 0)
	p.check(err)
	g, err := os.OpenFile(p.tree+"/f", os.O_RDWR, 0)
	p.check(err)
	// Somebody at the far side, with a lock of its own.
	p.check(unix.FcntlFlock(g.Fd(), unix.F_OFD_SETLK, lockOf(unix.F_WRLCK, 50, 10)))
	err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, lockOf(unix.F_WRLCK, 55, 1))
	p.want(errors.Is(err, unix.EAGAIN), "a lock that is held: %v", err)
	p.check(unix.FcntlFlock(f.Fd(), unix.F_SETLK, lockOf(unix.F_WRLCK, 0, 10)))
	l := lockOf(unix.F_WRLCK, 5, 1)
	p.check(unix.FcntlFlock(g.Fd(), unix.F_OFD_GETLK, l))
	p.want(l.Type == unix.F_WRLCK, "our lock does not show at the far side: %+v", l)
	l = lockOf(unix.F_WRLCK, 52, 1)
	p.check(unix.FcntlFlock(f.Fd(), unix.F_GETLK, l))
	p.want(l.Type == unix.F_WRLCK && l.Start <= 52, "the far lock does not show: %+v", l)
	p.check(unix.FcntlFlock(f.Fd(), unix.F_SETLK, lockOf(unix.F_UNLCK, 0, 10)))
	p.check(unix.FcntlFlock(g.Fd(), unix.F_OFD_SETLK, lockOf(unix.F_WRLCK, 0, 10)))
	p.check(g.Close())
	p.check(unix.FcntlFlock(f.Fd(), unix.F_SETLK, lockOf(unix.F_RDLCK, 0, 0)))
	p.check(f.Close())
	// Between descriptions.
	a, err := os.OpenFile(p.mnt+"/f", os.O_RDWR, 0)
	p.check(err)
	b, err := os.OpenFile(p.mnt+"/f", os.O_RDWR, 0)
	p.check(err)
	p.check(unix.Flock(int(a.Fd()), unix.LOCK_EX|unix.LOCK_NB))
	err = unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	p.want(errors.Is(err, unix.EAGAIN), "flock that is held: %v", err)
	p.check(a.Close())
	p.until("the lock is free", func() bool { return unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil })
	p.check(b.Close())
}

func lockWait(p place) {
	p.check(os.WriteFile(p.mnt+"/f", nil, 0o644))
	g, err := os.OpenFile(p.tree+"/f", os.O_RDWR, 0)
	p.check(err)
	p.check(unix.FcntlFlock(g.Fd(), unix.F_OFD_SETLK, lockOf(unix.F_WRLCK, 0, 0)))
	f, err := os.OpenFile(p.mnt+"/f", os.O_RDWR, 0)
	p.check(err)
	got := make(chan error, 1)
	go func() { got <- unix.FcntlFlock(f.Fd(), unix.F_SETLKW, lockOf(unix.F_WRLCK, 0, 0)) }()
	select {
	case err := <-got:
		p.fatal("got a lock that is held: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	p.check(unix.FcntlFlock(g.Fd(), unix.F_OFD_SETLK, lockOf(unix.F_UNLCK, 0, 0)))
	p.check(<-got)
	p.check(f.Close())
}

func lockExit(p place) {
	p.sh(`: >f; command -v flock >/dev/null || exit 0
		flock f true
		exec 9>f; flock 9; ! flock -n f true; exec 9>&-
		for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do flock -n f true && exit 0; sleep 0.1; done; exit 1`)
}

func xattrs(p place) {
	name := p.mnt + "/f"
	p.check(os.WriteFile(name, nil, 0o644))
	if err := unix.Setxattr(p.tree+"/f", "user.probe", []byte("x"), 0); err != nil {
		return // this machine's file system has none
	}
	p.check(unix.Removexattr(p.tree+"/f", "user.probe"))
	p.check(unix.Setxattr(name, "user.note", []byte("text"), 0))
	err := unix.Setxattr(name, "user.note", []byte("text"), unix.XATTR_CREATE)
	p.want(errors.Is(err, unix.EEXIST), "creating what is there: %v", err)
	b := make([]byte, 100)
	n, err := unix.Getxattr(name, "user.note", b)
	p.check(err)
	p.want(string(b[:n]) == "text", "%q", b[:n])
	n, err = unix.Getxattr(name, "user.note", nil)
	p.want(n == 4 && err == nil, "size %d, %v", n, err)
	n, err = unix.Listxattr(name, b)
	p.check(err)
	p.want(string(b[:n]) == "user.note\x00", "%q", b[:n])
	n, err = unix.Getxattr(p.tree+"/f", "user.note", b)
	p.want(err == nil && string(b[:n]) == "text", "at the far side %q, %v", b[:n], err)
	p.check(unix.Removexattr(name, "user.note"))
	_, err = unix.Getxattr(name, "user.note", b)
	p.want(errors.Is(err, unix.ENODATA), "after removal: %v", err)
}

func concurrentReaders(p place) {
	want := pattern(2 << 20)
	for i := range 8 {
		p.check(os.WriteFile(fmt.Sprintf("%s/%d", p.tree, i), want[i:], 0o644))
	}
	var wg sync.WaitGroup
	errs := make(chan error, 32)
	for i := range 32 {
		wg.Go(func() {
			b, err := os.ReadFile(fmt.Sprintf("%s/%d", p.mnt, i%8))
			if err == nil && !bytes.Equal(b, want[i%8:]) {
				err = errors.New("content differs")
			}
			errs <- err
		})
	}
	wg.Wait()
	for range 32 {
		p.check(<-errs)
	}
}

func concurrentWriters(p place) {
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for i := range 16 {
		wg.Go(func() {
			dir := fmt.Sprintf("%s/%d", p.mnt, i%4)
			os.Mkdir(dir, 0o755)
			for j := range 20 {
				if err := os.WriteFile(fmt.Sprintf("%s/%d-%d", dir, i, j), pattern(j*1000), 0o644); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		})
	}
	wg.Wait()
	for range 16 {
		p.check(<-errs)
	}
	n := 0
	p.check(filepath.Walk(p.tree, func(path string, st os.FileInfo, err error) error {
		if err == nil && st.Mode().IsRegular() {
			var i, j int
			fmt.Sscanf(filepath.Base(path), "%d-%d", &i, &j)
			if st.Size() != int64(j*1000) {
				return fmt.Errorf("%s has %d bytes", path, st.Size())
			}
			n++
		}
		return err
	}))
	p.want(n == 16*20, "%d files", n)
}

func statfs(p place) {
	var near, far unix.Statfs_t
	p.check(unix.Statfs(p.mnt, &near))
	p.check(unix.Statfs(p.tree, &far))
	p.want(near.Blocks == far.Blocks && near.Namelen == far.Namelen, "near %+v far %+v", near, far)
}

func notThere(p place) {
	f, err := os.Create(p.mnt + "/f")
	p.check(err)
	defer f.Close()
	_, err = f.Write(pattern(10000))
	p.check(err)
	err = unix.Fallocate(int(f.Fd()), 0, 0, 100000)
	p.want(errors.Is(err, unix.EOPNOTSUPP), "fallocate: %v", err)
	off, err := unix.Seek(int(f.Fd()), 100, unix.SEEK_HOLE)
	p.want(err == nil && off == 10000, "SEEK_HOLE: %d, %v", off, err)
	_, err = unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	p.want(errors.Is(err, unix.ENOTTY), "TCGETS: %v", err)
	g, err := os.Create(p.mnt + "/g")
	p.check(err)
	h, err := os.Open(p.mnt + "/f")
	p.check(err)
	n, err := io.Copy(g, h)
	p.want(n == 10000 && err == nil, "copying: %d, %v", n, err)
	p.check(h.Close())
	p.check(g.Close())
}

func access(p place) {
	p.check(os.WriteFile(p.mnt+"/x", nil, 0o755))
	p.check(os.WriteFile(p.mnt+"/r", nil, 0o444))
	p.check(os.WriteFile(p.mnt+"/n", nil, 0o600))
	for _, c := range []struct {
		name string
		mode uint32
		ok   bool
	}{{"x", unix.X_OK, true}, {"r", unix.X_OK, false}, {"n", unix.R_OK, true}, {"n", unix.F_OK, true}} {
		err := syscall.Access(p.mnt+"/"+c.name, c.mode)
		p.want((err == nil) == c.ok, "access %s for %d: %v", c.name, c.mode, err)
	}
}
