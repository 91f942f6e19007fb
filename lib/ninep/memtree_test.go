package ninep

import (
	"context"
	"io"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// A memTree is a small tree in memory to be served. Reading a file named block, or locking one, does not end before its context does.
type memTree struct {
	mu      sync.Mutex
	root    *memNode
	ids     uint64
	nodes   int // there are at most maxNodes
	files   atomic.Int64
	plain   bool          // files are not Removers
	told    []string      // what Renamed was called with
	blocked chan struct{} // gets a value, if there is room, when an operation begins to block
}

const maxNodes = 200

type memNode struct {
	id       uint64
	vers     uint32
	mode     p9.FileMode
	uid      p9.UID
	gid      p9.GID
	mtime    uint64
	data     []byte
	target   string
	xattrs   map[string][]byte
	children map[string]*memNode
	parent   *memNode
	name     string
}

type memFile struct {
	p9.DefaultWalkGetAttr
	t     *memTree
	n     *memNode
	ctx   context.Context
	state *memState
}

// memState is what views of a file share.
type memState struct{ open, closed atomic.Bool }

// memPlain hides Remove.
type memPlain struct{ p9.File }

func newMemTree() *memTree {
	t := &memTree{blocked: make(chan struct{}, 1000)}
	t.root = t.node(p9.ModeDirectory | 0o755)
	return t
}

func (t *memTree) node(mode p9.FileMode) *memNode {
	t.ids++
	t.nodes++
	n := &memNode{id: t.ids, vers: 1, mode: mode, uid: 10, gid: 20, mtime: 1000}
	if mode.IsDir() {
		n.children = make(map[string]*memNode)
	}
	return n
}

// add makes a file, or with content "/" a directory, and the directories above it.
func (t *memTree) add(path, content string) *memNode {
	n := t.root
	elems := strings.Split(path, "/")
	for i, name := range elems {
		next := n.children[name]
		if next == nil {
			mode := p9.ModeDirectory | 0o755
			if i == len(elems)-1 && content != "/" {
				mode = p9.ModeRegular | 0o644
			}
			next = t.node(mode)
			t.put(n, name, next)
		}
		n = next
	}
	if content != "/" {
		n.data = []byte(content)
	}
	return n
}

func (t *memTree) put(dir *memNode, name string, n *memNode) {
	n.parent, n.name = dir, name
	dir.children[name] = n
}

func (t *memTree) file(n *memNode) p9.File {
	t.files.Add(1)
	return t.wrap(&memFile{t: t, n: n, ctx: context.Background(), state: new(memState)})
}

func (t *memTree) wrap(f *memFile) p9.File {
	if t.plain {
		return memPlain{f}
	}
	return memRemover{f}
}

type memRemover struct{ *memFile }

func (f memRemover) Remove() error {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	return f.t.unlink(f.n.parent, f.n.name, f.n.mode.IsDir())
}

func (f memRemover) WithContext(ctx context.Context) p9.File {
	g := *f.memFile
	g.ctx = ctx
	return memRemover{&g}
}

func (t *memTree) unlink(dir *memNode, name string, rmdir bool) error {
	if dir == nil {
		return linux.EBUSY
	}
	n := dir.children[name]
	switch {
	case n == nil:
		return linux.ENOENT
	case n.mode.IsDir() != rmdir:
		return linux.EISDIR
	case len(n.children) > 0:
		return linux.ENOTEMPTY
	}
	delete(dir.children, name)
	t.nodes--
	return nil
}

func memOf(f p9.File) *memFile {
	switch f := f.(type) {
	case memPlain:
		return f.File.(*memFile)
	case memRemover:
		return f.memFile
	}
	return nil
}

func (t *memTree) Attach() (p9.File, error) { return t.file(t.root), nil }

func (n *memNode) qid() p9.QID { return p9.QID{Type: n.mode.QIDType(), Version: n.vers, Path: n.id} }

func (f *memFile) block(name string) error {
	if !strings.HasPrefix(f.n.name, name) {
		return nil
	}
	select {
	case f.t.blocked <- struct{}{}:
	default:
	}
	<-f.ctx.Done()
	return f.ctx.Err()
}

func (f *memFile) Walk(names []string) (qids []p9.QID, _ p9.File, err error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	n := f.n
	for _, name := range names {
		if n = n.children[name]; n == nil {
			return nil, nil, linux.ENOENT
		}
		qids = append(qids, n.qid())
	}
	return qids, f.t.file(n), nil
}

func (f *memFile) StatFS() (p9.FSStat, error) {
	return p9.FSStat{Type: 0x01021997, NameLength: 255}, nil
}

func (f *memFile) GetAttr(p9.AttrMask) (p9.QID, p9.AttrMask, p9.Attr, error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	n := f.n
	return n.qid(), p9.AttrMask{Mode: true, UID: true, GID: true, NLink: true, Size: true, MTime: true}, p9.Attr{
		Mode: n.mode, UID: n.uid, GID: n.gid, NLink: 1, Size: uint64(len(n.data)), MTimeSeconds: n.mtime,
	}, nil
}

func (f *memFile) SetAttr(valid p9.SetAttrMask, a p9.SetAttr) error {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	n := f.n
	if valid.Size {
		if a.Size > 1<<20 {
			return linux.EFBIG
		}
		n.data = append(n.data, make([]byte, int(a.Size))...)[:a.Size]
	}
	if valid.Permissions {
		n.mode = n.mode&^0o7777 | a.Permissions
	}
	if valid.UID {
		n.uid = a.UID
	}
	if valid.GID {
		n.gid = a.GID
	}
	if valid.MTime {
		n.mtime = a.MTimeSeconds
	}
	n.vers++
	return nil
}

func (f *memFile) Close() error {
	if f.state.closed.Swap(true) {
		panic("closed twice")
	}
	f.t.files.Add(-1)
	return nil
}

func (f *memFile) Open(p9.OpenFlags) (p9.QID, uint32, error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	if f.state.open.Swap(true) {
		panic("opened twice")
	}
	return f.n.qid(), 0, nil
}

func (f *memFile) check() {
	if f.state.closed.Load() {
		panic("used after it was closed")
	}
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.block("block"); err != nil {
		f.check()
		return 0, err
	}
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	f.check()
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	return copy(p, f.n.data[off:]), nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.block("block"); err != nil {
		return 0, err
	}
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	f.check()
	if off+int64(len(p)) > 4<<20 {
		return 0, linux.EFBIG
	}
	if end := int(off) + len(p); end > len(f.n.data) {
		f.n.data = append(f.n.data, make([]byte, end-len(f.n.data))...)
	}
	f.n.vers++
	return copy(f.n.data[off:], p), nil
}

func (f *memFile) SetXattr(name string, data []byte, _ p9.XattrFlags) error {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	if f.n.xattrs == nil {
		f.n.xattrs = make(map[string][]byte)
	}
	if len(f.n.xattrs) > 10 {
		return linux.ENOSPC
	}
	f.n.xattrs[name] = data
	return nil
}

func (f *memFile) GetXattr(name string) ([]byte, error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	if d, ok := f.n.xattrs[name]; ok {
		return d, nil
	}
	return nil, linux.ENODATA
}

func (f *memFile) ListXattrs() (names []string, _ error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	for name := range f.n.xattrs {
		names = append(names, name)
	}
	sort.Strings(names)
	return names, nil
}

func (f *memFile) RemoveXattr(name string) error {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	if _, ok := f.n.xattrs[name]; !ok {
		return linux.ENODATA
	}
	delete(f.n.xattrs, name)
	return nil
}

func (f *memFile) FSync() error { return nil }

func (f *memFile) Lock(int, p9.LockType, p9.LockFlags, uint64, uint64, string) (p9.LockStatus, error) {
	return p9.LockStatusOK, f.block("block")
}

func (f *memFile) GetLock(l Lock) (Lock, error) {
	l.Type = p9.Unlock
	return l, nil
}

// make puts a new node into directory f.
func (f *memFile) make(name string, mode p9.FileMode) (*memNode, error) {
	switch {
	case f.n.children[name] != nil:
		return nil, linux.EEXIST
	case f.t.nodes >= maxNodes:
		return nil, linux.ENOSPC
	case !f.n.mode.IsDir():
		return nil, linux.ENOTDIR
	}
	n := f.t.node(mode)
	f.t.put(f.n, name, n)
	return n, nil
}

func (f *memFile) Create(name string, flags p9.OpenFlags, mode p9.FileMode, _ p9.UID, _ p9.GID) (p9.File, p9.QID, uint32, error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	n, err := f.make(name, p9.ModeRegular|mode&0o7777)
	if err != nil {
		return nil, p9.QID{}, 0, err
	}
	file := f.t.file(n)
	memOf(file).state.open.Store(true)
	return file, n.qid(), 0, nil
}

func (f *memFile) Mkdir(name string, mode p9.FileMode, _ p9.UID, _ p9.GID) (p9.QID, error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	n, err := f.make(name, p9.ModeDirectory|mode&0o7777)
	if err != nil {
		return p9.QID{}, err
	}
	return n.qid(), nil
}

func (f *memFile) Symlink(target, name string, _ p9.UID, _ p9.GID) (p9.QID, error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	n, err := f.make(name, p9.ModeSymlink|0o777)
	if err != nil {
		return p9.QID{}, err
	}
	n.target = target
	return n.qid(), nil
}

func (f *memFile) Link(target p9.File, name string) error {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	if f.n.children[name] != nil {
		return linux.EEXIST
	}
	if memOf(target).n.mode.IsDir() || f.t.nodes >= maxNodes {
		return linux.EPERM
	}
	f.t.nodes++
	f.n.children[name] = memOf(target).n
	return nil
}

func (f *memFile) Mknod(name string, mode p9.FileMode, _, _ uint32, _ p9.UID, _ p9.GID) (p9.QID, error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	n, err := f.make(name, p9.ModeNamedPipe|mode&0o7777)
	if err != nil {
		return p9.QID{}, err
	}
	return n.qid(), nil
}

func (f *memFile) Rename(newDir p9.File, name string) error {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	return f.t.rename(f.n.parent, f.n.name, memOf(newDir).n, name)
}

func (f *memFile) RenameAt(old string, newDir p9.File, name string) error {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	return f.t.rename(f.n, old, memOf(newDir).n, name)
}

func (t *memTree) rename(from *memNode, old string, to *memNode, name string) error {
	if from == nil {
		return linux.EBUSY
	}
	n := from.children[old]
	if n == nil {
		return linux.ENOENT
	}
	for d := to; d != nil; d = d.parent {
		if d == n {
			return linux.EINVAL
		}
	}
	if there := to.children[name]; there == n {
		return nil
	} else if there != nil {
		if err := t.unlink(to, name, there.mode.IsDir()); err != nil {
			return err
		}
	}
	delete(from.children, old)
	t.put(to, name, n)
	return nil
}

func (f *memFile) UnlinkAt(name string, flags uint32) error {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	return f.t.unlink(f.n, name, flags&removeDir != 0)
}

func (f *memFile) Readdir(offset uint64, count uint32) (list p9.Dirents, _ error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	for name, n := range f.n.children {
		if n.id > offset {
			list = append(list, p9.Dirent{QID: n.qid(), Offset: n.id, Type: n.qid().Type, Name: name})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Offset < list[j].Offset })
	return list[:min(len(list), int(count))], nil
}

func (f *memFile) Readlink() (string, error) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	if f.n.target == "" {
		return "", linux.EINVAL
	}
	return f.n.target, nil
}

func (f *memFile) Renamed(_ p9.File, name string) {
	f.t.mu.Lock()
	defer f.t.mu.Unlock()
	f.t.told = append(f.t.told, name)
}
