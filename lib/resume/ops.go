package resume

import (
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"

	"cpu/lib/ninep"
)

// What follows is each operation as the far side does it: true for those that may be done twice.

// StatFS implements p9.File.
func (f *file) StatFS() (s p9.FSStat, err error) {
	err = f.do(true, func(far p9.File, _ *link) error { s, err = far.StatFS(); return err })
	return s, err
}

// GetAttr implements p9.File.
func (f *file) GetAttr(req p9.AttrMask) (q p9.QID, mask p9.AttrMask, attr p9.Attr, err error) {
	err = f.do(true, func(far p9.File, _ *link) error { q, mask, attr, err = far.GetAttr(req); return err })
	return q, mask, attr, err
}

// SetAttr implements p9.File.
func (f *file) SetAttr(valid p9.SetAttrMask, attr p9.SetAttr) error {
	return f.do(true, func(far p9.File, _ *link) error { return far.SetAttr(valid, attr) })
}

// ReadAt implements p9.File. What a stream has given is gone, so that it cannot be read twice.
func (f *file) ReadAt(p []byte, offset int64) (n int, err error) {
	err = f.do(!f.stream(), func(far p9.File, _ *link) error { n, err = far.ReadAt(p, offset); return err })
	return n, err
}

// appends is O_APPEND.
const appends = p9.OpenFlags(0o2000)

// WriteAt implements p9.File. What is appended cannot be written twice, nor what goes into a stream.
func (f *file) WriteAt(p []byte, offset int64) (n int, err error) {
	f.mu.Lock()
	again := f.qid.Version != 0 && f.flags&appends == 0
	f.mu.Unlock()
	err = f.do(again, func(far p9.File, _ *link) error { n, err = far.WriteAt(p, offset); return err })
	return n, err
}

// FSync implements p9.File.
func (f *file) FSync() error {
	return f.do(true, func(far p9.File, _ *link) error { return far.FSync() })
}

// Readlink implements p9.File.
func (f *file) Readlink() (target string, err error) {
	err = f.do(true, func(far p9.File, _ *link) error { target, err = far.Readlink(); return err })
	return target, err
}

// Readdir implements p9.File.
func (f *file) Readdir(offset uint64, count uint32) (list p9.Dirents, err error) {
	err = f.do(true, func(far p9.File, _ *link) error { list, err = far.Readdir(offset, count); return err })
	return list, err
}

// ReaddirAttr implements ninep.AttrReaddirer, if the far side does.
func (f *file) ReaddirAttr(offset uint64, count uint32) (list []ninep.DirentAttr, err error) {
	err = f.do(true, func(far p9.File, _ *link) error {
		d, ok := far.(ninep.AttrReaddirer)
		if !ok {
			return linux.ENOSYS
		}
		list, err = d.ReaddirAttr(offset, count)
		return err
	})
	return list, err
}

// SetXattr implements p9.File.
func (f *file) SetXattr(attr string, data []byte, flags p9.XattrFlags) error {
	return f.do(true, func(far p9.File, _ *link) error { return far.SetXattr(attr, data, flags) })
}

// GetXattr implements p9.File.
func (f *file) GetXattr(attr string) (data []byte, err error) {
	err = f.do(true, func(far p9.File, _ *link) error { data, err = far.GetXattr(attr); return err })
	return data, err
}

// ListXattrs implements p9.File.
func (f *file) ListXattrs() (names []string, err error) {
	err = f.do(true, func(far p9.File, _ *link) error { names, err = far.ListXattrs(); return err })
	return names, err
}

// RemoveXattr implements p9.File.
func (f *file) RemoveXattr(attr string) error {
	return f.do(false, func(far p9.File, _ *link) error { return far.RemoveXattr(attr) })
}

// Lock implements p9.File. One that waits is asked for again.
func (f *file) Lock(pid int, typ p9.LockType, flags p9.LockFlags, start, length uint64, client string) (st p9.LockStatus, err error) {
	err = f.do(true, func(far p9.File, _ *link) error {
		st, err = far.Lock(pid, typ, flags, start, length, client)
		return err
	})
	return st, err
}

// GetLock implements ninep.LockGetter, if the far side does.
func (f *file) GetLock(l ninep.Lock) (held ninep.Lock, err error) {
	err = f.do(true, func(far p9.File, _ *link) error {
		g, ok := far.(ninep.LockGetter)
		if !ok {
			return linux.ENOSYS
		}
		held, err = g.GetLock(l)
		return err
	})
	return held, err
}

// Mkdir implements p9.File.
func (f *file) Mkdir(name string, mode p9.FileMode, uid p9.UID, gid p9.GID) (q p9.QID, err error) {
	err = f.do(false, func(far p9.File, _ *link) error { q, err = far.Mkdir(name, mode, uid, gid); return err })
	return q, err
}

// Symlink implements p9.File.
func (f *file) Symlink(target, name string, uid p9.UID, gid p9.GID) (q p9.QID, err error) {
	err = f.do(false, func(far p9.File, _ *link) error { q, err = far.Symlink(target, name, uid, gid); return err })
	return q, err
}

// Mknod implements p9.File.
func (f *file) Mknod(name string, mode p9.FileMode, major, minor uint32, uid p9.UID, gid p9.GID) (q p9.QID, err error) {
	err = f.do(false, func(far p9.File, _ *link) error { q, err = far.Mknod(name, mode, major, minor, uid, gid); return err })
	return q, err
}

// UnlinkAt implements p9.File.
func (f *file) UnlinkAt(name string, flags uint32) error {
	return f.do(false, func(far p9.File, _ *link) error { return far.UnlinkAt(name, flags) })
}

// Remove implements ninep.Remover, if the far side does.
func (f *file) Remove() error {
	return f.do(false, func(far p9.File, _ *link) error {
		if r, ok := far.(ninep.Remover); ok {
			return r.Remove()
		}
		return linux.ENOSYS
	})
}

// Renamed implements p9.File.
func (f *file) Renamed(p9.File, string) {}
