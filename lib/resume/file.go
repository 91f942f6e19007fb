package resume

import (
	"context"
	"slices"
	"sync"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"

	"cpu/lib/ninep"
)

// state is a file in use, whatever the connection.
type state struct {
	tree  *Tree
	names []string // from the root; guarded by the tree's mu

	finding chan struct{} // has a token while the file is found again

	mu     sync.Mutex
	link   *link   // that far is over
	far    p9.File // nil if stale
	qid    p9.QID  // the zero QID is the root's, which is not compared. Version: as it was walked to or, then, opened; 0 is a stream
	open   bool
	flags  p9.OpenFlags
	stale  bool // another file has its name, or none, on this connection
	closed bool
}

// file is a state as one operation sees it.
type file struct {
	*state
	ctx context.Context
}

var (
	_ ninep.ContextFile   = (*file)(nil)
	_ ninep.AttrReaddirer = (*file)(nil)
	_ ninep.ReadOpener    = (*file)(nil)
	_ ninep.Remover       = (*file)(nil)
	_ ninep.LockGetter    = (*file)(nil)
)

// WithContext implements ninep.ContextFile.
func (f *file) WithContext(ctx context.Context) p9.File { return &file{f.state, ctx} }

// bound is a file with its operations bound to ctx.
func bound(f p9.File, ctx context.Context) p9.File {
	if c, ok := f.(ninep.ContextFile); ok {
		return c.WithContext(ctx)
	}
	return f
}

// find gives the file over a connection that is alive, found again if it was seen over another.
func (s *state) find(ctx context.Context) (p9.File, *link, error) {
	for {
		far, l, err := s.seen()
		if err != nil || far != nil {
			return far, l, err
		}
		select {
		case s.finding <- struct{}{}:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		err = s.seek(ctx)
		<-s.finding
		if err != nil {
			return nil, nil, err
		}
	}
}

// seen is the file as it was last seen; nil if that was over a connection which is lost.
func (s *state) seen() (p9.File, *link, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, nil, linux.EBADF
	case s.link.lost():
		return nil, nil, nil
	case s.stale:
		return nil, nil, linux.ESTALE
	}
	return s.far, s.link, nil
}

// seek finds the file over another connection, if it is not seen over one that lives. It is called with finding.
func (s *state) seek(ctx context.Context) error {
	if far, _, err := s.seen(); err != nil || far != nil {
		return err
	}
	l, err := s.tree.current(ctx)
	if err != nil {
		return err
	}
	far, err := s.again(ctx, l)
	switch {
	case err != nil && l.lost():
		return nil // once more
	case err != nil && ninep.Errno(err) != linux.ESTALE:
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed && far != nil {
		far.Close()
		return linux.EBADF
	}
	s.far, s.link, s.stale = far, l, err != nil
	return nil
}

// again walks to the file over another connection, and opens it if it was open.
func (s *state) again(ctx context.Context, l *link) (p9.File, error) {
	s.mu.Lock()
	qid, open, flags := s.qid, s.open, s.flags
	s.mu.Unlock()
	q, far, err := bound(l.File, ctx).Walk(s.tree.place(s))
	if err != nil {
		if e := ninep.Errno(err); e == linux.ENOENT || e == linux.ENOTDIR {
			err = linux.ESTALE
		}
		return nil, err
	}
	if n := len(q); n > 0 && (q[n-1].Path != qid.Path || q[n-1].Type != qid.Type) {
		far.Close()
		return nil, linux.ESTALE
	}
	if open {
		if _, _, err := bound(far, ctx).Open(flags); err != nil {
			far.Close()
			return nil, err
		}
	}
	return far, nil
}

// do runs an operation; again, if it makes no difference, when the connection was lost meanwhile.
func (f *file) do(again bool, op func(far p9.File, l *link) error) error {
	for {
		far, l, err := f.find(f.ctx)
		if err != nil {
			return err
		}
		if err = op(bound(far, f.ctx), l); err == nil || !l.lost() || f.ctx.Err() != nil || !again {
			return err
		}
	}
}

// peer is what another file of the tree is over the same connection as f.
func (f *file) peer(other p9.File, l *link) (*file, p9.File, error) {
	o, ok := other.(*file)
	if !ok || o.tree != f.tree {
		return nil, nil, linux.EXDEV
	}
	far, m, err := o.find(f.ctx)
	if err == nil && m != l {
		err = linux.EIO // lost between the two
	}
	return o, far, err
}

func below(names []string, more ...string) []string { return slices.Concat(names, more) }

// Walk implements p9.File.
func (f *file) Walk(names []string) (q []p9.QID, to p9.File, err error) {
	err = f.do(true, func(far p9.File, l *link) error {
		var g p9.File
		if q, g, err = far.Walk(names); err == nil {
			to = f.found(l, g, q, names)
		}
		return err
	})
	return q, to, err
}

// found is a file that was walked to from f.
func (f *file) found(l *link, far p9.File, q []p9.QID, names []string) *file {
	f.mu.Lock()
	qid := f.qid
	f.mu.Unlock()
	if len(q) > 0 {
		qid = q[len(q)-1]
	}
	return f.tree.file(l, far, qid, below(f.tree.place(f.state), names...))
}

// WalkGetAttr implements p9.File.
func (f *file) WalkGetAttr(names []string) (q []p9.QID, to p9.File, mask p9.AttrMask, attr p9.Attr, err error) {
	err = f.do(true, func(far p9.File, l *link) error {
		var g p9.File
		if q, g, mask, attr, err = far.WalkGetAttr(names); err == nil {
			to = f.found(l, g, q, names)
		}
		return err
	})
	return q, to, mask, attr, err
}

// Close implements p9.File. A connection that is lost is not waited for.
func (f *file) Close() error {
	f.tree.forget(f.state)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return linux.EBADF
	}
	f.closed = true
	if f.link.lost() || f.far == nil {
		return nil
	}
	return bound(f.far, f.ctx).Close()
}

// reopen is what is left of an open's flags when the file is opened again.
const reopen = ^p9.OpenFlags(0o100 | 0o200 | 0o1000) // O_CREAT, O_EXCL, O_TRUNC

func (s *state) opened(q p9.QID, flags p9.OpenFlags) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open, s.flags, s.qid.Version = true, flags&reopen, q.Version
}

// stream says that what was read once cannot be read again.
func (s *state) stream() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.qid.Version == 0
}

// Open implements p9.File.
func (f *file) Open(mode p9.OpenFlags) (q p9.QID, unit uint32, err error) {
	err = f.do(true, func(far p9.File, _ *link) error { q, unit, err = far.Open(mode); return err })
	if err == nil {
		f.opened(q, mode)
	}
	return q, unit, err
}

// OpenRead implements ninep.ReadOpener.
func (f *file) OpenRead(mode p9.OpenFlags, p []byte) (q p9.QID, unit uint32, n int, eof bool, err error) {
	err = f.do(true, func(far p9.File, _ *link) error {
		if o, ok := far.(ninep.ReadOpener); ok {
			q, unit, n, eof, err = o.OpenRead(mode, p)
			return err
		}
		q, unit, err = far.Open(mode)
		return err
	})
	if err == nil {
		f.opened(q, mode)
	}
	return q, unit, n, eof, err
}

// Create implements p9.File.
func (f *file) Create(name string, flags p9.OpenFlags, mode p9.FileMode, uid p9.UID, gid p9.GID) (made p9.File, q p9.QID, unit uint32, err error) {
	err = f.do(false, func(far p9.File, l *link) error {
		var g p9.File
		if g, q, unit, err = far.Create(name, flags, mode, uid, gid); err == nil {
			m := f.tree.file(l, g, q, below(f.tree.place(f.state), name))
			m.opened(q, flags)
			made = m
		}
		return err
	})
	return made, q, unit, err
}

// RenameAt implements p9.File.
func (f *file) RenameAt(oldName string, dir p9.File, newName string) error {
	return f.do(false, func(far p9.File, l *link) error {
		d, to, err := f.peer(dir, l)
		if err != nil {
			return err
		}
		if err := far.RenameAt(oldName, to, newName); err != nil {
			return err
		}
		f.tree.renamed(below(f.tree.place(f.state), oldName), below(f.tree.place(d.state), newName))
		return nil
	})
}

// Rename implements p9.File.
func (f *file) Rename(dir p9.File, name string) error {
	return f.do(false, func(far p9.File, l *link) error {
		d, to, err := f.peer(dir, l)
		if err != nil {
			return err
		}
		if err := far.Rename(to, name); err != nil {
			return err
		}
		f.tree.renamed(f.tree.place(f.state), below(f.tree.place(d.state), name))
		return nil
	})
}

// Link implements p9.File.
func (f *file) Link(target p9.File, name string) error {
	return f.do(false, func(far p9.File, l *link) error {
		_, t, err := f.peer(target, l)
		if err != nil {
			return err
		}
		return far.Link(t, name)
	})
}
