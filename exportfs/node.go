package exportfs

import (
	"strings"

	"github.com/hugelgupf/p9/linux"

	"cpu/lib/ninep"
)

// A node is a place in the tree that fids stand on: a name in a directory, and the file that was seen there. All fids on the same file
// share one, so that they cost no descriptor, and follow when the file or a directory above it is renamed through this server.
//
// A fid means one file, never whatever stands at its path later. Where a local process has put another file at the name, the fid's
// operations fail with ESTALE, as NFS's do: Linux answers that by looking the name up again. Where nothing stands there any more
// they fail with ENOENT. Only a file that is open under another fid remains in reach, through that one's descriptor.
//
// All fields are guarded by FS.mu.
type node struct {
	parent   *node // nil for the root
	name     string
	id       ident
	refs     int // files, children and the directory cache
	children map[string]*node
	detached bool // another file has taken its place, or it has been removed
	held     *heldDir
	handles  []*handle // open files
}

// ref is called with mu held.
func (n *node) ref() *node {
	n.refs++
	return n
}

// unref is called with mu held. A node that nobody refers to leaves the tree.
func (n *node) unref() {
	for n != nil {
		if n.refs--; n.refs > 0 || n.parent == nil {
			return
		}
		p := n.parent
		if p.children[n.name] == n {
			delete(p.children, n.name)
		}
		n = p
	}
}

// detach takes n, which may be nil, out of the tree. Called with mu held.
func (fs *FS) detach(n *node) {
	if n == nil || n.detached || n.parent == nil {
		return
	}
	n.detached = true
	if n.parent.children[n.name] == n {
		delete(n.parent.children, n.name)
	}
	fs.dirs.drop(n)
}

// path is where n stands, beginning with a slash and ending in none: "" is the root. Called with mu held.
func (n *node) path() string {
	if n.parent == nil {
		return ""
	}
	var names []string
	for ; n.parent != nil; n = n.parent {
		names = append(names, n.name)
	}
	var b strings.Builder
	for i := len(names) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(names[i])
	}
	return b.String()
}

// checkName refuses what cannot be the name of one file in a directory.
func checkName(name string) error {
	switch {
	case name == "":
		return linux.ENOENT
	case name == "." || name == "..", strings.ContainsAny(name, "/\x00"):
		return linux.EINVAL
	case len(name) > ninep.MaxName:
		return linux.ENAMETOOLONG
	}
	return checkSystemName(name)
}

// visible refuses a name that is hidden below n, or is none. Called with mu free.
func (fs *FS) visible(n *node, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if fs.patterns == nil {
		return nil
	}
	fs.mu.Lock()
	dir := n.path()
	fs.mu.Unlock()
	if fs.patterns.in(dir).hidden(name) {
		return linux.ENOENT
	}
	return nil
}

// settled runs an operation on paths. Where that fails while a rename is moving files or nodes, it may have found things at neither
// their old place nor the new one: it is run again with renames held off.
func (fs *FS) settled(op func() error) error {
	moves := fs.moves.Load()
	err := op()
	if err == nil || moves%2 == 0 && fs.moves.Load() == moves {
		return err
	}
	fs.renaming.Lock()
	defer fs.renaming.Unlock()
	return op()
}

// lookup finds the file at a name in directory n, and its node, to which the caller gets a reference.
func (fs *FS) lookup(n *node, name string) (c *node, i info, err error) {
	err = fs.settled(func() error {
		moves := fs.moves.Load()
		d, err := fs.acquire(n)
		if err != nil {
			return err
		}
		i, err = d.stat(name)
		fs.release(d)
		if err != nil {
			return err
		}
		fs.mu.Lock()
		defer fs.mu.Unlock()
		if moves%2 != 0 || fs.moves.Load() != moves {
			return linux.ESTALE // it may be elsewhere by now
		}
		c = fs.child(n, name, &i)
		return nil
	})
	return c, i, err
}

// child is n's child of that name, which is the file that i describes, with a reference for the caller. Called with mu held.
func (fs *FS) child(n *node, name string, i *info) *node {
	if c := n.children[name]; c != nil {
		c.ref()
		if c.id == i.id {
			return c
		}
		if i.mount { // a file system has been mounted there since: the same place in the tree
			fs.dirs.drop(c)
			c.id = i.id
			return c
		}
		fs.detach(c)
		c.unref()
	}
	if n.children == nil {
		n.children = map[string]*node{}
	}
	c := &node{parent: n.ref(), name: name, id: i.id, refs: 1}
	n.children[name] = c
	return c
}

// move has n, which may be nil, stand at another name, in place of what stood there. Called with mu held.
func (fs *FS) move(n, parent *node, name string) {
	if old := parent.children[name]; old != n {
		fs.detach(old)
	}
	if n == nil || n.detached {
		return
	}
	delete(n.parent.children, n.name)
	old := n.parent
	n.parent, n.name = parent.ref(), name
	old.unref()
	if parent.children == nil {
		parent.children = map[string]*node{}
	}
	parent.children[name] = n
}

// place is where n stands now, for an operation on its name. The root stands nowhere. The caller forgets parent.
func (fs *FS) place(n *node) (parent *node, name string, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if n.parent == nil {
		return nil, "", linux.EBUSY
	}
	return n.parent.ref(), n.name, nil
}

// forget gives up a reference.
func (fs *FS) forget(n *node) {
	fs.mu.Lock()
	n.unref()
	fs.mu.Unlock()
}
