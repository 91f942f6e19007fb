package exportfs

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"

	"cpu/lib/ninep"
)

// Record locks are those of fcntl(2), F_SETLK, with the far process in the place of the local one: it owns its locks, by whatever fid
// they were taken; its own never stand in its way; a new one replaces what it held of the same bytes. They end when it releases
// them, and when the fid they were taken through is closed.
//
// The kernel cannot keep them apart, for to it all far processes are this one. So the table here does, and what it grants is set in
// the kernel as well, on one open file description for each locked file (systemLock), so that processes of this machine see the
// locks, and the far ones theirs.

// lockOwner is a process somewhere.
type lockOwner struct {
	client string
	pid    int
}

// lockTable has the locks on all files of a tree. The zero value is ready.
type lockTable struct {
	mu      sync.Mutex
	files   map[ident]*lockedFile
	waiting map[*lockWait]bool
}

// lockWait is a request that waits for another owner.
type lockWait struct {
	owner, barredBy lockOwner
	file            *lockedFile
	by              *file
	wake            chan struct{} // closed when something has changed
}

// pollLocks is how long at most a process of this machine may have released a lock before it is noticed: the kernel has no wait for
// a lock that a goroutine could break off.
const pollLocks = 100 * time.Millisecond

// errLocked says that a process of this machine has the file locked.
var errLocked = errors.New("locked by another process")

// Lock implements p9.File. Without a context nothing but Close ends a wait; see WithContext.
func (f *file) Lock(pid int, t p9.LockType, flags p9.LockFlags, start, length uint64, client string) (p9.LockStatus, error) {
	return f.lock(context.Background(), pid, t, flags, start, length, client)
}

func (v view) Lock(pid int, t p9.LockType, flags p9.LockFlags, start, length uint64, client string) (p9.LockStatus, error) {
	return v.lock(v.ctx, pid, t, flags, start, length, client)
}

// lock sets or releases a lock. Where another stands in the way it gives LockStatusBlocked, or with LockFlagsBlock waits until ctx
// is done. As for fcntl(2), the fid must be open, for reading if t is a ReadLock, for writing if it is a WriteLock: else EBADF. Two
// owners that would wait for each other get EDEADLK.
func (f *file) lock(ctx context.Context, pid int, t p9.LockType, flags p9.LockFlags, start, length uint64, client string) (p9.LockStatus, error) {
	h := f.open.Load()
	if h == nil || t == p9.ReadLock && !h.readable() || t == p9.WriteLock && !h.writable() {
		return p9.LockStatusError, linux.EBADF
	}
	r, err := toRange(start, length)
	if err != nil {
		return p9.LockStatusError, err
	}
	l := heldLock{lockRange: r, owner: lockOwner{client, pid}, write: t == p9.WriteLock, by: f}
	switch t {
	case p9.Unlock:
		err = f.fs.locks.release(h, &l)
	case p9.ReadLock, p9.WriteLock:
		return f.fs.locks.acquire(ctx, h, &l, flags&p9.LockFlagsBlock != 0)
	default:
		err = linux.EINVAL
	}
	if err != nil {
		return p9.LockStatusError, err
	}
	return p9.LockStatusOK, nil
}

// GetLock implements ninep.LockGetter. A lock of this machine's own has no client, and the pid -1 if it is bound to an open file
// rather than to a process.
func (f *file) GetLock(l ninep.Lock) (ninep.Lock, error) {
	h := f.open.Load()
	if h == nil {
		return l, linux.EBADF
	}
	r, err := toRange(l.Start, l.Length)
	if err != nil {
		return l, err
	}
	if l.Type != p9.ReadLock && l.Type != p9.WriteLock {
		return l, linux.EINVAL
	}
	want := heldLock{lockRange: r, owner: lockOwner{l.Client, l.PID}, write: l.Type == p9.WriteLock, by: f}
	return f.fs.locks.test(h, &want, l)
}

// file finds or makes the entry for a file. Called with mu held; the caller calls tidy when it is done.
func (t *lockTable) file(id ident) *lockedFile {
	f := t.files[id]
	if f == nil {
		f = &lockedFile{id: id}
		if t.files == nil {
			t.files = map[ident]*lockedFile{}
		}
		t.files[id] = f
	}
	return f
}

// tidy forgets a file that nobody cares for. Called with mu held.
func (t *lockTable) tidy(f *lockedFile) {
	if len(f.held) == 0 {
		f.system.close()
		if f.waits == 0 {
			delete(t.files, f.id)
		}
	}
}

func (t *lockTable) acquire(ctx context.Context, h *handle, l *heldLock, wait bool) (p9.LockStatus, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.file(h.id)
	defer t.tidy(f)
	for {
		if l.by.open.Load() == nil || l.by.unlockable {
			return p9.LockStatusError, linux.EBADF
		}
		var poll time.Duration
		w := lockWait{owner: l.owner, file: f, by: l.by, wake: make(chan struct{})}
		if by := f.barring(l); by != nil {
			w.barredBy = by.owner
			if wait && t.deadlock(&w) {
				return p9.LockStatusError, linux.EDEADLK
			}
		} else {
			err := f.system.set(h, f, l)
			if err == nil {
				f.insert(*l)
				t.wakeAll(f) // a write lock may have become a read lock
				return p9.LockStatusOK, nil
			}
			if err != errLocked {
				return p9.LockStatusError, err
			}
			poll = pollLocks
		}
		if !wait {
			return p9.LockStatusBlocked, nil
		}
		if err := t.await(ctx, &w, poll); err != nil {
			return p9.LockStatusError, err
		}
	}
}

// await gives up mu until something has changed, or for the time of poll if that is not 0.
func (t *lockTable) await(ctx context.Context, w *lockWait, poll time.Duration) error {
	var tick <-chan time.Time
	if poll != 0 {
		timer := time.NewTimer(poll)
		defer timer.Stop()
		tick = timer.C
	}
	if t.waiting == nil {
		t.waiting = map[*lockWait]bool{}
	}
	t.waiting[w] = true
	w.file.waits++
	t.mu.Unlock()
	var err error
	select {
	case <-w.wake:
	case <-tick:
	case <-ctx.Done():
		err = ctx.Err()
	}
	t.mu.Lock()
	w.file.waits--
	delete(t.waiting, w)
	return err
}

// wakeAll has those look again who wait for a lock on f. Called with mu held.
func (t *lockTable) wakeAll(f *lockedFile) {
	for w := range t.waiting {
		if w.file == f {
			delete(t.waiting, w)
			close(w.wake)
		}
	}
}

// deadlock says whether the owner w would wait for waits, over however many others, for w's own.
func (t *lockTable) deadlock(w *lockWait) bool {
	seen := map[lockOwner]bool{}
	todo := []lockOwner{w.barredBy}
	for len(todo) > 0 {
		o := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if o == w.owner {
			return true
		}
		if seen[o] {
			continue
		}
		seen[o] = true
		for other := range t.waiting {
			if other.owner == o && other.barredBy != (lockOwner{}) {
				todo = append(todo, other.barredBy)
			}
		}
	}
	return false
}

func (t *lockTable) release(h *handle, l *heldLock) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.file(h.id)
	defer t.tidy(f)
	f.remove(l.lockRange, func(m *heldLock) bool { return m.owner == l.owner })
	err := f.system.clear(f, l.lockRange)
	t.wakeAll(f)
	return err
}

// drop releases all that was locked through a fid, and ends its waits.
func (t *lockTable) drop(by *file) {
	t.mu.Lock()
	defer t.mu.Unlock()
	by.unlockable = true
	h := by.open.Load()
	if h == nil {
		return
	}
	f := t.files[h.id]
	if f == nil {
		return
	}
	defer t.tidy(f)
	var freed []lockRange
	for _, l := range f.held {
		if l.by == by {
			freed = append(freed, l.lockRange)
		}
	}
	for _, r := range freed {
		f.remove(r, func(m *heldLock) bool { return m.by == by })
		f.system.clear(f, r)
	}
	t.wakeAll(f)
}

func (t *lockTable) test(h *handle, want *heldLock, l ninep.Lock) (ninep.Lock, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.file(h.id)
	defer t.tidy(f)
	if by := f.barring(want); by != nil {
		l.Type = p9.ReadLock
		if by.write {
			l.Type = p9.WriteLock
		}
		l.Start, l.Length, l.PID, l.Client = by.first, by.length(), by.owner.pid, by.owner.client
		return l, nil
	}
	return f.system.test(h, want, l)
}
