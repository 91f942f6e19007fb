package ninep

import (
	"time"

	"github.com/hugelgupf/p9/p9"
)

// While a lock that is waited for is held by another, the server is asked again after lockWait, then less and less often.
const (
	lockWait    = 10 * time.Millisecond
	lockWaitMax = time.Second
)

// Lock is fcntl(2)'s F_SETLK, or with p9.LockFlagsBlock F_SETLKW, which waits for as long as the file's context allows. Without that
// flag a lock that another holds is p9.LockStatusBlocked.
func (f *File) Lock(pid int, locktype p9.LockType, flags p9.LockFlags, start, length uint64, client string) (p9.LockStatus, error) {
	if err := f.c.checkPath(client, ""); err != nil {
		return p9.LockStatusError, err
	}
	o, err := f.data(0)
	if err != nil {
		return p9.LockStatusError, err
	}
	defer o.unuse()
	t := &tlock{
		fid: o.number, kind: uint8(locktype), flags: uint32(flags),
		start: start, length: length, pid: uint32(pid), client: client,
	}
	for wait := lockWait; ; wait = min(2*wait, lockWaitMax) {
		r := new(rlock)
		if err := f.c.do(f.ctx, t, r, nil); err != nil {
			return p9.LockStatusError, err
		}
		status := p9.LockStatus(r.status)
		if flags&p9.LockFlagsBlock == 0 || status != p9.LockStatusBlocked && status != p9.LockStatusGrace {
			return status, nil
		}
		again := time.NewTimer(wait)
		select {
		case <-again.C:
		case <-f.c.died:
			again.Stop()
			return p9.LockStatusError, errDead
		case <-f.ctx.Done():
			again.Stop()
			return p9.LockStatusError, f.ctx.Err()
		}
	}
}

// GetLock is fcntl(2)'s F_GETLK.
func (f *File) GetLock(l Lock) (Lock, error) {
	if err := f.c.checkPath(l.Client, ""); err != nil {
		return Lock{}, err
	}
	o, err := f.data(0)
	if err != nil {
		return Lock{}, err
	}
	defer o.unuse()
	r := new(rgetlock)
	if err := f.c.do(f.ctx, &tgetlock{fid: o.number, lock: l}, r, nil); err != nil {
		return Lock{}, err
	}
	return r.lock, nil
}

// FSync writes to the server's disk what was written to the file.
func (f *File) FSync() error {
	o, err := f.data(0)
	if err != nil {
		return err
	}
	defer o.unuse()
	if f.c.dialect == dialect9P2000 {
		return f.fsync9()
	}
	return f.c.do(f.ctx, &tfsync{fid: o.number}, new(rfsync), nil)
}
