package ninep

import (
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// directory returns directory fid num, open for reading, for r.
func (r *request) directory(num uint32) (*fid, error) {
	f, err := r.fid(num)
	if err != nil {
		return nil, err
	}
	if f.qid.Type&p9.TypeDir == 0 {
		err = linux.ENOTDIR
	} else if !f.readable() {
		err = linux.EBADF
	}
	if err != nil {
		f.put()
		return nil, err
	}
	return f, nil
}

func (r *request) readdir(m *treaddir, a *rreaddir) error {
	a.data = nil
	d, err := r.directory(m.fid)
	if err != nil {
		return err
	}
	defer d.put()
	p, err := r.room(m.count)
	if err != nil {
		return err
	}
	if len(p) <= direntSize {
		return linux.EINVAL // getdents(2)
	}
	entries, err := d.view(r).Readdir(m.offset, uint32(len(p)/(direntSize+1)))
	if err != nil && !isEOF(err) {
		return err
	}
	b := buffer{b: p[:0]}
	for i := range entries {
		e := entries[i]
		if len(b.b)+direntSize+len(e.Name) > len(p) {
			if i == 0 {
				return linux.EINVAL
			}
			break
		}
		e.Type = direntType(e.QID.Type)
		b.putDirent(&e)
	}
	a.data = b.b
	return nil
}

// direntType is the type of an entry as Rreaddir has it: v9fs hands it to getdents(2) as it is, so it is that call's, not the qid's. The
// qid of a device, a FIFO or a socket is a plain file's, so for such it says that it does not know.
func direntType(t p9.QIDType) p9.QIDType {
	const unknown, dir, symlink = 0, 4, 10 // DT_UNKNOWN, DT_DIR, DT_LNK
	switch {
	case t&p9.TypeDir != 0:
		return dir
	case t&p9.TypeSymlink != 0:
		return symlink
	}
	return unknown
}

// readdirattr is Treaddirattr: directory entries with their attributes.
func (r *request) readdirattr(m *treaddirattr, a *rreaddirattr) error {
	a.data = nil
	d, err := r.directory(m.fid)
	if err != nil {
		return err
	}
	defer d.put()
	p, err := r.room(m.count)
	if err != nil {
		return err
	}
	if len(p) <= direntAttrSize {
		return linux.EINVAL
	}
	entries, err := r.entries(d, m.offset, uint32(len(p)))
	if err != nil && !isEOF(err) {
		return err
	}
	b := buffer{b: p[:0]}
	for i := range entries {
		e := &entries[i]
		if len(b.b)+direntAttrSize+len(e.Name) > len(p) {
			if i == 0 {
				return linux.EINVAL
			}
			break
		}
		b.putDirentAttr(e)
	}
	a.data = b.b
	return nil
}

// entries gets directory entries with attributes, one by one where the directory cannot do better.
func (r *request) entries(d *fid, offset uint64, count uint32) ([]DirentAttr, error) {
	view := d.view(r)
	if t, ok := view.(AttrReaddirer); ok {
		return t.ReaddirAttr(offset, count)
	}
	list, err := view.Readdir(offset, count/(direntAttrSize+1))
	if err != nil {
		return nil, err
	}
	all := make([]DirentAttr, len(list))
	dir := d.unopened()
	for i := range list {
		all[i].Dirent = list[i]
		if dir != nil {
			all[i].Valid, all[i].Attr = look(r, dir, list[i].Name)
		}
	}
	if dir != nil {
		dir.Close()
	}
	return all, nil
}

// unopened returns another file for directory d, to walk from, or nil if it is no longer where it was when d was walked to.
func (d *fid) unopened() p9.File {
	qids, file, err := d.place.Load().root.file.Walk(d.place.Load().names())
	if err != nil {
		return nil
	}
	if len(qids) > 0 && qids[len(qids)-1].Path != d.qid.Path {
		file.Close()
		return nil
	}
	return file
}

// look returns the attributes of an entry of dir, and none if it cannot be looked at.
func look(r *request, dir p9.File, name string) (valid p9.AttrMask, attr p9.Attr) {
	if checkName(name) != nil { // "." and ".."
		return valid, attr
	}
	_, file, err := bind(r, dir).Walk([]string{name})
	if err != nil {
		return valid, attr
	}
	defer file.Close()
	if _, v, a, err := bind(r, file).GetAttr(p9.AttrMaskAll); err == nil {
		return v, a
	}
	return valid, attr
}
