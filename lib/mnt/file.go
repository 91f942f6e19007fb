//go:build linux

package mnt

import (
	"context"
	"errors"
	"io"
	"time"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

const (
	// firstBytes is how much of a file comes with its being opened, and up to which size a file is worth that.
	firstBytes = 64 << 10

	// streamUnit is how much is read or written at once of a file that must not be read ahead, where the server names no unit.
	streamUnit = 32 << 10
)

// handle is an open file.
type handle struct {
	node    *node
	fid     *fid // open
	unit    int  // of a volatile file, how much to read or write at once
	appends bool
	window  window

	failed error               // of a write; under node.writes.mu
	owners map[uint64]struct{} // who locked through it; under node.mu
}

// appends says whether what is written to a file that was opened so goes to its end, wherever that is. Such writes must keep their order.
func appends(qid p9.QID, flags p9.OpenFlags) bool {
	return flags&unix.O_APPEND != 0 || qid.Type&p9.TypeAppendOnly != 0 && flags&unix.O_ACCMODE != unix.O_RDONLY
}

// file is the handle that the kernel calls fh.
func (r *request) file(fh uint64) (*handle, error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if h, ok := r.s.handles[fh].(*handle); ok {
		return h, nil
	}
	return nil, linux.EBADF
}

// number enters a *handle or a *dirHandle and gives it its fh.
func (s *server) number(h any) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastFH++
	s.handles[s.lastFH] = h
	return s.lastFH
}

// openFlags are the flags of an open(2) that mean something at the far side, where they have 9P2000.L's numbers.
func openFlags(f uint32) p9.OpenFlags {
	return p9.OpenFlags(f) & (unix.O_ACCMODE | unix.O_TRUNC | unix.O_APPEND | unix.O_EXCL | unix.O_NONBLOCK | unix.O_SYNC | unix.O_DSYNC)
}

func (r *request) open(n *node) error {
	return r.openNode(n, openFlags(r.in.u32()))
}

func (r *request) openNode(n *node, flags p9.OpenFlags) error {
	s := r.s
	if flags&unix.O_TRUNC != 0 {
		if err := n.settle(r.ctx); err != nil {
			return err
		}
		defer n.touch()
	}
	h := &handle{node: n, appends: appends(n.qid, flags)}
	var qid p9.QID
	var unit uint32
	n.mu.Lock()
	h.window.since = n.stampLocked()
	short := flags&^unix.O_NONBLOCK == unix.O_RDONLY && !n.volatile() && n.attr.Size <= firstBytes
	room := min(n.attr.Size+1, firstBytes) // a byte more, so that the end shows
	local := n.local
	n.mu.Unlock()
	if n.volatile() {
		r.block()
	}
	at := time.Now()
	open := func(f p9.File) (err error) {
		if o, ok := view(f, r.ctx).(ninep.ReadOpener); ok && short {
			c := &chunk{buf: make([]byte, room), done: closed}
			var eof bool
			qid, unit, c.n, eof, err = o.OpenRead(flags, c.buf)
			if err == nil && c.n >= 0 && c.n <= len(c.buf) {
				if !eof {
					c.buf = c.buf[:c.n]
				}
				h.window.first(c)
			}
			if !errors.Is(err, linux.ENOSYS) {
				return err
			}
		}
		qid, unit, err = view(f, r.ctx).Open(flags)
		return err
	}
	f, err := s.reach(r.ctx, n, open)
	if err != nil {
		return err
	}
	h.fid = f
	h.unit = int(min(unit, maxWrite))
	if h.unit == 0 {
		h.unit = streamUnit
	}
	r.opened(h, qid, flags, local, at)
	return nil
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// reach walks to n with a new fid and runs op, an open, on it.
func (s *server) reach(ctx context.Context, n *node, op func(p9.File) error) (*fid, error) {
	f, parent, name := s.takeFid(n)
	if f != nil {
		err := op(f.file)
		if err == nil {
			return f, nil
		}
		s.giveFid(n, f)
		if !stale(err) {
			return nil, err
		}
	}
	if parent == nil {
		return s.clone(ctx, n, op)
	}
	c, err := s.walk(ctx, n, parent, name)
	if err != nil {
		return nil, err
	}
	if err := op(c); err != nil {
		s.clunk(c)
		return nil, err
	}
	return &fid{c, 1}, nil
}

// takeFid gives the fid of a file whose name has just been looked up, to be opened as it is: that saves the walk to another, and a node can
// do without. It is nil if there is none, somebody uses it, or the name may have moved on; then there is the way to a new one.
func (s *server) takeFid(n *node) (f *fid, parent *node, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.refs.Lock()
	defer s.refs.Unlock()
	if n.fid != nil && n.fid.refs == 1 && n.typ != unix.S_IFDIR && left(n.walked.Add(lifetime)) > 0 {
		f, n.fid = n.fid, nil
	}
	return f, n.parent, n.name
}

// giveFid gives it back.
func (s *server) giveFid(n *node, f *fid) {
	n.mu.Lock()
	if n.fid == nil && !n.gone {
		n.fid, f = f, nil
	}
	n.mu.Unlock()
	if f != nil {
		s.drop(f)
	}
}

// clone opens a file that has no name, the root.
func (s *server) clone(ctx context.Context, n *node, op func(p9.File) error) (*fid, error) {
	f, _, err := s.hold(ctx, n)
	if err != nil {
		return nil, err
	}
	defer s.drop(f)
	_, c, err := f.with(ctx).Walk(nil)
	if err != nil {
		return nil, err
	}
	if err := op(c); err != nil {
		s.clunk(c)
		return nil, err
	}
	return &fid{c, 1}, nil
}

// opened enters h and answers how it is to be used. The qid of the open tells whether what is known of the file still holds; it is what
// makes an open see what was written before it.
func (r *request) opened(h *handle, qid p9.QID, flags p9.OpenFlags, local uint64, at time.Time) {
	n := h.node
	how := uint32(0)
	tell := false
	n.mu.Lock()
	if n.handles == nil {
		n.handles = map[*handle]struct{}{}
	}
	n.handles[h] = struct{}{}
	switch {
	case n.volatile() || qid.Version == 0:
		how = openDirectIO
	case qid.Version == n.version && n.local == local && flags&unix.O_TRUNC == 0:
		n.till = at.Add(lifetime)
		now := n.stampLocked()
		if n.pages == now {
			how = openKeepCache
		}
		n.pages = now
		h.window.since = now
	default:
		n.till = time.Time{}
		n.pages = stamp{}
		r.s.dropWindow(&h.window)
		tell = flags&unix.O_TRUNC == 0
	}
	if h.appends {
		how |= openDirectIO // where the end is, only the far side knows
	}
	if flags&unix.O_ACCMODE == unix.O_RDONLY {
		how |= openNoFlush
	}
	n.mu.Unlock()
	if tell {
		r.s.staleAttr(n)
	}
	fh := r.s.number(h)
	r.out.u64(fh)
	r.out.u32(how)
	r.out.u32(0)
	undo := r.undo
	r.undo = func() {
		r.s.close(fh)
		if undo != nil {
			undo()
		}
	}
}

func (r *request) create(dir *node) error {
	flags, mode := openFlags(r.in.u32()), r.in.u32()
	r.in.skip(8)
	name := r.in.name()
	if r.in.short {
		return linux.EINVAL
	}
	var file p9.File
	var qid p9.QID
	var unit uint32
	err := r.change(dir, func(d p9.File) (err error) {
		file, qid, unit, err = d.Create(name, flags|unix.O_CREAT, p9.FileMode(mode)&07777, noUID, noGID)
		return err
	})
	if errors.Is(err, linux.EEXIST) && flags&unix.O_EXCL == 0 {
		// The kernel remembered that it was not there.
		n, err := r.find(dir, name)
		if err != nil {
			return err
		}
		return r.openNode(n, flags)
	}
	if err != nil {
		return err
	}
	at := time.Now()
	q, _, a, err := view(file, r.ctx).GetAttr(attrMask)
	if err == nil && !validAttr(&a) {
		err = linux.EIO
	}
	if err != nil {
		r.s.clunk(file)
		return err
	}
	if q.Path == 0 {
		q = qid
	}
	n := r.s.enter(dir, name, q, &a, nil)
	local := n.localNow()
	n.learn(q, &a, local, at)
	r.entry(n, &a)
	h := &handle{node: n, fid: &fid{file, 1}, appends: appends(q, flags), unit: int(min(unit, maxWrite))}
	if h.unit == 0 {
		h.unit = streamUnit
	}
	n.mu.Lock()
	h.window.since = n.stampLocked()
	n.mu.Unlock()
	r.opened(h, q, flags&^unix.O_TRUNC, local, at)
	return nil
}

func (r *request) release() error {
	fh := r.in.u64()
	r.in.skip(4)
	flags, owner := r.in.u32(), r.in.u64()
	h, err := r.file(fh)
	if err != nil {
		return err
	}
	if flags&releaseFlock != 0 {
		r.unlock(h, owner)
	}
	r.s.close(fh)
	return nil
}

// close lets go of the handle fh, once what was written to it is at the far side.
func (s *server) close(fh uint64) {
	s.mu.Lock()
	h, ok := s.handles[fh].(*handle)
	delete(s.handles, fh)
	s.mu.Unlock()
	if !ok {
		return
	}
	n := h.node
	n.mu.Lock()
	delete(n.handles, h)
	owners := h.owners
	h.owners = nil
	n.mu.Unlock()
	for o := range owners {
		(&request{s: s, ctx: s.ctx}).unlock(h, o)
	}
	h.settle(s.ctx)
	s.dropWindow(&h.window)
	s.drop(h.fid)
}

func (r *request) read() error {
	h, err := r.file(r.in.u64())
	if err != nil {
		return err
	}
	off, size := int64(r.in.u64()), r.in.u32()
	if r.in.short || off < 0 || size > maxWrite {
		return linux.EINVAL
	}
	n := h.node
	if n.volatile() {
		r.block()
		buf := make([]byte, min(int(size), h.unit))
		k, err := readAt(h.fid.with(r.ctx), buf, off)
		if err != nil {
			return err
		}
		r.data = [][]byte{buf[:k]}
		return nil
	}
	if err := n.settle(r.ctx); err != nil {
		return err
	}
	return r.readAhead(h, off, int(size))
}

// readAt reads once; the end of the file is no error.
func readAt(f p9.File, p []byte, off int64) (int, error) {
	n, err := f.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if n < 0 || n > len(p) {
		return 0, linux.EIO
	}
	return n, nil
}
