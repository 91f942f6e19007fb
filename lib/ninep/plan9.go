package ninep

import (
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// The mode of Topen and Tcreate: open(9P). The close-on-exec bit concerns the client only.
const (
	oExec   = 3
	oTrunc  = 0x10
	oCExec  = 0x20
	oRClose = 0x40
)

// The flags of open(2), as 9P2000.L has them.
const (
	flagExcl   p9.OpenFlags = 0o200
	flagTrunc  p9.OpenFlags = 0o1000
	flagAppend p9.OpenFlags = 0o2000
)

// modeFlags are the flags for a mode. A file opened to be executed is read.
func modeFlags(mode uint8) (p9.OpenFlags, error) {
	if mode&^(3|oTrunc|oCExec|oRClose) != 0 {
		return 0, linux.EINVAL
	}
	flags := p9.OpenFlags(mode & 3)
	if flags == oExec {
		flags = p9.ReadOnly
	}
	if mode&oTrunc != 0 {
		flags |= flagTrunc
	}
	return flags, nil
}

// openMode is the mode for flags. What 9P2000 has no bit for is left out.
func openMode(flags p9.OpenFlags) (uint8, error) {
	mode := uint8(flags & 3)
	if mode == oExec {
		return 0, linux.EINVAL
	}
	if flags&flagTrunc != 0 {
		mode |= oTrunc
	}
	return mode, nil
}

// open9 is Topen.
func (r *request) open9(m *topen, a *ropen) error {
	flags, err := modeFlags(m.mode)
	if err != nil {
		return err
	}
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	if f.qid.Type&p9.TypeDir != 0 && flags != p9.ReadOnly {
		return linux.EISDIR
	}
	if err := f.opening(); err != nil {
		return err
	}
	view := f.view(r)
	a.qid, a.iounit, err = view.Open(flags)
	if err == nil && flags&flagTrunc != 0 {
		err = truncate(view)
	}
	if err != nil {
		f.closed()
		return err
	}
	a.iounit = r.c.iounit(a.iounit)
	f.rclose = m.mode&oRClose != 0
	if f.qid.Type&p9.TypeDir != 0 {
		f.dir = new(dirReader)
	}
	f.opened(flags)
	return nil
}

// truncate makes sure that a file opened with flagTrunc is empty: not every tree heeds the flag. A file that has no length is not
// to be truncated.
func truncate(file p9.File) error {
	_, valid, attr, err := file.GetAttr(p9.AttrMask{Size: true})
	if err != nil || !valid.Size || attr.Size == 0 {
		return err
	}
	return file.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{})
}

// create9 is Tcreate. The new file's permissions are narrowed by its directory's, as open(9P) says. DMAPPEND holds for this fid only,
// DMEXCL cannot be kept and is refused.
func (r *request) create9(m *tcreate, a *rcreate) error {
	flags, err := modeFlags(m.mode)
	if err != nil {
		return err
	}
	d, err := r.entry(m.fid, m.name)
	if err != nil {
		return err
	}
	defer d.put()
	if m.perm&dmExcl != 0 {
		return &Error{Errno: linux.EOPNOTSUPP, Text: "no exclusive-use files"}
	}
	_, _, attr, err := d.view(r).GetAttr(p9.AttrMask{Mode: true})
	if err != nil {
		return err
	}
	rclose := m.mode&oRClose != 0
	if m.perm&dmDir != 0 {
		if flags != p9.ReadOnly {
			return linux.EISDIR
		}
		perm := m.perm & (^uint32(0o777) | uint32(attr.Mode)) & 0o777
		a.qid, a.iounit, err = r.createDir(d, m.name, p9.FileMode(perm), rclose)
		return err
	}
	perm := m.perm & (^uint32(0o666) | uint32(attr.Mode)) & 0o777
	if m.perm&dmAppend != 0 {
		flags |= flagAppend
	}
	flags = flags&^flagTrunc | flagExcl
	a.qid, a.iounit, err = r.create(d, m.name, flags, p9.FileMode(perm), p9.NoGID, rclose)
	return err
}

// createDir makes a directory in d and puts a fid for it, open for reading, in the place of d.
func (r *request) createDir(d *fid, name string, perm p9.FileMode, rclose bool) (qid p9.QID, iounit uint32, err error) {
	if err := d.opening(); err != nil {
		return qid, 0, err
	}
	defer d.closed()
	dir := d.view(r)
	if _, err := dir.Mkdir(name, perm, p9.NoUID, p9.NoGID); err != nil {
		return qid, 0, err
	}
	_, file, err := dir.Walk([]string{name})
	if err != nil {
		return qid, 0, err
	}
	qid, iounit, err = bind(r, file).Open(p9.ReadOnly)
	if err != nil {
		file.Close()
		return qid, 0, err
	}
	to := r.c.fids.new(d.num, file, qid, d.place.Load().walk([]string{name}))
	to.dir, to.rclose = new(dirReader), rclose
	to.opened(p9.ReadOnly)
	return qid, r.c.iounit(iounit), r.c.fids.replace(d, to)
}

// stat9 is Tstat.
func (r *request) stat9(m *tstat, a *rstat) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	s, err := r.statOf(f)
	if err != nil {
		return err
	}
	var b buffer
	s.encode(&b)
	if b.bad {
		return linux.ENAMETOOLONG
	}
	a.stat = b.b
	return nil
}

func (r *request) statOf(f *fid) (stat, error) {
	qid, valid, attr, err := f.view(r).GetAttr(p9.AttrMaskAll)
	return statOf(f.place.Load().name, qid, valid, &attr, r.c.srv.Users), err
}
