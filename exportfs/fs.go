package exportfs

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hugelgupf/p9/p9"

	"cpu/lib/ninep"
)

// Options say what is exported, and how.
type Options struct {
	Root     string    // the directory that is the tree's root; links in this path itself are followed, once, by New
	ReadOnly bool      // everything that would change the tree fails with EROFS
	Patterns *Patterns // what is hidden; nil: nothing
}

// FS is one exported tree. It is a p9.Attacher and a ninep.NamedAttacher, for any number of connections at once.
type FS struct {
	readOnly bool
	patterns *Patterns
	dev      uint64 // the root's
	locks    lockTable

	renaming sync.Mutex    // held over a rename and the nodes' move, so that nodes follow in the order the files went
	moves    atomic.Uint64 // counts the beginnings and ends of that: odd while files and nodes may disagree

	mu     sync.Mutex // guards what follows, all nodes and all heldDirs; held for no system call but close
	root   *node
	dirs   dirCache
	closed bool
}

// New opens the tree. The caller closes it.
func New(o Options) (*FS, error) {
	d, err := openRoot(o.Root)
	if err != nil {
		return nil, fmt.Errorf("exportfs: %w", err)
	}
	fs := &FS{readOnly: o.ReadOnly, patterns: o.Patterns, dev: d.id.dev}
	fs.dirs.max = max(1, min(maxDirs, maxDescriptors()/8))
	fs.root = &node{id: d.id, refs: 1}
	fs.root.held = &heldDir{dir: d, node: fs.root, refs: 1}
	return fs, nil
}

// Attach returns the root.
func (fs *FS) Attach() (p9.File, error) {
	return fs.AttachAs(context.Background(), ninep.Attach{UID: p9.NoUID})
}

// AttachAs returns the file that a.Aname names: a path below the root, "" and "/" being the root itself. Who attaches is not asked.
// It fails with ENOENT where there is no such file, or it is hidden, and with ENOTDIR where the way there leads through a symbolic
// link. Walks from the file, also to "..", stay beneath it.
func (fs *FS) AttachAs(_ context.Context, a ninep.Attach) (p9.File, error) {
	fs.mu.Lock()
	f := &file{fs: fs, top: fs.root.ref(), node: fs.root.ref()}
	fs.mu.Unlock()
	names := strings.FieldsFunc(a.Aname, func(r rune) bool { return r == '/' })
	_, t, _, err := f.walk(names)
	f.Close()
	if err != nil {
		return nil, err
	}
	fs.mu.Lock()
	t.top.unref()
	t.top = t.node.ref()
	fs.mu.Unlock()
	return t, nil
}

// Close releases what the tree holds open. Files that are still in use are closed by who uses them; those not yet open can no
// longer be reached.
func (fs *FS) Close() error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.closed {
		return nil
	}
	fs.closed = true
	for fs.dirs.recent.Len() > 0 {
		fs.dirs.drop(fs.dirs.recent.Back().Value.(*heldDir).node)
	}
	fs.root.held.put()
	fs.root.held = nil
	return nil
}
