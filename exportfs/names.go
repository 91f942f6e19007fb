package exportfs

import (
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// changeName is change for an operation that makes or removes a name in the directory. What is hidden is not there, and cannot be
// put there.
func (f *file) changeName(name string) (*node, error) {
	n, err := f.change()
	if err != nil {
		return nil, err
	}
	if err := f.fs.visible(n, name); err != nil {
		f.fs.forget(n)
		return nil, err
	}
	return n, nil
}

// make has an operation make something at a name in the fid's directory.
func (f *file) make(name string, op func(d *heldDir) (info, error)) (p9.QID, error) {
	n, err := f.changeName(name)
	if err != nil {
		return p9.QID{}, err
	}
	defer f.fs.forget(n)
	d, err := f.fs.acquire(n)
	if err != nil {
		return p9.QID{}, err
	}
	defer f.fs.release(d)
	i, err := op(d)
	if err != nil {
		return p9.QID{}, err
	}
	return f.fs.qid(&i), nil
}

// Mkdir implements p9.File. Owner and mode are as Create's.
func (f *file) Mkdir(name string, mode p9.FileMode, _ p9.UID, _ p9.GID) (p9.QID, error) {
	return f.make(name, func(d *heldDir) (info, error) { return d.mkdir(name, mode) })
}

// Symlink implements p9.File. The target is any text; where it leads is the far side's to find out.
func (f *file) Symlink(target, name string, _ p9.UID, _ p9.GID) (p9.QID, error) {
	return f.make(name, func(d *heldDir) (info, error) { return d.symlink(target, name) })
}

// Mknod implements p9.File. It makes what the process may make, as mknod(2).
func (f *file) Mknod(name string, mode p9.FileMode, major, minor uint32, _ p9.UID, _ p9.GID) (p9.QID, error) {
	return f.make(name, func(d *heldDir) (info, error) { return d.mknod(name, mode, major, minor) })
}

// Link implements p9.File. The target must be of the same tree.
func (f *file) Link(target p9.File, name string) error {
	t, err := f.fs.fileOf(target)
	if err != nil {
		return err
	}
	_, err = f.make(name, func(d *heldDir) (info, error) {
		return info{}, f.fs.linkFile(t, d, name)
	})
	return err
}

// UnlinkAt implements p9.File. Of flags, AT_REMOVEDIR says that it is a directory.
func (f *file) UnlinkAt(name string, flags uint32) error {
	if flags&^removeDir != 0 {
		return linux.EINVAL
	}
	n, err := f.changeName(name)
	if err != nil {
		return err
	}
	defer f.fs.forget(n)
	return f.fs.unlink(n, name, flags&removeDir != 0)
}

func (fs *FS) unlink(n *node, name string, isDir bool) error {
	fs.mu.Lock()
	c := n.children[name]
	fs.mu.Unlock()
	d, err := fs.acquire(n)
	if err != nil {
		return err
	}
	defer fs.release(d)
	if err := d.unlink(name, isDir); err != nil {
		return err
	}
	// The number of a file that is gone may be given to the next one: the node must not be taken for that.
	fs.mu.Lock()
	if c != nil && n.children[name] == c {
		fs.detach(c)
	}
	fs.mu.Unlock()
	return nil
}

// RenameAt implements p9.File. Besides rename(2)'s errors it gives EPERM where patterns hide something beneath a directory that they
// would not hide beneath its new name.
func (f *file) RenameAt(oldName string, newDir p9.File, newName string) error {
	n, err := f.changeName(oldName)
	if err != nil {
		return err
	}
	defer f.fs.forget(n)
	return f.fs.rename(n, oldName, newDir, newName)
}

func (fs *FS) rename(from *node, name string, newDir p9.File, newName string) error {
	t, err := fs.fileOf(newDir)
	if err != nil {
		return err
	}
	to, err := t.changeName(newName)
	if err != nil {
		return err
	}
	defer fs.forget(to)

	fs.renaming.Lock()
	defer fs.renaming.Unlock()
	fd, err := fs.acquire(from)
	if err != nil {
		return err
	}
	defer fs.release(fd)
	td, err := fs.acquire(to)
	if err != nil {
		return err
	}
	defer fs.release(td)
	if fs.patterns != nil {
		if err := fs.mayRename(fd, from, name, to, newName); err != nil {
			return err
		}
	}
	same := false
	if from != to || name != newName {
		same = sameFile(fd.dir, name, td.dir, newName)
	}
	fs.moves.Add(1)
	defer fs.moves.Add(1)
	if err := fs.renameFile(fd, name, td, newName); err != nil {
		return err
	}
	if same {
		return nil // two names of one file: rename(2) does nothing
	}
	fs.mu.Lock()
	fs.move(from.children[name], to, newName)
	fs.mu.Unlock()
	return nil
}

// sameFile says whether both names are there and mean one file.
func sameFile(d *dir, name string, e *dir, other string) bool {
	i, err := d.stat(name)
	if err != nil {
		return false
	}
	j, err := e.stat(other)
	return err == nil && i.id == j.id
}

// mayRename refuses to rename a directory to where less would be hidden beneath it.
func (fs *FS) mayRename(d *heldDir, from *node, name string, to *node, newName string) error {
	fs.mu.Lock()
	old, new := from.path()+"/"+name, to.path()+"/"+newName
	fs.mu.Unlock()
	if fs.patterns.covers(old, new) {
		return nil
	}
	i, err := d.stat(name)
	if err == nil && i.attr.Mode.IsDir() {
		err = linux.EPERM
	}
	return err
}
