package exportfs

import (
	"container/list"

	"github.com/hugelgupf/p9/linux"
)

// maxDirs is how many directories are kept open at most, lest every operation resolve its path from the root. They are looked into,
// never listed: what is opened for reading has its own descriptor. Where descriptors are scarce it is an eighth of them.
const maxDirs = 256

// heldDir is a directory that is held open, by the cache or by an operation under way. Guarded by FS.mu.
type heldDir struct {
	*dir
	node *node
	refs int           // operations, and one for the cache
	elem *list.Element // in the cache, nil outside it
}

// dirCache keeps the directories used last. Guarded by FS.mu.
type dirCache struct {
	recent list.List // of *heldDir, the latest in front
	max    int
}

// keep puts d into the cache and makes room for it.
func (c *dirCache) keep(d *heldDir) {
	d.elem = c.recent.PushFront(d)
	d.refs++
	d.node.held = d
	d.node.ref()
	for c.recent.Len() > c.max {
		c.drop(c.recent.Back().Value.(*heldDir).node)
	}
}

// drop takes n's directory out of the cache if it is there.
func (c *dirCache) drop(n *node) {
	d := n.held
	if d == nil {
		return
	}
	n.held = nil
	c.recent.Remove(d.elem)
	d.elem = nil
	d.put()
	n.unref()
}

// put gives up one reference. Called with mu held.
func (d *heldDir) put() {
	if d.refs--; d.refs == 0 {
		d.close()
	}
}

// acquire opens directory n, or finds it open. The caller releases it. No symbolic link is followed on the way, and what is found
// must be the directory that n stands for.
func (fs *FS) acquire(n *node) (found *heldDir, err error) {
	err = fs.settled(func() error {
		from, names, err := fs.nearest(n)
		if err != nil {
			return err
		}
		if len(names) == 0 {
			found = from
			return nil
		}
		d, err := from.openDir(names)
		fs.release(from)
		if err == linux.ELOOP {
			err = linux.ENOTDIR
		}
		if err != nil {
			return err
		}
		if found = fs.hold(n, d); found == nil {
			return linux.ESTALE
		}
		return nil
	})
	return found, err
}

// nearest finds the closest directory above n, or n itself, that is open, and the names from there to n.
func (fs *FS) nearest(n *node) (*heldDir, []string, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var names []string
	for n.held == nil {
		if n.parent == nil {
			return nil, nil, linux.EBADF // closed
		}
		if n.detached {
			return nil, nil, linux.ESTALE
		}
		names = append(names, n.name)
		n = n.parent
	}
	for i, j := 0, len(names)-1; i < j; i, j = i+1, j-1 {
		names[i], names[j] = names[j], names[i]
	}
	n.held.refs++
	if n.parent != nil {
		fs.dirs.recent.MoveToFront(n.held.elem)
	}
	return n.held, names, nil
}

// hold makes d the open directory of n, with a reference for the caller. It returns nil, and closes d, if d is another directory.
func (fs *FS) hold(n *node, d *dir) *heldDir {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if n.id != d.id {
		if !d.mount || n.detached {
			d.close()
			return nil
		}
		fs.dirs.drop(n) // an automounter has just mounted it
		n.id = d.id
	}
	if n.held != nil { // somebody was faster
		d.close()
		n.held.refs++
		return n.held
	}
	h := &heldDir{dir: d, node: n, refs: 1}
	if !n.detached && !fs.closed {
		fs.dirs.keep(h)
	}
	return h
}

func (fs *FS) release(d *heldDir) {
	fs.mu.Lock()
	d.put()
	fs.mu.Unlock()
}
