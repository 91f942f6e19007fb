package ninep

import (
	"errors"
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// entry returns directory fid num for r to make, or change, the entry name in.
func (r *request) entry(num uint32, name string) (*fid, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	f, err := r.fid(num)
	if err != nil {
		return nil, err
	}
	if f.xattr != nil {
		err = linux.EBADF
	} else if f.qid.Type&p9.TypeDir == 0 {
		err = linux.ENOTDIR
	}
	if err != nil {
		f.put()
		return nil, err
	}
	return f, nil
}

func (r *request) mkdir(m *tmkdir, a *rmkdir) error {
	d, err := r.entry(m.dfid, m.name)
	if err != nil {
		return err
	}
	defer d.put()
	a.qid, err = d.view(r).Mkdir(m.name, p9.FileMode(m.mode), p9.NoUID, p9.GID(m.gid))
	return err
}

func (r *request) symlink(m *tsymlink, a *rsymlink) error {
	if m.target == "" {
		return linux.ENOENT
	}
	if err := checkPath(m.target); err != nil {
		return err
	}
	d, err := r.entry(m.fid, m.name)
	if err != nil {
		return err
	}
	defer d.put()
	a.qid, err = d.view(r).Symlink(m.target, m.name, p9.NoUID, p9.GID(m.gid))
	return err
}

func (r *request) mknod(m *tmknod, a *rmknod) error {
	d, err := r.entry(m.dfid, m.name)
	if err != nil {
		return err
	}
	defer d.put()
	a.qid, err = d.view(r).Mknod(m.name, p9.FileMode(m.mode), m.major, m.minor, p9.NoUID, p9.GID(m.gid))
	return err
}

func (r *request) link(m *tlink, _ *rlink) error {
	d, err := r.entry(m.dfid, m.name)
	if err != nil {
		return err
	}
	defer d.put()
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	return d.view(r).Link(f.file, m.name)
}

func (r *request) unlinkat(m *tunlinkat, _ *runlinkat) error {
	d, err := r.entry(m.dfid, m.name)
	if err != nil {
		return err
	}
	defer d.put()
	return d.view(r).UnlinkAt(m.name, m.flags)
}

func (r *request) renameat(m *trenameat, _ *rrenameat) error {
	from, err := r.entry(m.olddfid, m.oldname)
	if err != nil {
		return err
	}
	defer from.put()
	to, err := r.entry(m.newdfid, m.newname)
	if err != nil {
		return err
	}
	defer to.put()
	if err := from.view(r).RenameAt(m.oldname, to.file, m.newname); err != nil {
		return err
	}
	r.follow(from.place.Load().walk([]string{m.oldname}), to.place.Load().walk([]string{m.newname}), to.file)
	return nil
}

func (r *request) rename(m *trename, _ *rrename) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	to, err := r.entry(m.dfid, m.name)
	if err != nil {
		return err
	}
	defer to.put()
	return r.move(f, to.place.Load().walk([]string{m.name}), to.file)
}

// move renames f to a place in directory dir.
func (r *request) move(f *fid, to *place, dir p9.File) error {
	from := f.place.Load()
	var err error
	if _, ok := f.file.(Remover); ok {
		err = f.view(r).Rename(dir, to.name)
	} else {
		err = f.inParent(func(parent p9.File, old string) error { return parent.RenameAt(old, dir, to.name) })
	}
	if err == nil {
		r.follow(from, to, dir)
	}
	return err
}

// follow makes the fids at and below a place that has been renamed, to one in directory dir, follow: those of 9P2000, which need their
// names, and those whose files are to be told where they are. Other trees know, and their clients have fids by the ten thousand.
func (r *request) follow(from, to *place, dir p9.File) {
	if _, knows := dir.(Remover); knows && r.c.dialect != dialect9P2000 {
		return
	}
	for _, f := range r.c.fids.below(from) {
		rest := f.place.Load().names()[len(from.names()):]
		f.place.Store(to.walk(rest))
		if _, knows := f.file.(Remover); knows {
			f.put()
			continue
		}
		if n := len(rest); n == 0 {
			f.file.Renamed(dir, to.name)
		} else if _, parent, err := to.root.file.Walk(append(to.names(), rest[:n-1]...)); err == nil {
			f.file.Renamed(parent, rest[n-1])
			parent.Close()
		}
		f.put()
	}
}

// remove does a Tremove: the fid is gone whether or not the file is.
func (r *request) remove(m *tremove, _ *rremove) error {
	f := r.c.fids.remove(m.fid)
	if f == nil {
		return linux.EBADF
	}
	defer f.put()
	if f.xattr != nil {
		return linux.EBADF
	}
	return f.unlink()
}

// removeDir is unlinkat(2)'s AT_REMOVEDIR in Tunlinkat.
const removeDir = 0x200

// unlink removes f's file.
func (f *fid) unlink() error {
	if t, ok := f.file.(Remover); ok {
		if err := t.Remove(); !errors.Is(err, linux.ENOSYS) {
			return err
		}
	}
	var flags uint32
	if f.qid.Type&p9.TypeDir != 0 {
		flags = removeDir
	}
	return f.inParent(func(dir p9.File, name string) error { return dir.UnlinkAt(name, flags) })
}

// inParent does something to f's name in its directory, for files that cannot do it themselves. The directory is looked for where it
// was when f was walked to; if another file has that name by now, the error is ESTALE.
func (f *fid) inParent(do func(dir p9.File, name string) error) error {
	p := f.place.Load()
	if p.parent == nil {
		return linux.EBUSY // the root
	}
	_, dir, err := p.root.file.Walk(p.parent.names())
	if err != nil {
		return err
	}
	defer dir.Close()
	qids, file, err := dir.Walk([]string{p.name})
	if err != nil {
		return err
	}
	file.Close()
	if len(qids) != 1 || qids[0].Path != f.qid.Path {
		return linux.ESTALE
	}
	return do(dir, p.name)
}
