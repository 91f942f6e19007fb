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
