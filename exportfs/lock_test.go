//go:build linux && !portable

package exportfs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"

	"cpu/lib/ninep"
)

// locker is a process somewhere.
type locker struct {
	t      *testing.T
	f      *file
	pid    int
	client string
}

func (l locker) lock(typ p9.LockType, start, length uint64) p9.LockStatus {
	l.t.Helper()
	s, err := l.f.Lock(l.pid, typ, 0, start, length, l.client)
	if err != nil {
		l.t.Fatalf("%s %d: lock: %v", l.client, l.pid, err)
	}
	return s
}

func (l locker) want(what string, typ p9.LockType, start, length uint64, wanted p9.LockStatus) {
	l.t.Helper()
	if s := l.lock(typ, start, length); s != wanted {
		l.t.Errorf("%s: %v by %s %d of %d+%d: %v, want %v", what, typ, l.client, l.pid, start, length, s, wanted)
	}
}

const (
	ok      = p9.LockStatusOK
	blocked = p9.LockStatusBlocked
)

// waitingLocks says how many requests wait in the table.
func waitingLocks(fs *FS) int {
	fs.locks.mu.Lock()
	defer fs.locks.mu.Unlock()
	return len(fs.locks.waiting)
}

// untilWaiting returns once n requests wait.
func untilWaiting(t *testing.T, fs *FS, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for waitingLocks(fs) != n {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%d locks are waited for, want %d", waitingLocks(fs), n)
		}
	}
}

func TestLocks(t *testing.T) {
	fs, top, root := export(t, Options{})
	write(t, root+"/f", "text")
	other := attach(t, fs, "/")
	a := locker{t, open(t, top, "f", p9.ReadWrite), 10, "one"}
	b := locker{t, open(t, other, "f", p9.ReadWrite), 10, "two"}
	c := locker{t, open(t, top, "f", p9.ReadWrite), 11, "one"}
	a2 := locker{t, open(t, top, "f", p9.ReadWrite), 10, "one"}

	a.want("write lock", p9.WriteLock, 0, 10, ok)
	b.want("another client", p9.WriteLock, 5, 1, blocked)
	b.want("another client", p9.ReadLock, 9, 5, blocked)
	c.want("another process", p9.ReadLock, 0, 1, blocked)
	c.want("beside it", p9.WriteLock, 10, 0, ok)
	b.want("the rest of the file", p9.ReadLock, 1000, 1, blocked)
	a2.want("the owner by another fid", p9.WriteLock, 0, 10, ok)
	a.want("downgrade", p9.ReadLock, 0, 10, ok)
	b.want("share", p9.ReadLock, 3, 4, ok)
	a.want("upgrade what is shared", p9.WriteLock, 0, 10, blocked)
	a.want("upgrade what is not", p9.WriteLock, 0, 3, ok)
	a.want("release a part", p9.Unlock, 1, 1, ok)
	b.want("take that part", p9.WriteLock, 1, 1, ok)
	b.want("but no more", p9.WriteLock, 0, 2, blocked)
	b.want("release what is not held", p9.Unlock, 100, 1, ok)

	l, err := c.f.GetLock(ninep.Lock{Type: p9.WriteLock, Start: 0, Length: 1, PID: 11, Client: "one"})
	if err != nil || l != (ninep.Lock{Type: p9.WriteLock, Start: 0, Length: 1, PID: 10, Client: "one"}) {
		t.Errorf("getlock: %+v, %v", l, err)
	}
	l, err = a.f.GetLock(ninep.Lock{Type: p9.ReadLock, Start: 20, Length: 0, PID: 10, Client: "one"})
	if err != nil || l != (ninep.Lock{Type: p9.WriteLock, Start: 10, Length: 0, PID: 11, Client: "one"}) {
		t.Errorf("getlock: %+v, %v", l, err)
	}
	l, err = a.f.GetLock(ninep.Lock{Type: p9.WriteLock, Start: 0, Length: 1, PID: 10, Client: "one"})
	if err != nil || l.Type != p9.Unlock {
		t.Errorf("getlock of one's own: %+v, %v", l, err)
	}

	// Closing releases what was taken through the fid, and nothing else.
	c.f.Close()
	b.want("after the other's close", p9.WriteLock, 10, 0, ok)
	b.want("release all", p9.Unlock, 0, 0, ok)
	a.f.Close()
	a2.f.Close()
	b.want("the whole file", p9.WriteLock, 0, 0, ok)
	b.f.Close()
	if len(fs.locks.files) != 0 {
		t.Errorf("left in the table: %v", fs.locks.files)
	}
}

func TestLockErrors(t *testing.T) {
	_, top, root := export(t, Options{})
	write(t, root+"/f", "text")
	r, w := open(t, top, "f", p9.ReadOnly), open(t, top, "f", p9.WriteOnly)
	for _, c := range []struct {
		what          string
		f             *file
		typ           p9.LockType
		start, length uint64
		err           error
	}{
		{"unopened", walk(t, top, "f"), p9.ReadLock, 0, 0, linux.EBADF},
		{"write lock of a reader", r, p9.WriteLock, 0, 0, linux.EBADF},
		{"read lock of a writer", w, p9.ReadLock, 0, 0, linux.EBADF},
		{"bad type", r, 7, 0, 0, linux.EINVAL},
		{"start of 2^63", r, p9.ReadLock, 1 << 63, 1, linux.EINVAL},
		{"end beyond 2^63", r, p9.ReadLock, 2, math.MaxInt64, linux.EOVERFLOW},
		{"length of 2^64-1", r, p9.ReadLock, 0, math.MaxUint64, linux.EOVERFLOW},
		{"end at 2^63-1", r, p9.ReadLock, 1, math.MaxInt64, nil},
		{"a writer's", w, p9.WriteLock, 0, 1, nil},
	} {
		_, err := c.f.Lock(1, c.typ, 0, c.start, c.length, "c")
		want(t, c.what, err, c.err)
	}
	_, err := r.GetLock(ninep.Lock{Type: p9.Unlock})
	want(t, "getlock of no lock", err, linux.EINVAL)
	_, err = walk(t, top, "f").GetLock(ninep.Lock{})
	want(t, "getlock unopened", err, linux.EBADF)
}

func TestLockWaits(t *testing.T) {
	fs, top, root := export(t, Options{})
	write(t, root+"/f", "text")
	a := open(t, top, "f", p9.ReadWrite)
	b := open(t, top, "f", p9.ReadWrite)
	type result struct {
		status p9.LockStatus
		err    error
	}
	wait := func(ctx context.Context, f *file, pid int) chan result {
		done := make(chan result, 1)
		go func() {
			s, err := f.WithContext(ctx).Lock(pid, p9.WriteLock, p9.LockFlagsBlock, 0, 0, "c")
			done <- result{s, err}
		}()
		return done
	}
	locker{t, a, 1, "c"}.want("first", p9.WriteLock, 0, 10, ok)

	// Granted when the other releases it.
	done := wait(t.Context(), b, 2)
	untilWaiting(t, fs, 1)
	locker{t, a, 1, "c"}.want("release", p9.Unlock, 0, 5, ok)
	untilWaiting(t, fs, 1) // half of it will not do
	locker{t, a, 1, "c"}.want("release", p9.Unlock, 0, 0, ok)
	if r := <-done; r.status != ok || r.err != nil {
		t.Errorf("released: %v", r)
	}

	// Broken off.
	ctx, cancel := context.WithCancel(t.Context())
	done = wait(ctx, a, 1)
	untilWaiting(t, fs, 1)
	cancel()
	if r := <-done; ninep.Errno(r.err) != linux.EINTR {
		t.Errorf("cancelled: %v", r)
	}

	// Granted when the other's fid is closed; ended when one's own is.
	done = wait(t.Context(), a, 1)
	c := open(t, top, "f", p9.ReadWrite)
	mine := wait(t.Context(), c, 3)
	untilWaiting(t, fs, 2)
	c.Close()
	if r := <-mine; !errors.Is(r.err, linux.EBADF) {
		t.Errorf("closed while waiting: %v", r)
	}
	b.Close()
	if r := <-done; r.status != ok || r.err != nil {
		t.Errorf("closed: %v", r)
	}
}

func TestDeadlock(t *testing.T) {
	fs, top, root := export(t, Options{})
	write(t, root+"/f", "text")
	write(t, root+"/g", "text")
	f1, g1 := open(t, top, "f", p9.ReadWrite), open(t, top, "g", p9.ReadWrite)
	f2, g2 := open(t, top, "f", p9.ReadWrite), open(t, top, "g", p9.ReadWrite)
	locker{t, f1, 1, "c"}.want("f", p9.WriteLock, 0, 0, ok)
	locker{t, g2, 2, "c"}.want("g", p9.WriteLock, 0, 0, ok)
	done := make(chan error, 1)
	go func() {
		_, err := g1.Lock(1, p9.WriteLock, p9.LockFlagsBlock, 0, 0, "c")
		done <- err
	}()
	untilWaiting(t, fs, 1)
	_, err := f2.Lock(2, p9.WriteLock, p9.LockFlagsBlock, 0, 0, "c")
	want(t, "wait for each other", err, linux.EDEADLK)
	g2.Close()
	want(t, "after the other gave up", <-done, nil)
}

// TestLockOutside holds locks against a process that knows nothing of this one.
func TestLockOutside(t *testing.T) {
	_, top, root := export(t, Options{})
	write(t, root+"/f", "text")
	c := play(t, "lock", root+"/f")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Wait()
	defer in.Close()
	answers := bufio.NewScanner(pipe)
	outside := func(line, wanted string) {
		t.Helper()
		fmt.Fprintln(in, line)
		if !answers.Scan() || answers.Text() != wanted {
			t.Errorf("outside: %s: %s, want %s", line, answers.Text(), wanted)
		}
	}
	r := locker{t, open(t, top, "f", p9.ReadOnly), 1, "c"}
	a := locker{t, open(t, top, "f", p9.ReadWrite), 2, "c"}
	b := locker{t, open(t, top, "f", p9.ReadWrite), 3, "c"}

	// Theirs is seen outside.
	r.want("read lock", p9.ReadLock, 0, 10, ok)
	outside("read 0 10", "ok")
	outside("write 0 10", "blocked")
	outside("unlock 0 10", "ok")
	a.want("share", p9.ReadLock, 5, 10, ok)
	a.want("write lock elsewhere", p9.WriteLock, 100, 10, ok)
	r.want("release", p9.Unlock, 0, 0, ok)
	outside("write 0 5", "ok")
	outside("write 0 6", "blocked") // a still has those
	outside("read 100 1", "blocked")
	outside("unlock 0 0", "ok")
	a.f.Close()
	outside("write 0 0", "ok")

	// And the outside's is seen by them.
	b.want("locked outside", p9.ReadLock, 0, 1, blocked)
	l, err := b.f.GetLock(ninep.Lock{Type: p9.ReadLock, PID: 3, Client: "c"})
	if err != nil || l.Type != p9.WriteLock || l.PID != c.Process.Pid || l.Length != 0 {
		t.Errorf("getlock: %+v, %v", l, err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := b.f.Lock(3, p9.WriteLock, p9.LockFlagsBlock, 0, 1, "c")
		done <- err
	}()
	outside("unlock 0 0", "ok")
	want(t, "released outside", <-done, nil)
	outside("read 0 1", "blocked")
	b.f.Close()
	outside("read 0 1", "ok")
}

// lockOutside takes commands on standard input: read, write or unlock, the start and the length of a range.
func lockOutside(args []string) {
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		w := strings.Fields(lines.Text())
		start, _ := strconv.ParseInt(w[1], 10, 64)
		length, _ := strconv.ParseInt(w[2], 10, 64)
		types := map[string]int16{"read": unix.F_RDLCK, "write": unix.F_WRLCK, "unlock": unix.F_UNLCK}
		k := unix.Flock_t{Type: types[w[0]], Whence: io.SeekStart, Start: start, Len: length}
		switch err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &k); err {
		case nil:
			fmt.Println("ok")
		case unix.EAGAIN, unix.EACCES:
			fmt.Println("blocked")
		default:
			fmt.Println(err)
		}
	}
}

// Another export in the same process is another process as far as locks go.
func TestLockTwoTrees(t *testing.T) {
	_, top, root := export(t, Options{})
	write(t, root+"/f", "text")
	_, top2, _ := export(t, Options{Root: root})
	a := locker{t, open(t, top, "f", p9.ReadWrite), 1, "c"}
	b := locker{t, open(t, top2, "f", p9.ReadWrite), 1, "c"}
	a.want("one tree", p9.WriteLock, 0, 0, ok)
	b.want("the other", p9.ReadLock, 5, 1, blocked)
	a.want("release", p9.Unlock, 0, 0, ok)
	b.want("the other", p9.ReadLock, 5, 1, ok)
}
