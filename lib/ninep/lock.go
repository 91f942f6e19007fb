package ninep

import (
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

func (r *request) lock(m *tlock, a *rlock) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	switch {
	case f.state.Load() != fidOpen:
		return linux.EBADF
	case m.kind > uint8(p9.Unlock):
		return linux.EINVAL
	}
	if err := checkPath(m.client); err != nil {
		return err
	}
	s, err := f.view(r).Lock(int(m.pid), p9.LockType(m.kind), p9.LockFlags(m.flags), m.start, m.length, m.client)
	a.status = uint8(s)
	return err
}

func (r *request) getlock(m *tgetlock, a *rgetlock) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	if f.state.Load() != fidOpen {
		return linux.EBADF
	}
	switch {
	case m.lock.Type > p9.Unlock:
		return linux.EINVAL
	case m.lock.Type == p9.Unlock:
		m.lock.Type = p9.WriteLock // v9fs always asks so, for whatever stands in the way
	}
	if err := checkPath(m.lock.Client); err != nil {
		return err
	}
	t, ok := f.view(r).(LockGetter)
	if !ok {
		return linux.EOPNOTSUPP
	}
	a.lock, err = t.GetLock(m.lock)
	return err
}
