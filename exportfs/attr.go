package exportfs

import (
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// pin takes hold of n's file, which the caller unpins. Where the file is not at its place any more but somebody has it open, it is
// that one's descriptor.
func (fs *FS) pin(n *node) (o object, i info, err error) {
	err = fs.settled(func() error {
		if o, err = fs.pinName(n); err != nil {
			return err
		}
		i, err = o.info()
		if err == nil && !fs.is(n, &i) {
			err = linux.ESTALE
		}
		if err != nil {
			o.unpin()
		}
		return err
	})
	if err == nil {
		return o, i, nil
	}
	if o, ok := fs.borrow(n, false); ok {
		i, infoErr := o.info()
		if infoErr == nil {
			return o, i, nil
		}
		o.unpin()
	}
	return object{}, info{}, err
}

// pinName pins what stands at n's place, whatever it is.
func (fs *FS) pinName(n *node) (object, error) {
	parent, name, err := fs.place(n)
	if err != nil { // the root
		d, err := fs.acquire(n)
		if err != nil {
			return object{}, err
		}
		defer fs.release(d)
		return d.pinSelf()
	}
	defer fs.forget(parent)
	d, err := fs.acquire(parent)
	if err != nil {
		return object{}, err
	}
	defer fs.release(d)
	return d.pin(name)
}

// is says whether i describes n's file, rather than one that has taken its place.
func (fs *FS) is(n *node, i *info) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if n.id != i.id && i.mount && !n.detached {
		fs.dirs.drop(n)
		n.id = i.id
	}
	return n.id == i.id && !n.detached
}

// borrow is an open handle's hold of n's file. To write is to want one that is open for writing.
func (fs *FS) borrow(n *node, toWrite bool) (object, bool) {
	fs.mu.Lock()
	var found *handle
	for _, h := range n.handles {
		if !toWrite || h.writable() {
			found = h
			break
		}
	}
	fs.mu.Unlock()
	if found == nil {
		return object{}, false
	}
	o, err := found.object()
	return o, err == nil
}

func (n *node) removeHandle(h *handle) {
	for i := range n.handles {
		if n.handles[i] == h {
			n.handles = append(n.handles[:i], n.handles[i+1:]...)
			return
		}
	}
}

// stat describes n's file. It is pin's cheaper brother.
func (fs *FS) stat(n *node) (i info, err error) {
	err = fs.settled(func() error {
		parent, name, err := fs.place(n)
		if err != nil {
			return err
		}
		defer fs.forget(parent)
		d, err := fs.acquire(parent)
		if err != nil {
			return err
		}
		defer fs.release(d)
		if i, err = d.stat(name); err == nil && !fs.is(n, &i) {
			err = linux.ESTALE
		}
		return err
	})
	if err == nil {
		return i, nil
	}
	o, i, err := fs.pin(n)
	if err == nil {
		o.unpin()
	}
	return i, err
}

// object is the fid's file to work on: its own descriptor where it is open.
func (f *file) object() (object, error) {
	if h := f.open.Load(); h != nil {
		return h.object()
	}
	n, err := f.use()
	if err != nil {
		return object{}, err
	}
	defer f.fs.forget(n)
	o, _, err := f.fs.pin(n)
	return o, err
}

// changeable is object for an operation that changes the file.
func (f *file) changeable() (object, error) {
	if f.fs.readOnly {
		return object{}, linux.EROFS
	}
	return f.object()
}

func (f *file) info() (info, error) {
	if h := f.open.Load(); h != nil {
		o, err := h.object()
		if err != nil {
			return info{}, err
		}
		defer o.unpin()
		return o.info()
	}
	n, err := f.use()
	if err != nil {
		return info{}, err
	}
	defer f.fs.forget(n)
	return f.fs.stat(n)
}

// GetAttr implements p9.File. It gives all attributes there are, whatever is asked for: they come in one system call.
func (f *file) GetAttr(p9.AttrMask) (p9.QID, p9.AttrMask, p9.Attr, error) {
	i, err := f.info()
	if err != nil {
		return p9.QID{}, p9.AttrMask{}, p9.Attr{}, err
	}
	return f.fs.qid(&i), i.valid, i.attr, nil
}

// SetAttr implements p9.File. The time of the last change of attributes changes by itself, and only so.
func (f *file) SetAttr(valid p9.SetAttrMask, attr p9.SetAttr) error {
	if f.fs.readOnly {
		return linux.EROFS
	}
	h := f.open.Load()
	if h == nil || valid.Size && !h.writable() {
		return f.setUnopened(valid, attr)
	}
	o, err := h.object()
	if err != nil {
		return err
	}
	defer o.unpin()
	return o.setAttr(valid, attr)
}

// setUnopened sets the attributes of a file that this fid has not open, or not for writing. To truncate it, another fid's leave to
// write will do.
func (f *file) setUnopened(valid p9.SetAttrMask, attr p9.SetAttr) error {
	n, err := f.use()
	if err != nil {
		return err
	}
	defer f.fs.forget(n)
	if valid.Size {
		if o, ok := f.fs.borrow(n, true); ok {
			defer o.unpin()
			return o.setAttr(valid, attr)
		}
	}
	o, _, err := f.fs.pin(n)
	if err != nil {
		return err
	}
	defer o.unpin()
	return o.setAttr(valid, attr)
}

// StatFS implements p9.File.
func (f *file) StatFS() (p9.FSStat, error) {
	o, err := f.object()
	if err != nil {
		return p9.FSStat{}, err
	}
	defer o.unpin()
	return o.statfs()
}

// Readlink implements p9.File. What is no link gives EINVAL.
func (f *file) Readlink() (string, error) {
	o, err := f.object()
	if err != nil {
		return "", err
	}
	defer o.unpin()
	return o.readlink()
}

// SetXattr implements p9.File.
func (f *file) SetXattr(name string, data []byte, flags p9.XattrFlags) error {
	o, err := f.changeable()
	if err != nil {
		return err
	}
	defer o.unpin()
	return o.setXattr(name, data, flags)
}

// GetXattr implements p9.File.
func (f *file) GetXattr(name string) ([]byte, error) {
	o, err := f.object()
	if err != nil {
		return nil, err
	}
	defer o.unpin()
	return o.getXattr(name)
}

// ListXattrs implements p9.File.
func (f *file) ListXattrs() ([]string, error) {
	o, err := f.object()
	if err != nil {
		return nil, err
	}
	defer o.unpin()
	return o.listXattrs()
}

// RemoveXattr implements p9.File.
func (f *file) RemoveXattr(name string) error {
	o, err := f.changeable()
	if err != nil {
		return err
	}
	defer o.unpin()
	return o.removeXattr(name)
}
