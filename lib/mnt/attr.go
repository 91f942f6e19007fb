//go:build linux

package mnt

import (
	"math"
	"time"

	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// lifetime is how long a name or a file's attributes are believed without asking again.
const lifetime = time.Second

// attrMask is what is asked of a file.
var attrMask = p9.AttrMask{
	Mode: true, NLink: true, UID: true, GID: true, RDev: true, ATime: true, MTime: true, CTime: true, INo: true, Size: true, Blocks: true,
}

// stamp tells whether a file's content changed: two equal ones mean that it did not.
type stamp struct {
	version     uint32
	size        uint64
	sec, nsec   uint64 // mtime
	csec, cnsec uint64
	local       uint64 // changes made through this mount
}

// ids maps user and group ids from one side to the other.
type ids struct {
	nearUID, farUID, nearGID, farGID map[uint32]uint32
}

func newIDs(list []IDMap) ids {
	m := ids{map[uint32]uint32{}, map[uint32]uint32{}, map[uint32]uint32{}, map[uint32]uint32{}}
	for _, i := range list {
		near, far := m.nearUID, m.farUID
		if i.Group {
			near, far = m.nearGID, m.farGID
		}
		near[i.Far] = i.Near
		if i.Far != AnyID {
			far[i.Near] = i.Far
		}
	}
	return m
}

func mapped(m map[uint32]uint32, id uint32) uint32 {
	if to, ok := m[id]; ok {
		return to
	}
	if to, ok := m[AnyID]; ok {
		return to
	}
	return id
}

// validAttr reports whether the kernel would take these attributes; a file whose are not taken is an input error to it.
func validAttr(a *p9.Attr) bool {
	switch uint32(a.Mode) & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFLNK, unix.S_IFCHR, unix.S_IFBLK, unix.S_IFIFO, unix.S_IFSOCK:
		return a.Size <= math.MaxInt64
	}
	return false
}

// putAttr appends a struct fuse_attr.
func (m *ids) putAttr(e *encoder, ino uint64, a *p9.Attr) {
	blksize := a.BlockSize
	if blksize == 0 || blksize > maxWrite {
		blksize = 4096
	}
	e.u64(ino)
	e.u64(a.Size)
	e.u64(a.Blocks)
	e.u64(a.ATimeSeconds)
	e.u64(a.MTimeSeconds)
	e.u64(a.CTimeSeconds)
	e.u32(uint32(a.ATimeNanoSeconds))
	e.u32(uint32(a.MTimeNanoSeconds))
	e.u32(uint32(a.CTimeNanoSeconds))
	e.u32(uint32(a.Mode))
	e.u32(uint32(min(a.NLink, math.MaxUint32)))
	e.u32(mapped(m.nearUID, uint32(a.UID)))
	e.u32(mapped(m.nearGID, uint32(a.GID)))
	e.u32(encodeDev(unix.Major(uint64(a.RDev)), unix.Minor(uint64(a.RDev))))
	e.u32(uint32(blksize))
	e.u32(0)
}

// putEntry appends a struct fuse_entry_out.
func (m *ids) putEntry(e *encoder, id, ino uint64, a *p9.Attr, entry, attr time.Duration) {
	e.u64(id)
	e.u64(0)
	e.u64(uint64(entry / time.Second))
	e.u64(uint64(attr / time.Second))
	e.u32(uint32(entry % time.Second))
	e.u32(uint32(attr % time.Second))
	m.putAttr(e, ino, a)
}

// direntType is the d_type of a mode.
func direntType(mode p9.FileMode) uint32 { return uint32(mode) & unix.S_IFMT >> 12 }

// qidMode is the file type that a qid tells of, as a mode; 0 for what may be a plain file or something else.
func qidMode(t p9.QIDType) p9.FileMode {
	switch {
	case t&p9.TypeDir != 0:
		return unix.S_IFDIR
	case t&p9.TypeSymlink != 0:
		return unix.S_IFLNK
	}
	return 0
}
