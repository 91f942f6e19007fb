package ninep

import (
	"strings"
	"sync"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// maxXattrs is how many fids of a connection may hold an extended attribute at once. One more gets EMFILE.
const maxXattrs = 64

// An xattr is what a fid is that Txattrwalk or Txattrcreate has made: the bytes of an attribute, or of a list of names.
type xattr struct {
	name   string
	create bool // made by Txattrcreate: written to, and set when it is clunked
	flags  p9.XattrFlags

	mu   sync.Mutex
	data []byte // of their final length
	n    int    // bytes written so far
}

func (x *xattr) read(offset uint64, p []byte) ([]byte, error) {
	if x.create {
		return nil, linux.EBADF
	}
	if offset >= uint64(len(x.data)) {
		return nil, nil
	}
	return p[:copy(p, x.data[offset:])], nil
}

// write takes the next bytes. They come in order, and no more of them than were said.
func (x *xattr) write(offset uint64, p []byte) (uint32, error) {
	if !x.create {
		return 0, linux.EBADF
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if offset != uint64(x.n) || len(p) > len(x.data)-x.n {
		return 0, linux.EINVAL
	}
	x.n += copy(x.data[x.n:], p)
	return uint32(len(p)), nil
}

// commit sets the attribute that has been written. To replace one by nothing is to remove it: so Linux says that.
func (x *xattr) commit(file p9.File) error {
	if !x.create {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.n != len(x.data):
		return linux.EINVAL
	case x.n == 0 && x.flags == p9.XattrReplace:
		return file.RemoveXattr(x.name)
	}
	return file.SetXattr(x.name, x.data, x.flags)
}

func (r *request) xattrwalk(m *txattrwalk, a *rxattrwalk) error {
	if err := checkPath(m.name); err != nil {
		return err
	}
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	if f.xattr != nil || m.newfid == m.fid {
		return linux.EBADF
	}
	if err := r.c.fids.free(m.newfid); err != nil {
		return err
	}
	x := &xattr{name: m.name}
	if view := f.view(r); m.name == "" {
		var names []string
		if names, err = view.ListXattrs(); len(names) > 0 {
			x.data = []byte(strings.Join(names, "\x00") + "\x00")
		}
	} else {
		x.data, err = view.GetXattr(m.name)
	}
	if err != nil {
		return err
	}
	a.size = uint64(len(x.data))
	to, err := r.c.fids.newXattr(m.newfid, f, x)
	if err != nil {
		return err
	}
	return r.c.fids.add(to)
}

func (r *request) xattrcreate(m *txattrcreate, _ *rxattrcreate) error {
	if err := checkPath(m.name); err != nil {
		return err
	}
	if m.name == "" {
		return linux.EINVAL
	}
	if m.size > MaxXattr {
		return linux.E2BIG
	}
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	if f.xattr != nil {
		return linux.EBADF
	}
	x := &xattr{name: m.name, create: true, flags: p9.XattrFlags(m.flags), data: make([]byte, m.size)}
	to, err := r.c.fids.newXattr(m.fid, f, x)
	if err != nil {
		return err
	}
	return r.c.fids.replace(f, to)
}

// newXattr makes a fid for an attribute of f. It keeps f's file from being closed.
func (t *fidTable) newXattr(num uint32, f *fid, x *xattr) (*fid, error) {
	if t.xattrs.Add(1) > maxXattrs {
		t.xattrs.Add(-1)
		return nil, linux.EMFILE
	}
	f.refs.Add(1)
	to := t.new(num, f.file, f.qid, f.place.Load())
	to.xattr, to.of, to.kept = x, f, true
	return to, nil
}
