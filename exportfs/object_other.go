//go:build !linux || portable

package exportfs

import (
	"math"
	"os"
	"time"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// object is a file to work on: a name in a directory, or an open handle.
type object struct {
	dir      *dir // its own; nil for a handle's
	name     string
	borrowed *handle
}

func (o object) unpin() {
	if o.dir != nil {
		o.dir.close()
	}
}

func (o object) info() (info, error) {
	if o.borrowed != nil {
		return o.borrowed.info()
	}
	i, err := o.dir.describe(o.name)
	if err == nil && o.name == "." {
		i.id = o.dir.id
	}
	return i, err
}

// open opens the file for I/O. The caller has seen that it is a regular file or a directory: of all else nothing is ever opened.
func (o object) open(flags p9.OpenFlags, i info) (*handle, error) {
	if o.borrowed != nil {
		return nil, linux.ESTALE // an open file cannot be opened again once its name is gone
	}
	if i.attr.Mode.IsDir() && (flags.Mode() != p9.ReadOnly || flags&flagTrunc != 0) {
		return nil, linux.EISDIR
	}
	if !i.attr.Mode.IsDir() && flags&flagDirectory != 0 {
		return nil, linux.ENOTDIR
	}
	f, err := o.dir.root.OpenFile(o.name, systemFlags(flags)&^os.O_TRUNC, 0)
	if err != nil {
		return nil, errno(err)
	}
	h := &handle{file: f, flags: flags, live: i.live, id: i.id}
	if i.attr.Mode.IsDir() {
		root, err := o.dir.root.OpenRoot(o.name)
		if err == nil {
			h.dir, err = newDir(root)
		}
		if err != nil {
			f.Close()
			return nil, errno(err)
		}
	}
	now, err := h.info()
	if err == nil && now.id != i.id && o.name != "." {
		err = linux.ESTALE
	}
	if err == nil && flags&flagTrunc != 0 {
		err = errno(f.Truncate(0))
	}
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// setAttr changes what valid says. It does not change a symbolic link: the calls for that would follow it.
func (o object) setAttr(valid p9.SetAttrMask, attr p9.SetAttr) error {
	i, err := o.info()
	if err != nil {
		return err
	}
	if i.attr.Mode.IsSymlink() {
		return linux.EOPNOTSUPP
	}
	if valid.Size {
		if err := o.truncate(i, attr.Size); err != nil {
			return err
		}
	}
	if valid.UID || valid.GID {
		uid, gid := -1, -1
		if valid.UID {
			uid = int(int32(attr.UID))
		}
		if valid.GID {
			gid = int(int32(attr.GID))
		}
		if err := o.chown(uid, gid); err != nil {
			return errno(err)
		}
	}
	if valid.Permissions {
		if err := o.chmod(osMode(attr.Permissions)); err != nil {
			return errno(err)
		}
	}
	if valid.ATime || valid.MTime {
		return errno(o.chtimes(
			newTime(valid.ATime, valid.ATimeNotSystemTime, attr.ATimeSeconds, attr.ATimeNanoSeconds),
			newTime(valid.MTime, valid.MTimeNotSystemTime, attr.MTimeSeconds, attr.MTimeNanoSeconds)))
	}
	return nil
}

func (o object) chown(uid, gid int) error {
	if o.borrowed != nil {
		return o.borrowed.file.Chown(uid, gid)
	}
	return o.dir.root.Lchown(o.name, uid, gid)
}

func (o object) chmod(mode os.FileMode) error {
	if o.borrowed != nil {
		return o.borrowed.file.Chmod(mode)
	}
	return o.dir.root.Chmod(o.name, mode)
}

func (o object) chtimes(a, m time.Time) error {
	if o.borrowed != nil {
		return fileTimes(o.borrowed.file, a, m)
	}
	return o.dir.root.Chtimes(o.name, a, m)
}

// newTime is the time given, now, or the zero time for none.
func newTime(set, given bool, sec, nsec uint64) time.Time {
	switch {
	case !set:
		return time.Time{}
	case !given:
		return time.Now()
	}
	return time.Unix(int64(sec), int64(nsec))
}

func (o object) truncate(i info, size uint64) error {
	switch {
	case size > math.MaxInt64:
		return linux.EFBIG
	case i.attr.Mode.IsDir():
		return linux.EISDIR
	case !i.attr.Mode.IsRegular():
		return linux.EINVAL
	}
	if o.borrowed != nil {
		return errno(o.borrowed.file.Truncate(int64(size)))
	}
	f, err := o.dir.root.OpenFile(o.name, os.O_WRONLY, 0)
	if err != nil {
		return errno(err)
	}
	defer f.Close()
	return errno(f.Truncate(int64(size)))
}

func (o object) readlink() (string, error) {
	i, err := o.info()
	if err != nil {
		return "", err
	}
	if !i.attr.Mode.IsSymlink() {
		return "", linux.EINVAL
	}
	target, err := o.dir.root.Readlink(o.name)
	return target, errno(err)
}

func (o object) statfs() (p9.FSStat, error) {
	if o.borrowed != nil {
		return fileSystem(o.borrowed.file)
	}
	f, err := o.dir.root.Open(".")
	if err != nil {
		return p9.FSStat{}, errno(err)
	}
	defer f.Close()
	return fileSystem(f)
}

// There are no extended attributes here.

func (o object) setXattr(string, []byte, p9.XattrFlags) error { return linux.EOPNOTSUPP }
func (o object) getXattr(string) ([]byte, error)              { return nil, linux.EOPNOTSUPP }
func (o object) listXattrs() ([]string, error)                { return nil, linux.EOPNOTSUPP }
func (o object) removeXattr(string) error                     { return linux.EOPNOTSUPP }

// newInfo is what package os knows of a file.
func newInfo(fi os.FileInfo) info {
	m := p9.ModeFromOS(fi.Mode())
	for _, b := range setIDs {
		if fi.Mode()&b.os != 0 {
			m |= b.p9
		}
	}
	t := fi.ModTime()
	a := p9.Attr{
		Mode:             m,
		UID:              p9.NoUID,
		GID:              p9.NoGID,
		NLink:            1,
		Size:             uint64(fi.Size()),
		BlockSize:        4096,
		Blocks:           uint64(fi.Size()+511) / 512,
		MTimeSeconds:     uint64(t.Unix()),
		MTimeNanoSeconds: uint64(t.Nanosecond()),
	}
	a.ATimeSeconds, a.ATimeNanoSeconds = a.MTimeSeconds, a.MTimeNanoSeconds
	a.CTimeSeconds, a.CTimeNanoSeconds = a.MTimeSeconds, a.MTimeNanoSeconds
	return info{
		attr: a,
		valid: p9.AttrMask{
			Mode: true, NLink: true, RDev: true, ATime: true, MTime: true, CTime: true, INo: true, Size: true, Blocks: true,
		},
	}
}

var setIDs = [...]struct {
	os os.FileMode
	p9 p9.FileMode
}{{os.ModeSetuid, 0o4000}, {os.ModeSetgid, 0o2000}, {os.ModeSticky, 0o1000}}

// osMode is a mode's permissions as package os has them.
func osMode(m p9.FileMode) os.FileMode {
	mode := os.FileMode(m & 0o777)
	for _, b := range setIDs {
		if m&b.p9 != 0 {
			mode |= b.os
		}
	}
	return mode
}
