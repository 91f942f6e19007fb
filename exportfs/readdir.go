package exportfs

import (
	"math"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"

	"cpu/lib/ninep"
)

// Lengths of encoded entries without their names. Rreaddir's: qid[13] offset[8] type[1] name[s]. With attributes there are, besides,
// valid[8] and the attributes of Rgetattr.
const (
	direntSize     = 13 + 8 + 1 + 2
	direntAttrSize = direntSize + 8 + 3*4 + 5*8 + 8*8 + 2*8
)

// Readdir implements p9.File: at most count entries, without "." and "..", and after the first no more than have room where count of
// the shortest would. Offsets hold as long as the directory is open, whatever is made and removed in it meanwhile. The qids'
// versions are 0: the files have not been looked at.
func (f *file) Readdir(offset uint64, count uint32) (p9.Dirents, error) {
	if count == 0 {
		return nil, linux.EINVAL
	}
	room := max(int64(count)*(direntSize+1), direntSize+ninep.MaxName)
	var list p9.Dirents
	err := f.list(offset, room, direntSize, func(h *handle, _ object, e entry) bool {
		qid := p9.QID{Type: e.typ, Path: f.fs.qidPath(h.entryID(e))}
		list = append(list, p9.Dirent{QID: qid, Offset: e.off, Type: e.typ, Name: e.name})
		return true
	})
	return list, err
}

// ReaddirAttr implements ninep.AttrReaddirer. A count too small for the first entry is EINVAL.
func (f *file) ReaddirAttr(offset uint64, count uint32) ([]ninep.DirentAttr, error) {
	var list []ninep.DirentAttr
	err := f.list(offset, int64(count), direntAttrSize, func(h *handle, o object, e entry) bool {
		d := ninep.DirentAttr{Dirent: p9.Dirent{Offset: e.off, Type: e.typ, Name: e.name}}
		i, err := h.statEntry(o, e)
		switch err {
		case nil:
			d.QID, d.Valid, d.Attr = f.fs.qid(&i), i.valid, i.attr
			d.Type = d.QID.Type
		case linux.ENOENT:
			return false // removed meanwhile
		default:
			d.QID = p9.QID{Type: e.typ, Path: f.fs.qidPath(h.entryID(e))}
		}
		list = append(list, d)
		return true
	})
	return list, err
}

// list hands add the visible entries from offset on, until room bytes are full at size and its name each; add says whether the entry
// took its place.
func (f *file) list(offset uint64, room int64, size int, add func(h *handle, o object, e entry) bool) error {
	h := f.open.Load()
	if h == nil || !h.readable() {
		return linux.EBADF
	}
	if offset > math.MaxInt64 {
		return linux.EINVAL
	}
	var in *matcher
	if f.fs.patterns != nil {
		f.fs.mu.Lock()
		dir := f.node.path()
		f.fs.mu.Unlock()
		in = f.fs.patterns.in(dir)
	}
	some, small := false, false
	err := h.entries(offset, func(o object, e entry) bool {
		if in != nil && in.hidden(e.name) {
			return true
		}
		need := int64(size + len(e.name))
		if need > room {
			small = !some
			return false
		}
		if add(h, o, e) {
			room, some = room-need, true
		}
		return true
	})
	if err == nil && small {
		err = linux.EINVAL
	}
	return err
}
