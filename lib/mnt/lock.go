//go:build linux

package mnt

import (
	"math"
	"strconv"
	"time"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// retryLock is how long to wait for a lock that a server says is held, where it does not itself wait until it is free.
const retryLock = 100 * time.Millisecond

// lockRequest is a struct fuse_lk_in.
type lockRequest struct {
	h     *handle
	owner uint64
	lock  ninep.Lock
}

// lock takes the request's fields. Who owns a lock is told to the far side as a client's name; the process is for those who ask.
func (r *request) lock() (l lockRequest, err error) {
	if l.h, err = r.file(r.in.u64()); err != nil {
		return l, err
	}
	l.owner = r.in.u64()
	start, end := r.in.u64(), r.in.u64()
	typ, pid := r.in.u32(), r.in.u32()
	if r.in.short || typ > uint32(p9.Unlock) || end < start {
		return l, linux.EINVAL
	}
	l.lock = ninep.Lock{Type: p9.LockType(typ), Start: start, Length: end - start + 1, PID: int(pid), Client: clientName(l.owner)}
	if end >= math.MaxInt64 {
		l.lock.Length = 0
	}
	// The far side tells owners apart by both, and processes may share a lock: it is always the process that locked first.
	n := l.h.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if first, ok := n.locks[l.owner]; ok {
		l.lock.PID = int(first)
	} else if l.lock.PID == 0 {
		l.lock.PID = int(r.pid)
	}
	return l, nil
}

func clientName(owner uint64) string { return strconv.FormatUint(owner, 16) }

func (r *request) setlk(wait bool) error {
	l, err := r.lock()
	if err != nil {
		return err
	}
	flags := p9.LockFlags(0)
	if wait {
		r.block()
		flags = p9.LockFlagsBlock
	}
	n := l.h.node
	if l.lock.Type != p9.Unlock {
		n.mu.Lock()
		if n.locks == nil {
			n.locks = map[uint64]uint32{}
		}
		if _, ok := n.locks[l.owner]; !ok {
			n.locks[l.owner] = uint32(l.lock.PID)
		}
		if l.h.owners == nil {
			l.h.owners = map[uint64]struct{}{}
		}
		l.h.owners[l.owner] = struct{}{}
		n.mu.Unlock()
	}
	for {
		status, err := l.h.fid.with(r.ctx).Lock(l.lock.PID, l.lock.Type, flags, l.lock.Start, l.lock.Length, l.lock.Client)
		switch {
		case err != nil:
			return err
		case status == p9.LockStatusOK:
			return nil
		case status == p9.LockStatusError:
			return linux.ENOLCK
		case !wait:
			return linux.EAGAIN
		}
		select {
		case <-time.After(retryLock):
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
}

func (r *request) getlk() error {
	l, err := r.lock()
	if err != nil {
		return err
	}
	g, ok := l.h.fid.with(r.ctx).(ninep.LockGetter)
	if !ok {
		return linux.EOPNOTSUPP
	}
	held, err := g.GetLock(l.lock)
	if err != nil {
		return err
	}
	end := uint64(math.MaxInt64)
	if held.Length != 0 && held.Start <= math.MaxInt64-held.Length {
		end = held.Start + held.Length - 1
	}
	e := &r.out
	e.u64(held.Start)
	e.u64(end)
	e.u32(uint32(held.Type))
	e.u32(uint32(held.PID))
	return nil
}

// unlock takes back all of owner's locks on h's file, as the end of a file description or of a process's hold on it has it.
func (r *request) unlock(h *handle, owner uint64) {
	n := h.node
	n.mu.Lock()
	pid, ok := n.locks[owner]
	delete(n.locks, owner)
	n.mu.Unlock()
	if ok {
		h.fid.with(r.ctx).Lock(int(pid), p9.Unlock, 0, 0, 0, clientName(owner))
	}
}
