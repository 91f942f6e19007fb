package exportfs

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"

	"cpu/lib/ninep"
)

// file is one fid.
type file struct {
	fs  *FS
	top *node // where it was attached: ".." goes no higher

	mu     sync.Mutex // orders opening and closing
	closed bool
	node   *node
	open   atomic.Pointer[handle] // nil until opened

	unlockable bool // closed, as far as locks go; guarded by FS.locks.mu
}

var (
	_ ninep.NamedAttacher = (*FS)(nil)
	_ ninep.ContextFile   = (*file)(nil)
	_ ninep.AttrReaddirer = (*file)(nil)
	_ ninep.Remover       = (*file)(nil)
	_ ninep.LockGetter    = (*file)(nil)
)

// view is a file with the context of one request, which ends a wait for a lock. Nothing else here waits.
type view struct {
	*file
	ctx context.Context
}

// WithContext implements ninep.ContextFile.
func (f *file) WithContext(ctx context.Context) p9.File { return view{f, ctx} }

// fileOf is the file of this tree that f is, or a view of.
func (fs *FS) fileOf(f p9.File) (*file, error) {
	switch f := f.(type) {
	case *file:
		if f.fs == fs {
			return f, nil
		}
	case view:
		if f.fs == fs {
			return f.file, nil
		}
	}
	return nil, linux.EXDEV
}

// use is the fid's node, with a reference that the caller forgets.
func (f *file) use() (*node, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, linux.EBADF
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.node.ref(), nil
}

// change is use for an operation that changes the tree.
func (f *file) change() (*node, error) {
	if f.fs.readOnly {
		return nil, linux.EROFS
	}
	return f.use()
}

// Close gives up the fid, and the locks that were taken through it.
func (f *file) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return linux.EBADF
	}
	f.closed = true
	fs, h := f.fs, f.open.Load()
	fs.locks.drop(f)
	fs.mu.Lock()
	if h != nil {
		f.node.removeHandle(h)
	}
	f.node.unref()
	f.top.unref()
	fs.mu.Unlock()
	if h != nil {
		return h.close()
	}
	return nil
}

// Walk implements p9.File. Where it fails part of the way, the qids of that part come with the error. A file that is open can be
// walked from as well.
func (f *file) Walk(names []string) ([]p9.QID, p9.File, error) {
	qids, t, _, err := f.walk(names)
	if err != nil {
		return qids, nil, err
	}
	return qids, t, nil
}

// WalkGetAttr implements p9.File.
func (f *file) WalkGetAttr(names []string) ([]p9.QID, p9.File, p9.AttrMask, p9.Attr, error) {
	qids, t, i, err := f.walk(names)
	if err == nil && i == nil {
		var own info
		if own, err = t.info(); err != nil {
			t.Close()
		}
		i = &own
	}
	if err != nil {
		return qids, nil, p9.AttrMask{}, p9.Attr{}, err
	}
	return qids, t, i.valid, i.attr, nil
}

// walk also describes the file it ends at, unless that has not been looked at because the walk led nowhere else or back.
func (f *file) walk(names []string) (qids []p9.QID, t *file, last *info, err error) {
	fs := f.fs
	n, err := f.use()
	if err != nil {
		return nil, nil, nil, err
	}
	for _, name := range names {
		var next *node
		var i info
		switch name {
		case ".", "..":
			next, i, err = fs.stay(n, f.top, name == "..")
		default:
			if err = fs.visible(n, name); err == nil {
				next, i, err = fs.lookup(n, name)
			}
		}
		fs.forget(n)
		if err != nil {
			return qids, nil, nil, err
		}
		n, last = next, &i
		qids = append(qids, fs.qid(&i))
	}
	fs.mu.Lock()
	t = &file{fs: fs, top: f.top.ref(), node: n}
	fs.mu.Unlock()
	return qids, t, last, nil
}

// stay is a step to n itself, or to its parent, but not above top. What is no directory has no such entries.
func (fs *FS) stay(n, top *node, up bool) (*node, info, error) {
	fs.mu.Lock()
	to := n
	if up && n != top && n.parent != nil {
		to = n.parent
	}
	to.ref()
	fs.mu.Unlock()
	d, err := fs.acquire(n)
	if err == nil {
		fs.release(d)
		var i info
		if i, err = fs.stat(to); err == nil {
			return to, i, nil
		}
	}
	fs.forget(to)
	return nil, info{}, err
}

// Rename implements p9.File.
func (f *file) Rename(newDir p9.File, newName string) error {
	n, err := f.change()
	if err != nil {
		return err
	}
	defer f.fs.forget(n)
	if _, err := f.fs.stat(n); err != nil {
		return err
	}
	parent, name, err := f.fs.place(n)
	if err != nil {
		return err
	}
	defer f.fs.forget(parent)
	return f.fs.rename(parent, name, newDir, newName)
}

// Remove implements ninep.Remover.
func (f *file) Remove() error {
	n, err := f.change()
	if err != nil {
		return err
	}
	defer f.fs.forget(n)
	i, err := f.fs.stat(n)
	if err != nil {
		return err
	}
	parent, name, err := f.fs.place(n)
	if err != nil {
		return err
	}
	defer f.fs.forget(parent)
	return f.fs.unlink(parent, name, i.attr.Mode.IsDir())
}

// Renamed implements p9.File. Nodes have moved before it could be called.
func (f *file) Renamed(p9.File, string) {}
