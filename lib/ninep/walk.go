package ninep

import (
	"slices"
	"strings"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// auth refuses Tauth: who a connection belongs to is known before 9P begins.
func (r *request) auth(m *tauth, a *rauth) error {
	return &Error{Errno: linux.ENOENT, Text: "authentication not required"}
}

func (r *request) attach(m *tattach, a *rattach) error {
	if m.afid != noFid {
		return linux.EBADF
	}
	if err := checkPath(m.aname); err != nil {
		return err
	}
	if err := r.c.fids.free(m.fid); err != nil {
		return err
	}
	file, err := r.attachFile(Attach{Uname: m.uname, UID: p9.UID(m.nuname), Aname: m.aname})
	if err != nil {
		return err
	}
	qid, _, _, err := bind(r, file).GetAttr(p9.AttrMask{})
	var start p9.File
	if err == nil {
		_, start, err = file.Walk(nil)
	}
	if err != nil {
		file.Close()
		return err
	}
	top := &root{file: start}
	a.qid = qid
	return r.c.fids.add(r.c.fids.new(m.fid, file, qid, &place{root: top, name: "/"}))
}

// attachFile gets the root of the tree that is wanted.
func (r *request) attachFile(a Attach) (p9.File, error) {
	if t, ok := r.c.srv.Attacher.(NamedAttacher); ok {
		return t.AttachAs(r.context(), a)
	}
	top, err := r.c.srv.Attacher.Attach()
	if err != nil {
		return nil, err
	}
	names := strings.FieldsFunc(a.Aname, func(c rune) bool { return c == '/' })
	if len(names) == 0 {
		return top, nil
	}
	defer top.Close()
	for _, name := range names {
		if err := checkName(name); err != nil {
			return nil, err
		}
	}
	_, file, err := top.Walk(names)
	return file, err
}

// step is where a walk comes to: a file, and the qids on the way.
type step struct {
	file p9.File
	qids []p9.QID
	at   *place
}

// walkFrom walks from f. It comes either to the end, and the caller owns the file, or less far, and there is an error; qids then has
// as many as could be walked.
func (r *request) walkFrom(f *fid, names []string, qids []p9.QID) (step, error) {
	at := f.place.Load()
	if slices.Contains(names, "..") {
		return r.walkUp(f, names, qids)
	}
	from := f.view(r)
	got, file, err := from.Walk(names)
	if err == nil && len(got) < len(names) {
		if file != nil {
			file.Close()
		}
		err = linux.ENOENT
	}
	if err == nil {
		return step{file, append(qids, got...), at.walk(names)}, nil
	}
	if len(names) > 1 && len(got) == 0 { // how far does it go?
		got = walkFar(from, names)
	}
	return step{qids: append(qids, got...)}, err
}

// walkFar returns the qids of as many names as can be walked, when it is known that not all can.
func walkFar(from p9.File, names []string) (qids []p9.QID) {
	first := from
	for _, name := range names {
		q, file, err := from.Walk([]string{name})
		if from != first {
			from.Close()
		}
		if err != nil || len(q) != 1 {
			return qids
		}
		from = file
		qids = append(qids, q[0])
	}
	if from != first {
		from.Close()
	}
	return qids
}

// walkUp walks names with ".." among them, which no tree is asked for: from the root down to what the names amount to, one name at
// a time, so that no one leaves the tree.
func (r *request) walkUp(f *fid, names []string, qids []p9.QID) (step, error) {
	at := f.place.Load()
	file := f.view(r)
	owned := false
	for _, name := range names {
		var next p9.File
		var q []p9.QID
		var err error
		to := at.walk([]string{name})
		if name == ".." {
			_, next, err = at.root.file.Walk(to.names())
			if err == nil {
				var qid p9.QID
				qid, _, _, err = next.GetAttr(p9.AttrMask{})
				q = []p9.QID{qid}
			}
		} else {
			q, next, err = file.Walk([]string{name})
		}
		if err == nil && len(q) != 1 {
			err = linux.ENOENT
		}
		if owned {
			file.Close()
		}
		if err != nil {
			if next != nil {
				next.Close()
			}
			return step{qids: qids}, err
		}
		file, owned, at = next, true, to
		qids = append(qids, q[0])
	}
	return step{file, qids, at}, nil
}

// source returns the fid that a walk starts from, if it may, and whether it is the target as well.
func (r *request) source(num, newnum uint32, names []string) (*fid, error) {
	if err := checkWalk(names); err != nil {
		return nil, err
	}
	f, err := r.fid(num)
	if err != nil {
		return nil, err
	}
	switch {
	case f.state.Load() != fidIdle && (r.c.dialect == dialect9P2000 || num == newnum): // walk(9P); diod's clients walk from open ones
		err = linux.EBUSY
	case f.xattr != nil:
		err = linux.EBADF
	case len(names) > 0 && f.qid.Type&p9.TypeDir == 0:
		err = linux.ENOTDIR
	case newnum != num:
		err = r.c.fids.free(newnum)
	}
	if err != nil {
		f.put()
		return nil, err
	}
	return f, nil
}

// install makes newnum a fid for what a walk from f came to.
func (r *request) install(f *fid, newnum uint32, s step) error {
	qid := f.qid
	if len(s.qids) > 0 {
		qid = s.qids[len(s.qids)-1]
	}
	to := r.c.fids.new(newnum, s.file, qid, s.at)
	if newnum == f.num {
		return r.c.fids.replace(f, to)
	}
	return r.c.fids.add(to)
}

func (r *request) walk(m *twalk, a *rwalk) error {
	f, err := r.source(m.fid, m.newfid, m.names)
	if err != nil {
		return err
	}
	defer f.put()
	s, err := r.walkFrom(f, m.names, a.qids[:0])
	a.qids = s.qids
	if err != nil {
		if len(s.qids) > 0 {
			return nil // walk(9P): fewer qids than names, and no newfid
		}
		return err
	}
	return r.install(f, m.newfid, s)
}

// walkgetattr is Twalkgetattr: all of the names are walked, or there is an error.
func (r *request) walkgetattr(m *twalkgetattr, a *rwalkgetattr) error {
	f, err := r.source(m.fid, m.newfid, m.names)
	if err != nil {
		return err
	}
	defer f.put()
	if len(m.names) > 0 && !slices.Contains(m.names, "..") {
		qids, file, valid, attr, err := f.view(r).WalkGetAttr(m.names)
		if err == nil && len(qids) == len(m.names) {
			a.qids = append(a.qids[:0], qids...)
			a.valid, a.attr, a.qid = attrBits(valid), attr, qids[len(qids)-1]
			return r.install(f, m.newfid, step{file, a.qids, f.place.Load().walk(m.names)})
		}
		if err == nil {
			file.Close()
			return linux.ENOENT
		}
		if e := Errno(err); e != linux.ENOSYS && e != linux.EOPNOTSUPP {
			return err
		}
	}
	s, err := r.walkFrom(f, m.names, a.qids[:0])
	a.qids = s.qids
	if err != nil {
		return err
	}
	qid, valid, attr, err := bind(r, s.file).GetAttr(attrMask(m.mask))
	if err != nil {
		s.file.Close()
		return err
	}
	a.valid, a.qid, a.attr = attrBits(valid), qid, attr
	return r.install(f, m.newfid, s)
}

func (r *request) clunk(m *tclunk, _ *rclunk) error {
	f := r.c.fids.remove(m.fid)
	if f == nil {
		return linux.EBADF
	}
	return f.clunk()
}
