package ninep

import "github.com/hugelgupf/p9/p9"

func (r *request) statfs(m *tstatfs, a *rstatfs) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	a.stat, err = f.view(r).StatFS()
	return err
}

func (r *request) getattr(m *tgetattr, a *rgetattr) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	qid, valid, attr, err := f.view(r).GetAttr(attrMask(m.mask))
	a.qid, a.valid, a.attr = qid, attrBits(valid), attr
	return err
}

func (r *request) setattr(m *tsetattr, _ *rsetattr) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	m.attr.Permissions &= permissions
	return f.view(r).SetAttr(setAttrMask(m.valid), m.attr)
}

// permissions are the bits of a mode that can be set.
const permissions p9.FileMode = 0o7777

func (r *request) readlink(m *treadlink, a *rreadlink) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	a.target, err = f.view(r).Readlink()
	return err
}
