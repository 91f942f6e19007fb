package exportfs

import (
	"io"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// Open implements p9.File. A symbolic link gives ELOOP; a FIFO, a socket or a device gives ENXIO, as open(2) has it for what nobody
// serves: they mean something on the far machine only, whose kernel opens them itself. The far kernel creates and truncates by other
// messages too, but O_TRUNC is heeded.
func (f *file) Open(mode p9.OpenFlags) (p9.QID, uint32, error) {
	if mode.Mode() == p9.OpenFlagsModeMask {
		return p9.QID{}, 0, linux.EINVAL
	}
	if f.fs.readOnly && changes(mode) {
		return p9.QID{}, 0, linux.EROFS
	}
	n, err := f.use()
	if err != nil {
		return p9.QID{}, 0, err
	}
	defer f.fs.forget(n)
	o, i, err := f.fs.pin(n)
	if err != nil {
		return p9.QID{}, 0, err
	}
	defer o.unpin()
	h, i, err := openObject(o, i, mode)
	if err != nil {
		return p9.QID{}, 0, err
	}
	if err := f.opened(h); err != nil {
		h.close()
		return p9.QID{}, 0, err
	}
	return f.fs.qid(&i), 0, nil
}

// openObject opens a regular file or a directory.
func openObject(o object, i info, mode p9.OpenFlags) (*handle, info, error) {
	switch i.attr.Mode.FileType() {
	case p9.ModeRegular, p9.ModeDirectory:
	case p9.ModeSymlink:
		return nil, i, linux.ELOOP
	default:
		return nil, i, linux.ENXIO
	}
	h, err := o.open(mode, i)
	if err == nil && mode&flagTrunc != 0 {
		if i, err = o.info(); err != nil {
			h.close()
		}
	}
	return h, i, err
}

// opened makes h the fid's, which must not be open yet.
func (f *file) opened(h *handle) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.open.Load() != nil {
		return linux.EBADF
	}
	f.fs.mu.Lock()
	f.node.handles = append(f.node.handles, h)
	f.fs.mu.Unlock()
	f.open.Store(h)
	return nil
}

// Create implements p9.File. The file belongs to this process's user and group, whatever uid and gid say: the far machine's numbers
// mean nothing here. Its mode is as given, without this process's umask. Where it is there already and O_EXCL is not given, it is
// opened.
func (f *file) Create(name string, flags p9.OpenFlags, mode p9.FileMode, _ p9.UID, _ p9.GID) (p9.File, p9.QID, uint32, error) {
	if flags.Mode() == p9.OpenFlagsModeMask || flags&flagDirectory != 0 {
		return nil, p9.QID{}, 0, linux.EINVAL
	}
	n, err := f.changeName(name)
	if err != nil {
		return nil, p9.QID{}, 0, err
	}
	defer f.fs.forget(n)
	h, c, i, err := f.fs.create(n, name, flags, mode)
	if err != nil {
		return nil, p9.QID{}, 0, err
	}
	f.fs.mu.Lock()
	t := &file{fs: f.fs, top: f.top.ref(), node: c}
	f.fs.mu.Unlock()
	if err := t.opened(h); err != nil {
		h.close()
		t.Close()
		return nil, p9.QID{}, 0, err
	}
	return t, f.fs.qid(&i), 0, nil
}

// create also returns the file's node, with a reference.
func (fs *FS) create(n *node, name string, flags p9.OpenFlags, mode p9.FileMode) (*handle, *node, info, error) {
	d, err := fs.acquire(n)
	if err != nil {
		return nil, nil, info{}, err
	}
	defer fs.release(d)
	for range maxCreates {
		h, i, err := d.create(name, flags, mode)
		if err == linux.EEXIST && flags&flagExcl == 0 {
			var o object
			if o, err = d.pin(name); err == linux.ENOENT {
				continue // gone meanwhile
			}
			if err == nil {
				if i, err = o.info(); err == nil {
					h, i, err = openObject(o, i, flags)
				}
				o.unpin()
			}
		}
		if err != nil {
			return nil, nil, info{}, err
		}
		fs.mu.Lock()
		c := fs.child(n, name, &i)
		fs.mu.Unlock()
		return h, c, i, nil
	}
	return nil, nil, info{}, linux.ESTALE
}

// maxCreates bounds how often a file is found there when it is to be made, and gone when it is to be opened.
const maxCreates = 100

// ReadAt implements p9.File. It fills p up to the end of the file, where it gives io.EOF. Of a live file it gives what one read(2) gives.
func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	h := f.open.Load()
	if h == nil || !h.readable() {
		return 0, linux.EBADF
	}
	if offset < 0 {
		return 0, linux.EINVAL
	}
	n, err := h.readAt(p, offset)
	if err == io.EOF && len(p) == 0 {
		err = nil
	}
	return n, err
}

// WriteAt implements p9.File. It writes less than all of p only where an error kept it from more.
func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	h := f.open.Load()
	if h == nil || !h.writable() {
		return 0, linux.EBADF
	}
	if offset < 0 {
		return 0, linux.EINVAL
	}
	return h.writeAt(p, offset)
}

// FSync implements p9.File.
func (f *file) FSync() error {
	h := f.open.Load()
	if h == nil {
		return linux.EBADF
	}
	return h.sync()
}
