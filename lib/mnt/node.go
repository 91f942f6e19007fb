//go:build linux

package mnt

import (
	"context"
	"errors"
	"sync"
	"time"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// fid is a file at the far side, counted: it is clunked when its last user lets go.
type fid struct {
	file p9.File
	refs int // under server.refs
}

// with is f's file as seen by a request with the context ctx.
func (f *fid) with(ctx context.Context) p9.File { return view(f.file, ctx) }

func view(f p9.File, ctx context.Context) p9.File {
	if c, ok := f.(ninep.ContextFile); ok {
		return c.WithContext(ctx)
	}
	return f
}

// node is a file that the kernel knows. Hard links are one node; the number of one is never used again.
type node struct {
	id  uint64
	qid p9.QID // Path and Type hold; for Version see attr
	typ p9.FileMode

	lookups uint64 // under server.nodes

	mu       sync.Mutex
	fid      *fid      // unopened; nil until wanted
	walked   time.Time // when fid was walked to
	used     bool      // fid has been, since it was last asked
	gone     bool      // forgotten: fid is not kept
	parent   *node
	name     string
	kids     map[string]*node // of a directory, by the names they had when last seen; some may be gone
	handles  map[*handle]struct{}
	attr     p9.Attr
	version  uint32    // the qid's, when attr was fetched
	till     time.Time // until when attr holds
	local    uint64    // changes through this mount so far
	sized    uint64    // how many of them attr knows of
	changed  time.Time // the last of them
	pages    stamp     // what the kernel's pages of the file were read from
	target   string    // of a symbolic link
	targeted time.Time // until when target holds
	list     *listing  // of a directory, however old
	seeing   foresight
	reading  chan struct{} // the directory is being read ahead; closed when it is
	writes   writes
	locks    map[uint64]uint32 // lock owners and the process that locked first
}

// volatile reports whether the file is a stream, a control file or a directory of such: not to be cached at all.
func (n *node) volatile() bool { return n.qid.Version == 0 }

// touch notes a change that was made through this mount: what is known of the file no longer holds. It gives the number of
// changes.
func (n *node) touch() (local uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.local++
	n.changed = time.Now()
	n.till = time.Time{}
	n.list = nil
	return n.local
}

// stampLocked is the file's state as far as it is known. N.mu is held.
func (n *node) stampLocked() stamp {
	return stamp{n.version, n.attr.Size, n.attr.MTimeSeconds, n.attr.MTimeNanoSeconds, n.attr.CTimeSeconds, n.attr.CTimeNanoSeconds, n.local}
}

// learn takes attributes that were asked for when local and at were the node's state and the time.
func (n *node) learn(qid p9.QID, a *p9.Attr, local uint64, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.local != local || left(n.till) > 0 && n.till.After(at.Add(lifetime)) {
		return
	}
	n.attr, n.version, n.sized = *a, qid.Version, local
	if !n.volatile() {
		n.till = at.Add(lifetime)
	}
}

// current gives n's attributes and for how long they hold, or if they do not, a.
func (n *node) current(a *p9.Attr) (p9.Attr, time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if d := left(n.till); d > 0 {
		return n.attr, d
	}
	return *a, 0
}

func (n *node) localNow() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.local
}

// left is how long until t, for the kernel to know.
func left(t time.Time) time.Duration { return max(0, time.Until(t)) }

// hold returns n's fid, for the caller to drop. Fresh says that it was walked to just now.
func (s *server) hold(ctx context.Context, n *node) (f *fid, fresh bool, err error) {
	n.mu.Lock()
	if f := n.fid; f != nil {
		s.keep(f)
		n.used = true
		n.mu.Unlock()
		return f, false, nil
	}
	parent, name := n.parent, n.name
	n.mu.Unlock()
	file, err := s.walk(ctx, n, parent, name)
	if err != nil {
		return nil, false, err
	}
	f = &fid{file, 1}
	n.mu.Lock()
	if !n.gone && n.fid == nil {
		s.keep(f)
		n.fid, n.walked = f, time.Now()
	}
	n.mu.Unlock()
	s.idle.add(s, n)
	return f, true, nil
}

// walk goes from parent to name and makes sure that it found n there.
func (s *server) walk(ctx context.Context, n, parent *node, name string) (p9.File, error) {
	if parent == nil {
		return nil, linux.ESTALE
	}
	d, _, err := s.hold(ctx, parent)
	if err != nil {
		return nil, err
	}
	defer s.drop(d)
	qids, file, err := d.with(ctx).Walk([]string{name})
	if err == nil && (len(qids) != 1 || qids[0].Path != n.qid.Path) {
		s.clunk(file)
		err = linux.ENOENT
	}
	if !errors.Is(err, linux.ENOENT) {
		return file, err
	}
	// The kernel looks the name up again on ESTALE, and must not be told the same.
	parent.mu.Lock()
	parent.list = nil
	parent.mu.Unlock()
	s.unsee(parent)
	return nil, linux.ESTALE
}

// on runs op on n's fid, and once more on a new one where the fid turns out to be that of a name that has moved.
func (s *server) on(ctx context.Context, n *node, op func(p9.File) error) error {
	f, fresh, err := s.hold(ctx, n)
	if err != nil {
		return err
	}
	err = op(f.with(ctx))
	if !fresh && stale(err) {
		s.unfid(n, f)
		s.drop(f)
		if f, _, err = s.hold(ctx, n); err != nil {
			return err
		}
		err = op(f.with(ctx))
	}
	s.drop(f)
	return err
}

func stale(err error) bool {
	return errors.Is(err, linux.ENOENT) || errors.Is(err, linux.ESTALE)
}

// unfid makes n forget its fid f.
func (s *server) unfid(n *node, f *fid) {
	n.mu.Lock()
	if n.fid != f || n.parent == nil {
		n.mu.Unlock()
		return
	}
	n.fid = nil
	n.mu.Unlock()
	s.drop(f)
}

func (s *server) keep(f *fid) {
	s.refs.Lock()
	f.refs++
	s.refs.Unlock()
}

func (s *server) drop(f *fid) {
	s.refs.Lock()
	f.refs--
	last := f.refs == 0
	s.refs.Unlock()
	if last {
		s.clunk(f.file)
	}
}

// table is the nodes by number and by qid.
type table struct {
	sync.Mutex
	last   uint64
	byID   map[uint64]*node
	byPath map[uint64]*node
}

func (t *table) node(id uint64) *node {
	t.Lock()
	defer t.Unlock()
	return t.byID[id]
}

// enter returns the node of the file called name in dir, counted as looked up once more. File, which may be nil, becomes its fid.
func (s *server) enter(dir *node, name string, qid p9.QID, a *p9.Attr, file p9.File) *node {
	typ := a.Mode & p9.FileModeMask
	t := &s.nodes
	t.Lock()
	n := t.byPath[qid.Path]
	// A number that was given to another file at the far side meanwhile.
	if n != nil && (n.typ != typ || n.volatile() != (qid.Version == 0)) {
		n = nil
	}
	if n == nil {
		t.last++
		n = &node{id: t.last, qid: qid, typ: typ}
		t.byID[n.id], t.byPath[qid.Path] = n, n
	}
	n.lookups++
	t.Unlock()

	var f, old *fid
	if file != nil {
		f = &fid{file, 1}
	}
	n.mu.Lock()
	if f != nil && n.id != rootID {
		old, n.fid, n.walked = n.fid, f, time.Now()
	} else if f != nil {
		old = f
	}
	n.mu.Unlock()
	s.place(n, dir, name)
	if old != nil {
		s.drop(old)
	}
	if file != nil {
		s.idle.add(s, n)
	}
	return n
}

// place makes dir and name the way to n.
func (s *server) place(n, dir *node, name string) {
	if n.id == rootID {
		return
	}
	s.tree.Lock()
	defer s.tree.Unlock()
	for d := dir; d != nil; d = d.up() {
		if d == n {
			return // a far side that lies: a directory beneath itself
		}
	}
	n.mu.Lock()
	was, wasName := n.parent, n.name
	n.parent, n.name = dir, name
	n.mu.Unlock()
	if was == dir && wasName == name {
		return
	}
	dir.mu.Lock()
	defer dir.mu.Unlock()
	if dir.kids == nil {
		dir.kids = map[string]*node{}
	}
	dir.kids[name] = n
}

func (n *node) up() *node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.parent
}

func (n *node) placeName() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.name
}

// unlist takes name from a directory's kids, if it is n that has it.
func (n *node) unlist(name string, kid *node) {
	n.mu.Lock()
	if n.kids[name] == kid {
		delete(n.kids, name)
	}
	n.mu.Unlock()
}

func (n *node) kid(name string) *node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.kids[name]
}

// forget takes back count lookups; with the last the node goes.
func (s *server) forget(id, count uint64) {
	t := &s.nodes
	t.Lock()
	n := t.byID[id]
	if n == nil || id == rootID {
		t.Unlock()
		return
	}
	n.lookups -= min(count, n.lookups)
	if n.lookups > 0 {
		t.Unlock()
		return
	}
	delete(t.byID, id)
	if t.byPath[n.qid.Path] == n {
		delete(t.byPath, n.qid.Path)
	}
	t.Unlock()

	n.mu.Lock()
	f, parent, name := n.fid, n.parent, n.name
	n.fid, n.gone, n.list = nil, true, nil
	n.mu.Unlock()
	s.unsee(n)
	if parent != nil {
		parent.unlist(name, n)
	}
	if f != nil {
		s.drop(f)
	}
}
