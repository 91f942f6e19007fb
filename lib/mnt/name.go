//go:build linux

package mnt

import (
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// New files are the far side's user's, in the group that its own rules give: ids of this machine mean nothing there.
const (
	noUID = p9.NoUID
	noGID = p9.NoGID
)

// change runs op, which changes what names are in dir.
func (r *request) change(dir *node, op func(d p9.File) error) error {
	d, _, err := r.s.hold(r.ctx, dir)
	if err != nil {
		return err
	}
	defer r.s.drop(d)
	dir.touch()
	err = op(d.with(r.ctx))
	dir.touch()
	return err
}

func (r *request) mkdir(dir *node) error {
	mode, _ := r.in.u32(), r.in.u32()
	name := r.in.name()
	err := r.change(dir, func(d p9.File) error {
		_, err := d.Mkdir(name, p9.FileMode(mode)&07777, noUID, noGID)
		return err
	})
	if err != nil {
		return err
	}
	_, err = r.find(dir, name)
	return err
}

func (r *request) mknod(dir *node) error {
	mode, dev := r.in.u32(), r.in.u32()
	r.in.skip(8)
	name := r.in.name()
	major, minor := decodeDev(dev)
	err := r.change(dir, func(d p9.File) error {
		_, err := d.Mknod(name, p9.FileMode(mode), major, minor, noUID, noGID)
		return err
	})
	if err != nil {
		return err
	}
	_, err = r.find(dir, name)
	return err
}

func (r *request) symlink(dir *node) error {
	name, target := r.in.name(), r.in.name()
	err := r.change(dir, func(d p9.File) error {
		_, err := d.Symlink(target, name, noUID, noGID)
		return err
	})
	if err != nil {
		return err
	}
	_, err = r.find(dir, name)
	return err
}

func (r *request) link(dir *node) error {
	old := r.s.nodes.node(r.in.u64())
	name := r.in.name()
	if old == nil {
		return linux.ESTALE
	}
	t, _, err := r.s.hold(r.ctx, old)
	if err != nil {
		return err
	}
	defer r.s.drop(t)
	err = r.change(dir, func(d p9.File) error { return d.Link(t.file, name) })
	if err != nil {
		return err
	}
	old.touch()
	_, err = r.find(dir, name)
	return err
}

func (r *request) unlink(dir *node, flags uint32) error {
	name := r.in.name()
	if err := r.change(dir, func(d p9.File) error { return d.UnlinkAt(name, flags) }); err != nil {
		return err
	}
	if n := dir.kid(name); n != nil {
		n.touch()
		dir.unlist(name, n)
	}
	return nil
}

func (r *request) rename(dir *node) error {
	to := r.s.nodes.node(r.in.u64())
	if r.op == opRename2 {
		// 9P cannot say that a file must not be replaced, or that two are to be exchanged.
		if flags := r.in.u32(); flags != 0 {
			return linux.EINVAL
		}
		r.in.skip(4)
	}
	oldName, newName := r.in.name(), r.in.name()
	if to == nil {
		return linux.ESTALE
	}
	t, _, err := r.s.hold(r.ctx, to)
	if err != nil {
		return err
	}
	defer r.s.drop(t)
	to.touch()
	err = r.change(dir, func(d p9.File) error { return d.RenameAt(oldName, t.file, newName) })
	to.touch()
	if err != nil {
		return err
	}
	if n := to.kid(newName); n != nil {
		n.touch()
		to.unlist(newName, n)
	}
	if n := dir.kid(oldName); n != nil {
		n.touch()
		dir.unlist(oldName, n)
		r.s.place(n, to, newName)
	}
	return nil
}
