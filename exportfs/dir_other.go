//go:build !linux || portable

package exportfs

import (
	"os"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// dir is a directory held open to look into. Names given to its methods are names in that directory, never paths, never "." or "..".
// Everything goes through os.Root, which nothing leads out of; a symbolic link is refused when it is seen, and what has been opened
// is compared with what was seen.
type dir struct {
	root  *os.Root
	id    ident
	mount bool
}

// openRoot opens the directory that everything else is found from.
func openRoot(path string) (*dir, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return newDir(root)
}

// maxDescriptors is how many files any of these systems lets a process have open.
func maxDescriptors() int { return 256 }

// newDir owns root, also when it fails.
func newDir(root *os.Root) (*dir, error) {
	d := &dir{root: root}
	i, err := d.describe(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	d.id = i.id
	return d, nil
}

func (d *dir) close() { d.root.Close() }

// openDir opens the directory that names lead to, one in the other.
func (d *dir) openDir(names []string) (*dir, error) {
	at := d
	for _, name := range names {
		sub, err := at.into(name)
		if at != d {
			at.close()
		}
		if err != nil {
			return nil, err
		}
		at = sub
	}
	return at, nil
}

func (d *dir) into(name string) (*dir, error) {
	i, err := d.stat(name)
	if err != nil {
		return nil, err
	}
	if !i.attr.Mode.IsDir() {
		return nil, linux.ENOTDIR
	}
	root, err := d.root.OpenRoot(name)
	if err != nil {
		return nil, errno(err)
	}
	sub, err := newDir(root)
	if err == nil && sub.id != i.id {
		sub.close()
		return nil, linux.ESTALE
	}
	return sub, err
}

// stat describes the file at a name.
func (d *dir) stat(name string) (info, error) { return d.describe(name) }

// describe is stat of "." too.
func (d *dir) describe(name string) (info, error) {
	fi, err := d.root.Lstat(name)
	if err != nil {
		return info{}, errno(err)
	}
	i := newInfo(fi)
	if !identify(&i, fi, nil) {
		// This system tells files apart by open handles only.
		var f *os.File
		if m := i.attr.Mode; m.IsRegular() || m.IsDir() {
			if f, err = d.root.Open(name); err == nil {
				identify(&i, fi, f)
				f.Close()
				return i, nil
			}
		}
		i.id = ident{dev: d.id.dev, ino: nameNumber(d.id.ino, name)}
	}
	return i, nil
}

// nameNumber stands for the number of a file that has none to be found.
func nameNumber(ino uint64, name string) uint64 {
	for _, b := range []byte(name) {
		ino = mix(ino ^ uint64(b))
	}
	return ino
}

// pin takes hold of the file at a name.
func (d *dir) pin(name string) (object, error) {
	if _, err := d.root.Lstat(name); err != nil {
		return object{}, errno(err)
	}
	root, err := d.root.OpenRoot(".")
	if err != nil {
		return object{}, errno(err)
	}
	return object{dir: &dir{root: root, id: d.id}, name: name}, nil
}

// pinSelf is pin of the directory itself.
func (d *dir) pinSelf() (object, error) { return d.pin(".") }

// create makes a regular file that was not there before, and opens it.
func (d *dir) create(name string, flags p9.OpenFlags, mode p9.FileMode) (*handle, info, error) {
	f, err := d.root.OpenFile(name, systemFlags(flags)|os.O_CREATE|os.O_EXCL, os.FileMode(mode&0o777))
	if err != nil {
		return nil, info{}, errno(err)
	}
	f.Chmod(osMode(mode)) // what the umask took; where there are no such modes there is nothing to give
	h := &handle{file: f, flags: flags}
	i, err := h.info()
	if err != nil {
		f.Close()
		return nil, info{}, err
	}
	h.live, h.id = i.live, i.id
	return h, i, nil
}

func (d *dir) mkdir(name string, mode p9.FileMode) (info, error) {
	if err := d.root.Mkdir(name, os.FileMode(mode&0o777)); err != nil {
		return info{}, errno(err)
	}
	d.root.Chmod(name, osMode(mode))
	return d.stat(name)
}

// mknod makes regular files. There is no portable call beneath a directory for the others.
func (d *dir) mknod(name string, mode p9.FileMode, _, _ uint32) (info, error) {
	if !mode.IsRegular() && mode.FileType() != 0 {
		return info{}, linux.EPERM
	}
	h, i, err := d.create(name, p9.WriteOnly, mode)
	if err == nil {
		h.close()
	}
	return i, err
}

func (d *dir) symlink(target, name string) (info, error) {
	if err := d.root.Symlink(target, name); err != nil {
		return info{}, errno(err)
	}
	return d.stat(name)
}

func (d *dir) unlink(name string, isDir bool) error {
	i, err := d.stat(name)
	switch {
	case err != nil:
		return err
	case isDir && !i.attr.Mode.IsDir():
		return linux.ENOTDIR
	case !isDir && i.attr.Mode.IsDir():
		return linux.EISDIR
	}
	return errno(d.root.Remove(name))
}

// pathOf is where n stands, for calls that take paths below the root.
func (fs *FS) pathOf(n *node, name string) string {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return (n.path() + "/" + name)[1:]
}

// linkFile gives t's file one more name.
func (fs *FS) linkFile(t *file, to *heldDir, name string) error {
	n, err := t.use()
	if err != nil {
		return err
	}
	defer fs.forget(n)
	if _, err := fs.stat(n); err != nil {
		return err
	}
	parent, old, err := fs.place(n)
	if err != nil {
		return linux.EPERM
	}
	defer fs.forget(parent)
	top, err := fs.acquire(fs.root)
	if err != nil {
		return err
	}
	defer fs.release(top)
	return errno(top.root.Link(fs.pathOf(parent, old), fs.pathOf(to.node, name)))
}

// renameFile has the system rename; the nodes are the caller's.
func (fs *FS) renameFile(from *heldDir, name string, to *heldDir, toName string) error {
	top, _, err := fs.nearest(fs.root)
	if err != nil {
		return err
	}
	defer fs.release(top)
	oldPath, newPath := fs.pathOf(from.node, name), fs.pathOf(to.node, toName)
	if oldPath == newPath { // which os takes for a directory in the way
		_, err := from.stat(name)
		return err
	}
	return errno(top.root.Rename(oldPath, newPath))
}
