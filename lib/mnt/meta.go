//go:build linux

package mnt

import (
	"context"
	"errors"
	"time"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// lookup finds a name in a directory.
func (r *request) lookup(dir *node) error {
	name := r.in.name()
	if r.in.short || name == "" {
		return linux.EINVAL
	}
	if len(name) > unix.NAME_MAX {
		return linux.ENAMETOOLONG
	}
	if e, at, known := dir.listed(name); known && e == nil {
		r.s.stats.Hits.Add(1)
		r.absent(dir)
		return nil
	} else if known {
		if local, ok := r.s.fresh(e, at); ok {
			n := r.s.enter(dir, name, e.QID, &e.Attr, nil)
			n.learn(e.QID, &e.Attr, local, at)
			r.s.stats.Hits.Add(1)
			r.entry(n, &e.Attr)
			return nil
		}
	}
	if r.foreseen(dir, name) {
		r.s.stats.Hits.Add(1)
		return nil
	}
	_, err := r.find(dir, name)
	if errors.Is(err, linux.ENOENT) {
		r.absent(dir)
		return nil
	}
	return err
}

// find walks to name in dir and answers with what is there.
func (r *request) find(dir *node, name string) (*node, error) {
	f, err := r.s.look(r.ctx, dir, name)
	if err != nil {
		return nil, err
	}
	return r.found(dir, name, f), nil
}

// finding is what a walk to a name found.
type finding struct {
	file  p9.File
	qid   p9.QID
	attr  p9.Attr
	at    time.Time
	node  *node  // the name's when it was looked for, or nil
	local uint64 // changes of that one
}

// look walks to name in dir.
func (s *server) look(ctx context.Context, dir *node, name string) (f finding, err error) {
	d, _, err := s.hold(ctx, dir)
	if err != nil {
		return f, err
	}
	defer s.drop(d)
	f.at = time.Now()
	if f.node = dir.kid(name); f.node != nil {
		f.local = f.node.localNow()
	}
	var qids []p9.QID
	v := d.with(ctx)
	qids, f.file, _, f.attr, err = v.WalkGetAttr([]string{name})
	if errors.Is(err, linux.ENOSYS) {
		if qids, f.file, err = v.Walk([]string{name}); err == nil {
			if f.qid, _, f.attr, err = view(f.file, ctx).GetAttr(attrMask); err != nil {
				s.clunk(f.file)
			}
		}
	} else if err == nil && len(qids) == 1 {
		f.qid = qids[0]
	}
	if err != nil {
		return f, err
	}
	if len(qids) != 1 || !validAttr(&f.attr) {
		s.clunk(f.file)
		return f, linux.EIO
	}
	return f, nil
}

// found answers with what was found.
func (r *request) found(dir *node, name string, f finding) *node {
	n := r.s.enter(dir, name, f.qid, &f.attr, f.file)
	local := f.local
	if n != f.node {
		local = 0
	}
	n.learn(f.qid, &f.attr, local, f.at)
	r.entry(n, &f.attr)
	return n
}

// absent answers that a name is not there.
func (r *request) absent(dir *node) {
	valid := lifetime
	if dir.volatile() {
		valid = 0
	}
	var none p9.Attr
	r.s.ids.putEntry(&r.out, 0, 0, &none, valid, 0)
}

// entry answers with a node that the kernel now knows once more, and with its attributes: a, or newer ones.
func (r *request) entry(n *node, a *p9.Attr) {
	entry := lifetime
	if n.volatile() {
		entry = 0
	}
	now, valid := n.current(a)
	r.s.ids.putEntry(&r.out, n.id, n.qid.Path, &now, entry, valid)
	r.undo = func() { r.s.forget(n.id, 1) }
}

// attributes gives n's attributes and for how long they hold: those known, or new ones. H may be nil.
func (s *server) attributes(r *request, n *node, h *handle) (p9.Attr, time.Duration, error) {
	if err := n.settle(r.ctx); err != nil {
		return p9.Attr{}, 0, err
	}
	n.mu.Lock()
	if d := left(n.till); d > 0 {
		defer n.mu.Unlock()
		s.stats.Hits.Add(1)
		return n.attr, d, nil
	}
	local := n.local
	n.mu.Unlock()
	at := time.Now()
	var qid p9.QID
	var a p9.Attr
	ask := func(f p9.File) (err error) {
		qid, _, a, err = f.GetAttr(attrMask)
		return err
	}
	if err := s.onOpen(r.ctx, n, h, ask); err != nil {
		return p9.Attr{}, 0, err
	}
	if !validAttr(&a) {
		return p9.Attr{}, 0, linux.EIO
	}
	if a.Mode&p9.FileModeMask != n.typ {
		return p9.Attr{}, 0, linux.ESTALE
	}
	n.learn(qid, &a, local, at)
	a, valid := n.current(&a)
	return a, valid, nil
}

// onOpen runs op on the open file h, or if that is nil on n: on its fid, or where there is none on one that is open.
func (s *server) onOpen(ctx context.Context, n *node, h *handle, op func(p9.File) error) error {
	if h != nil {
		return op(h.fid.with(ctx))
	}
	n.mu.Lock()
	var f *fid
	if n.fid == nil {
		for o := range n.handles {
			f = o.fid
			s.keep(f)
			break
		}
	}
	n.mu.Unlock()
	if f == nil {
		return s.on(ctx, n, op)
	}
	defer s.drop(f)
	return op(f.with(ctx))
}

func (r *request) getattr(n *node) error {
	var h *handle
	if flags := r.in.u32(); flags&getattrFH != 0 {
		r.in.skip(4)
		h, _ = r.file(r.in.u64())
	}
	a, valid, err := r.s.attributes(r, n, h)
	if err != nil {
		return err
	}
	r.attr(n, &a, valid)
	return nil
}

func (r *request) attr(n *node, a *p9.Attr, valid time.Duration) {
	r.out.u64(uint64(valid / time.Second))
	r.out.u32(uint32(valid % time.Second))
	r.out.u32(0)
	r.s.ids.putAttr(&r.out, n.qid.Path, a)
}

func (r *request) setattr(n *node) error {
	valid := r.in.u32()
	r.in.skip(4)
	fh := r.in.u64()
	size := r.in.u64()
	r.in.skip(8)
	asec, msec := r.in.u64(), r.in.u64()
	r.in.skip(8)
	ansec, mnsec := r.in.u32(), r.in.u32()
	r.in.skip(4)
	mode := r.in.u32()
	r.in.skip(4)
	uid, gid := r.in.u32(), r.in.u32()
	if r.in.short {
		return linux.EINVAL
	}
	mask := p9.SetAttrMask{
		Permissions: valid&fattrMode != 0,
		UID:         valid&fattrUID != 0,
		GID:         valid&fattrGID != 0,
		Size:        valid&fattrSize != 0,
		ATime:       valid&fattrAtime != 0,
		MTime:       valid&fattrMtime != 0,
	}
	mask.ATimeNotSystemTime = mask.ATime && valid&fattrAtimeNow == 0
	mask.MTimeNotSystemTime = mask.MTime && valid&fattrMtimeNow == 0
	set := p9.SetAttr{
		Permissions:      p9.FileMode(mode) & 07777,
		UID:              p9.UID(mapped(r.s.ids.farUID, uid)),
		GID:              p9.GID(mapped(r.s.ids.farGID, gid)),
		Size:             size,
		ATimeSeconds:     asec,
		ATimeNanoSeconds: uint64(ansec),
		MTimeSeconds:     msec,
		MTimeNanoSeconds: uint64(mnsec),
	}
	if err := n.settle(r.ctx); err != nil {
		return err
	}
	var h *handle
	if valid&fattrFH != 0 {
		h, _ = r.file(fh)
	}
	if mask.ATime && !mask.ATimeNotSystemTime || mask.MTime && !mask.MTimeNotSystemTime {
		now := time.Now()
		sec, nsec := uint64(now.Unix()), uint64(now.Nanosecond())
		if !mask.ATimeNotSystemTime {
			set.ATimeSeconds, set.ATimeNanoSeconds = sec, nsec
		}
		if !mask.MTimeNotSystemTime {
			set.MTimeSeconds, set.MTimeNanoSeconds = sec, nsec
		}
	}
	apply := func(f p9.File) error { return f.SetAttr(mask, set) }
	n.mu.Lock()
	known := n.sized == n.local && !n.volatile()
	n.mu.Unlock()
	if !mask.Empty() {
		err := r.s.onOpen(r.ctx, n, h, apply)
		local := n.touch()
		if err != nil {
			return err
		}
		// The kernel wants the attributes, although mostly nobody asks for them: what was set is told, and not to be believed for long.
		n.mu.Lock()
		if known && local == n.local && n.sized == local-1 {
			n.attr.Apply(mask, set)
			n.sized = local
			a := n.attr
			n.mu.Unlock()
			r.attr(n, &a, 0)
			return nil
		}
		n.mu.Unlock()
	}
	a, left, err := r.s.attributes(r, n, h)
	if err != nil {
		return err
	}
	r.attr(n, &a, left)
	return nil
}

func (r *request) readlink(n *node) error {
	n.mu.Lock()
	target, fresh := n.target, left(n.targeted) > 0
	n.mu.Unlock()
	if !fresh {
		at := time.Now()
		err := r.s.on(r.ctx, n, func(f p9.File) (err error) {
			target, err = f.Readlink()
			return err
		})
		if err != nil {
			return err
		}
		if target == "" || len(target) >= unix.PathMax {
			return linux.EIO
		}
		if !n.volatile() {
			n.mu.Lock()
			n.target, n.targeted = target, at.Add(lifetime)
			n.mu.Unlock()
		}
	}
	r.out = append(r.out, target...)
	return nil
}

// access answers access(2), as far as a mode tells: who may really do what is decided when it is done.
func (r *request) access(n *node) error {
	mask := r.in.u32()
	a, _, err := r.s.attributes(r, n, nil)
	if err != nil {
		return err
	}
	mode := uint32(a.Mode)
	if r.uid == 0 {
		if mask&unix.X_OK != 0 && a.Mode.IsRegular() && mode&0111 == 0 {
			return linux.EACCES
		}
		return nil
	}
	// The caller's other groups are not known, so a group's rights are taken for everybody's.
	have := (mode | mode>>3) & 7
	if mapped(r.s.ids.nearUID, uint32(a.UID)) == r.uid {
		have = mode >> 6 & 7
	}
	if mask&^have&7 != 0 {
		return linux.EACCES
	}
	return nil
}

func (r *request) statfs(n *node) error {
	var st p9.FSStat
	err := r.s.on(r.ctx, n, func(f p9.File) (err error) {
		st, err = f.StatFS()
		return err
	})
	if errors.Is(err, linux.ENOSYS) || errors.Is(err, linux.EOPNOTSUPP) {
		st, err = p9.FSStat{BlockSize: 4096, NameLength: unix.NAME_MAX}, nil
	}
	if err != nil {
		return err
	}
	e := &r.out
	e.u64(st.Blocks)
	e.u64(st.BlocksFree)
	e.u64(st.BlocksAvailable)
	e.u64(st.Files)
	e.u64(st.FilesFree)
	e.u32(st.BlockSize)
	e.u32(st.NameLength)
	e.u32(st.BlockSize)
	e.zero(28)
	return nil
}
