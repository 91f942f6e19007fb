package ctlfs

import (
	"context"
	"errors"
	"io"
	"sync"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/fsimpl/templatefs"
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// A file is a view of a fid of the tree. What it does not have here, the template refuses.
type file struct {
	templatefs.NotImplementedFile
	templatefs.NoopRenamed
	fid *fid
	ctx context.Context
}

// A fid is what the views of a file share.
type fid struct {
	mu     sync.Mutex
	node   node // changed by the opening of clone
	handle handle
	mode   p9.OpenFlags
}

func newFile(n node) *file { return &file{fid: &fid{node: n}, ctx: context.Background()} }

// WithContext returns a view whose operations end with ctx.
func (f *file) WithContext(ctx context.Context) p9.File { return &file{fid: f.fid, ctx: ctx} }

func (f *file) node() node {
	f.fid.mu.Lock()
	defer f.fid.mu.Unlock()
	return f.fid.node
}

// Walk walks down; the server knows what `..` is. It gives as many qids as there are names, fewer with an error.
func (f *file) Walk(names []string) ([]p9.QID, p9.File, error) {
	n := f.node()
	qids := make([]p9.QID, 0, len(names))
	for _, name := range names {
		next, err := n.child(name)
		if err != nil {
			return qids, nil, err
		}
		n = next
		qids = append(qids, n.qid())
	}
	return qids, newFile(n), nil
}

// WalkGetAttr is Walk, and GetAttr of what it reached.
func (f *file) WalkGetAttr(names []string) ([]p9.QID, p9.File, p9.AttrMask, p9.Attr, error) {
	qids, to, err := f.Walk(names)
	if err != nil {
		return qids, nil, p9.AttrMask{}, p9.Attr{}, err
	}
	return qids, to, given, to.(*file).node().attr(), nil
}

func (f *file) GetAttr(p9.AttrMask) (p9.QID, p9.AttrMask, p9.Attr, error) {
	n := f.node()
	return n.qid(), given, n.attr(), nil
}

// SetAttr takes what opening a file for writing brings with it, truncation and times, and refuses all else: EPERM, or for another
// size EINVAL.
func (f *file) SetAttr(valid p9.SetAttrMask, attr p9.SetAttr) error {
	if valid.Permissions || valid.UID || valid.GID {
		return linux.EPERM
	}
	if !valid.Size {
		return nil
	}
	if attr.Size != 0 {
		return linux.EINVAL
	}
	f.fid.mu.Lock()
	h, n := f.fid.handle, f.fid.node
	f.fid.mu.Unlock()
	if t, ok := h.(*text); ok {
		return t.truncate()
	}
	if n.entry.setup {
		_, err := n.entry.open(f.ctx, f, p9.WriteOnly|truncateFlag)
		return err
	}
	return nil
}

func (f *file) StatFS() (p9.FSStat, error) {
	return p9.FSStat{Type: v9fsMagic, BlockSize: 4096, NameLength: ninep.MaxName}, nil
}

// v9fsMagic is what statfs(2) calls a file system reached over 9P.
const v9fsMagic = 0x01021997

// Open makes the file ready. At clone it makes a session, and the file becomes that session's ctl.
func (f *file) Open(mode p9.OpenFlags) (p9.QID, uint32, error) {
	n := f.node()
	access := p9.FileMode(readable)
	switch mode.Mode() {
	case p9.WriteOnly:
		access = writable
	case p9.ReadWrite:
		access = readable | writable
	}
	if n.isDir() {
		if access != readable {
			return p9.QID{}, 0, linux.EISDIR
		}
		return n.qid(), 0, nil
	}
	if n.mode()&access != access {
		return p9.QID{}, 0, linux.EACCES
	}
	if err := n.exists(); err != nil {
		return p9.QID{}, 0, err
	}
	h, err := n.entry.open(f.ctx, f, mode)
	if err != nil {
		return p9.QID{}, 0, err
	}
	f.fid.mu.Lock()
	defer f.fid.mu.Unlock()
	f.fid.handle, f.fid.mode = h, mode.Mode()
	return f.fid.node.qid(), 0, nil
}

// become makes the file another one.
func (f *file) become(n node) {
	f.fid.mu.Lock()
	f.fid.node = n
	f.fid.mu.Unlock()
}

func (f *file) ReadAt(p []byte, offset int64) (int, error) {
	h, err := f.handle(p9.WriteOnly)
	if err != nil {
		return 0, err
	}
	n, err := h.read(f.ctx, p, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

func (f *file) WriteAt(p []byte, offset int64) (int, error) {
	h, err := f.handle(p9.ReadOnly)
	if err != nil {
		return 0, err
	}
	return h.write(f.ctx, p, offset)
}

// handle is that of an open file, unless it was opened in the mode that forbids what is to be done.
func (f *file) handle(forbidden p9.OpenFlags) (handle, error) {
	f.fid.mu.Lock()
	defer f.fid.mu.Unlock()
	if f.fid.handle == nil || f.fid.mode == forbidden {
		return nil, linux.EBADF
	}
	return f.fid.handle, nil
}

// FSync does nothing: a write is done when it is answered.
func (f *file) FSync() error { return nil }

// Abandon implements ninep.Abandoner.
func (f *file) Abandon() {
	f.fid.mu.Lock()
	defer f.fid.mu.Unlock()
	if h, ok := f.fid.handle.(interface{ abandon() }); ok {
		h.abandon()
	}
}

func (f *file) Close() error {
	f.fid.mu.Lock()
	h := f.fid.handle
	f.fid.handle = nil
	f.fid.mu.Unlock()
	if h != nil {
		h.close()
	}
	return nil
}

// Readdir lists a directory. A session's offset is its number's, so that sessions which come and go meanwhile move none.
func (f *file) Readdir(offset uint64, count uint32) (p9.Dirents, error) {
	var list p9.Dirents
	err := f.list(offset, func(n node, at uint64) bool {
		list = append(list, n.dirent(at))
		return uint32(len(list)) < count
	})
	return list, err
}

// ReaddirAttr lists a directory with attributes.
func (f *file) ReaddirAttr(offset uint64, count uint32) ([]ninep.DirentAttr, error) {
	var list []ninep.DirentAttr
	err := f.list(offset, func(n node, at uint64) bool {
		size := uint32(direntAttrSize + len(n.name()))
		if size > count {
			return false
		}
		count -= size
		list = append(list, ninep.DirentAttr{Dirent: n.dirent(at), Valid: given, Attr: n.attr()})
		return true
	})
	return list, err
}

// direntAttrSize is what an entry of Rreaddirattr has besides its name, at the most.
const direntAttrSize = 192

func (n node) dirent(offset uint64) p9.Dirent {
	q := n.qid()
	return p9.Dirent{QID: q, Offset: offset, Type: q.Type, Name: n.name()}
}

// list calls each with the entries after offset and their own offsets, until it returns false.
func (f *file) list(offset uint64, each func(n node, at uint64) bool) error {
	n := f.node()
	if !n.isDir() {
		return linux.ENOTDIR
	}
	for i, c := range n.children() {
		at := uint64(i + 1)
		if c.entry == &sessionDir {
			at = firstSession + uint64(c.session.Number())
		}
		if at > offset && !each(c, at) {
			return nil
		}
	}
	return nil
}

// firstSession is above the offsets of all files that are no sessions.
const firstSession = 1 << 16

func (f *file) Create(string, p9.OpenFlags, p9.FileMode, p9.UID, p9.GID) (p9.File, p9.QID, uint32, error) {
	return nil, p9.QID{}, 0, linux.EPERM
}

func (f *file) Mkdir(string, p9.FileMode, p9.UID, p9.GID) (p9.QID, error) {
	return p9.QID{}, linux.EPERM
}

func (f *file) UnlinkAt(string, uint32) error { return linux.EPERM }

func (f *file) Readlink() (string, error) { return "", linux.EINVAL }
