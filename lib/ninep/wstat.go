package ninep

import (
	"math"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// wstat9 is Twstat. A record that touches nothing is a request to make the file's content safe. Everything is checked before the
// first change, as stat(9P) has it; the name is changed last.
func (r *request) wstat9(m *twstat, _ *rwstat) error {
	b := buffer{b: m.stat}
	var s stat
	s.decode(&b)
	if b.bad || len(b.b) > 0 {
		return &Error{Errno: linux.EINVAL, Text: "bogus wstat buffer"}
	}
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	if s == untouched {
		if f.state.Load() != fidOpen {
			return nil
		}
		return f.view(r).FSync()
	}
	now, err := r.statOf(f)
	if err != nil {
		return err
	}
	valid, attr, err := changes(&s, &now, r.c.srv.Users)
	if err != nil {
		return err
	}
	rename := s.name != "" && s.name != now.name
	if rename {
		if err := checkName(s.name); err != nil {
			return err
		}
		if f.place.Load().parent == nil {
			return linux.EBUSY // the root
		}
		if err := f.vacant(s.name); err != nil {
			return err
		}
	}
	if !valid.Empty() {
		if err := f.view(r).SetAttr(valid, attr); err != nil {
			return err
		}
	}
	if rename {
		return r.renameIn(f, s.name)
	}
	return nil
}

// untouched is a stat in which every field is not to be touched.
var untouched = stat{
	typ:    math.MaxUint16,
	dev:    math.MaxUint32,
	qid:    p9.QID{Type: math.MaxUint8, Version: math.MaxUint32, Path: math.MaxUint64},
	mode:   math.MaxUint32,
	atime:  math.MaxUint32,
	mtime:  math.MaxUint32,
	length: math.MaxUint64,
}

// changes is what must be set to make now into s. What cannot be changed may be given as it is; muid is not looked at, for v9fs puts its
// user there when it renames.
func changes(s, now *stat, users Users) (valid p9.SetAttrMask, attr p9.SetAttr, err error) {
	bad := func(text string) error { return &Error{Errno: linux.EPERM, Text: "wstat: " + text} }
	switch {
	case s.typ != untouched.typ && s.typ != now.typ, s.dev != untouched.dev && s.dev != now.dev:
		return valid, attr, bad("cannot change type or dev")
	case s.qid != untouched.qid && (s.qid.Path != now.qid.Path || s.qid.Type != now.qid.Type):
		return valid, attr, bad("cannot change qid")
	case s.mode != untouched.mode && s.mode&^0o777 != now.mode&^0o777:
		return valid, attr, bad("cannot change the kind of a file")
	case s.length != untouched.length && s.length != now.length && now.mode&dmDir != 0:
		return valid, attr, bad("cannot change a directory's length")
	}
	if s.mode != untouched.mode && s.mode != now.mode {
		valid.Permissions, attr.Permissions = true, p9.FileMode(s.mode&0o777)
	}
	if s.length != untouched.length && s.length != now.length {
		valid.Size, attr.Size = true, s.length
	}
	if s.atime != untouched.atime && s.atime != now.atime {
		valid.ATime, valid.ATimeNotSystemTime, attr.ATimeSeconds = true, true, uint64(s.atime)
	}
	if s.mtime != untouched.mtime && s.mtime != now.mtime {
		valid.MTime, valid.MTimeNotSystemTime, attr.MTimeSeconds = true, true, uint64(s.mtime)
	}
	if s.uid != "" && s.uid != now.uid {
		if attr.UID, valid.UID = userID(s.uid, users); !valid.UID {
			return valid, attr, &Error{Errno: linux.EINVAL, Text: "unknown user " + s.uid}
		}
	}
	if s.gid != "" && s.gid != now.gid {
		if attr.GID, valid.GID = groupID(s.gid, users); !valid.GID {
			return valid, attr, &Error{Errno: linux.EINVAL, Text: "unknown group " + s.gid}
		}
	}
	return valid, attr, nil
}

// vacant fails if f's directory has a file of that name, which a rename by Twstat does not replace.
func (f *fid) vacant(name string) error {
	p := f.place.Load()
	_, file, err := p.root.file.Walk(append(p.parent.names(), name))
	if err == nil {
		file.Close()
		return linux.EEXIST
	}
	return nil
}

// renameIn renames f in its directory.
func (r *request) renameIn(f *fid, name string) error {
	p := f.place.Load()
	_, dir, err := p.root.file.Walk(p.parent.names())
	if err != nil {
		return err
	}
	defer dir.Close()
	return r.move(f, &place{root: p.root, parent: p.parent, name: name}, dir)
}
