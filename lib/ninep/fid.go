package ninep

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// A fid stands for a file. But for its being opened it never changes: a request that makes the same number mean another file puts
// another fid in its place.
type fid struct {
	num   uint32
	file  p9.File
	ctx   ContextFile // file, if it is one
	qid   p9.QID
	place atomic.Pointer[place] // changed by a Twstat that renames only
	table *fidTable
	refs  atomic.Int32 // one for the table and one for each request that uses it; the last closes file
	kept  bool         // file belongs to another fid now. Set before the table's reference is dropped

	state  atomic.Int32 // fidIdle, fidBusy, fidOpen
	mode   p9.OpenFlags // how it was opened; valid in state fidOpen, like the next two
	rclose bool         // ORCLOSE: remove it when it is clunked
	dir    *dirReader   // of a 9P2000 directory
	xattr  *xattr       // the fid is an extended attribute's
	of     *fid         // the fid that file belongs to, if xattr is set; referred to
}

const (
	fidIdle = iota
	fidBusy // being opened
	fidOpen
)

// A root is what an attach gave: the file that walks to "..", and to a file's directory, start from. It is closed with the last fid
// that was reached from it.
type root struct {
	file p9.File
	refs atomic.Int32
}

func (r *root) put() {
	if r.refs.Add(-1) == 0 {
		r.file.Close()
	}
}

// A place is the name by which a fid was reached, and that of its directory, up to the root.
type place struct {
	root   *root
	parent *place // nil for the root itself
	name   string // "/" for the root itself
}

// names are the names from the root to p.
func (p *place) names() []string {
	var names []string
	for ; p.parent != nil; p = p.parent {
		names = append(names, p.name)
	}
	slices.Reverse(names)
	return names
}

// walk is where names lead from p. What is above the root is the root.
func (p *place) walk(names []string) *place {
	for _, name := range names {
		if name != ".." {
			p = &place{root: p.root, parent: p, name: name}
		} else if p.parent != nil {
			p = p.parent
		}
	}
	return p
}

// A fidTable is the fids of a connection.
type fidTable struct {
	mu     sync.Mutex
	fids   map[uint32]*fid
	max    int
	count  *atomic.Int64 // fids whose file is open
	xattrs atomic.Int32  // those that hold an extended attribute
}

func (t *fidTable) init(max int, count *atomic.Int64) {
	t.fids, t.max, t.count = make(map[uint32]*fid), max, count
}

// get returns the fid with a reference, which the caller puts.
func (t *fidTable) get(num uint32) (*fid, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.fids[num]
	if f == nil {
		return nil, linux.EBADF
	}
	f.refs.Add(1)
	return f, nil
}

// free fails unless a fid of that number can be made.
func (t *fidTable) free(num uint32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.check(num)
}

func (t *fidTable) check(num uint32) error {
	switch {
	case num == noFid || t.fids[num] != nil:
		return linux.EBADF
	case len(t.fids) >= t.max:
		return linux.EMFILE
	}
	return nil
}

// new makes a fid that is in no table yet. It has one reference.
func (t *fidTable) new(num uint32, file p9.File, qid p9.QID, at *place) *fid {
	f := &fid{num: num, file: file, qid: qid, table: t}
	f.place.Store(at)
	f.ctx, _ = file.(ContextFile)
	f.refs.Store(1)
	at.root.refs.Add(1)
	t.count.Add(1)
	return f
}

// add puts f into the table. If that fails f is put, and so its file closed.
func (t *fidTable) add(f *fid) error {
	t.mu.Lock()
	err := t.check(f.num)
	if err == nil {
		t.fids[f.num] = f
	}
	t.mu.Unlock()
	if err != nil {
		f.put()
	}
	return err
}

// replace puts f in the place of old, which has the same number. If old is not in the table any more f is put, and so its file closed.
func (t *fidTable) replace(old, f *fid) error {
	t.mu.Lock()
	ok := t.fids[f.num] == old
	if ok {
		t.fids[f.num] = f
	}
	t.mu.Unlock()
	if !ok {
		f.put()
		return linux.EBADF
	}
	old.put()
	return nil
}

// remove takes a fid off the table and hands the table's reference to the caller. It returns nil if there is no such fid.
func (t *fidTable) remove(num uint32) *fid {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.fids[num]
	delete(t.fids, num)
	return f
}

// below returns the fids at and below a place, those nearest to the root first. The caller puts them.
func (t *fidTable) below(p *place) []*fid {
	names := p.names()
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []*fid
	for _, f := range t.fids {
		at := f.place.Load()
		if at.root != p.root {
			continue
		}
		if n := at.names(); len(n) >= len(names) && slices.Equal(n[:len(names)], names) {
			f.refs.Add(1)
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b *fid) int { return len(a.place.Load().names()) - len(b.place.Load().names()) })
	return list
}

// abandon tells the files that nobody is there any more to clunk their fids.
func (t *fidTable) abandon() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.fids {
		if a, ok := f.file.(Abandoner); ok {
			a.Abandon()
		}
	}
}

// clear clunks all fids.
func (t *fidTable) clear() {
	t.mu.Lock()
	all := t.fids
	t.fids = make(map[uint32]*fid)
	t.mu.Unlock()
	for _, f := range all {
		f.clunk()
	}
}

// put drops a reference. The last one closes the file.
func (f *fid) put() {
	if f.refs.Add(-1) > 0 {
		return
	}
	if !f.kept {
		f.file.Close()
	}
	if f.xattr != nil {
		f.table.xattrs.Add(-1)
		f.of.put()
	}
	f.place.Load().root.put()
	f.table.count.Add(-1)
}

// clunk drops the table's reference to a fid that has been removed from it. What is to be done first, it does: to remove a file
// that was opened so, and to set an extended attribute. An error is of that.
func (f *fid) clunk() error {
	defer f.put()
	switch {
	case f.xattr != nil:
		return f.xattr.commit(f.file)
	case f.state.Load() == fidOpen && f.rclose:
		return f.unlink()
	}
	return nil
}

// fid returns the fid of that number for r, which puts it.
func (r *request) fid(num uint32) (*fid, error) { return r.c.fids.get(num) }
