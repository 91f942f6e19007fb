package ninep

import (
	"context"

	"github.com/hugelgupf/p9/p9"
)

// A tree is served as p9.File and p9.Attacher. The interfaces below are what a file of such a tree may offer besides; the server
// finds them by type assertion, and the client's [File] offers all of them, so that a tree reached over 9P is as good as a local one.
//
// Unlike the p9 package's server, [Server] gives no concurrency guarantee: any method may be called at any time, beside any other.

// ContextFile is a file whose operations may block: a control file, a terminal, a file at the other end of a connection.
// Files of local disks need not implement it.
type ContextFile interface {
	p9.File

	// WithContext returns a view of the same file, sharing its fid and its open state, whose operations end early, with an error
	// for which [Errno] gives EINTR, once ctx is done. Closing the view closes the file. Files which the view's methods return are
	// not bound to ctx. The server calls it for a request, with a context that ends when the request is flushed or its
	// connection is gone. The view and ctx must not be used after the method that was called on the view has returned: where
	// nobody has asked for ctx.Done, a later request on the same file is served with both again.
	WithContext(ctx context.Context) p9.File
}

// Attach is what a peer says of itself in Tattach.
type Attach struct {
	Uname string // name of the user; "" where the dialect gave a number only
	UID   p9.UID // its number, or p9.NoUID where the dialect gave a name only
	Aname string // which tree, or which part of it, is wanted; "" is the whole
}

// NamedAttacher is a p9.Attacher that wants to know who attaches, and to what.
// AttachAs is called in place of Attach. It fails with ENOENT for an aname it does not know.
type NamedAttacher interface {
	AttachAs(ctx context.Context, a Attach) (p9.File, error)
}

// DirentAttr is a directory entry with its attributes, as 9P2000.L.cpu's Rreaddirattr carries it.
type DirentAttr struct {
	p9.Dirent
	Valid p9.AttrMask // which of Attr are given; empty if the entry could not be looked at
	Attr  p9.Attr
}

// AttrReaddirer is a directory that lists its entries with their attributes in one go.
type AttrReaddirer interface {
	// ReaddirAttr is like p9.File's Readdir, with count in bytes of an encoded reply. No entries and no error is the end.
	ReaddirAttr(offset uint64, count uint32) ([]DirentAttr, error)
}

// ReadOpener is a file that can be opened and read in one round trip.
type ReadOpener interface {
	// OpenRead is Open followed by ReadAt of p at offset 0. Eof says that the n bytes are all of the file. Streams, whose qid has
	// version 0, are opened only, and n is 0.
	OpenRead(mode p9.OpenFlags, p []byte) (qid p9.QID, iounit uint32, n int, eof bool, err error)
}

// Remover is a file that can be removed without its directory's help, for Tremove. The caller closes it in either case. ENOSYS is the
// answer of one that cannot after all.
type Remover interface {
	Remove() error
}

// Abandoner is a file that tells a clunk from the end of its connection. Abandon is called before Close in the latter case, and must not block.
type Abandoner interface {
	Abandon()
}

// Lock is the region, kind and owner of a POSIX record lock, as in Tgetlock. A Length of 0 reaches to the end of the file.
type Lock struct {
	Type          p9.LockType
	Start, Length uint64
	PID           int
	Client        string
}

// LockGetter is a file that can tell who holds a lock.
type LockGetter interface {
	// GetLock returns the first lock that stands in l's way, or l with the type p9.Unlock where nothing does (fcntl(2), F_GETLK).
	GetLock(l Lock) (Lock, error)
}
