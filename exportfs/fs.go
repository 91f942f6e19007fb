package exportfs

import (
	"context"

	"github.com/hugelgupf/p9/linux"
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
}

// New opens the tree. The caller closes it.
func New(o Options) (*FS, error) {
	return &FS{readOnly: o.ReadOnly, patterns: o.Patterns}, nil
}

// Attach returns the root.
func (fs *FS) Attach() (p9.File, error) {
	return fs.AttachAs(context.Background(), ninep.Attach{UID: p9.NoUID})
}

// AttachAs returns the file that a.Aname names: a path below the root, "" and "/" being the root itself. Who attaches is not asked.
// It fails with ENOENT where there is no such file, or it is hidden, and with ELOOP where a symbolic link is on the way.
func (fs *FS) AttachAs(_ context.Context, a ninep.Attach) (p9.File, error) {
	return nil, linux.ENOENT
}

// Close releases what the tree holds open. Files that are still in use are closed by who uses them.
func (fs *FS) Close() error { return nil }
