package ninep

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/hugelgupf/p9/p9"
)

// A Server serves one tree over 9P. Its zero value but for Attacher is ready. It may serve many connections at once.
type Server struct {
	// Attacher gives the root of the tree for each Tattach. If it is a [NamedAttacher], AttachAs is called instead of Attach;
	// otherwise an aname is a path to be walked from the root. The files' methods are called at any time, beside any other.
	//
	// A file that is a [ContextFile] is always used through the view for the request in hand. Files are closed once when their fid
	// is gone and no request uses it. A file Create returns may be the directory it was called on, made over, as those of
	// 9P clients are.
	Attacher p9.Attacher

	// Versions are the dialects spoken; nil is all three. A peer that offers none of them is answered "unknown".
	Versions []string

	// Msize is the largest message, in bytes, that is read or written; 0 is DefaultMsize.
	Msize uint32

	// MaxFids and MaxRequests are limits of a connection; 0 is the constant of the same name.
	MaxFids, MaxRequests int

	// Users turns between the names that 9P2000 has for users and groups and the numbers of the tree's; nil is decimal numbers.
	Users Users

	// Trace gets a line for each message, in one Write, which may be called at any time beside others; nil is none.
	Trace io.Writer

	// Log gets a line when a peer's bad frame has ended its connection; nil discards it.
	Log *slog.Logger

	// Stats is counted in, and may be shared by servers; nil counts nothing.
	Stats *Stats

	blocks blockPool
}

// Users knows the names of users and groups. A name or number it does not know is shown as, and read from, decimal digits.
type Users interface {
	UserName(p9.UID) (string, bool)
	GroupName(p9.GID) (string, bool)
	UserID(string) (p9.UID, bool)
	GroupID(string) (p9.GID, bool)
}

// Stats count what servers and clients do. Fields may be read at any time.
type Stats struct {
	Requests atomic.Int64 // requests that have come in, for a client gone out, so far
	Pending  atomic.Int64 // requests being worked on now
	Fids     atomic.Int64 // fids there are now
	BytesIn  atomic.Int64 // bytes of frames read so far
	BytesOut atomic.Int64 // bytes of frames written so far
}

// Serve serves conn until it ends, which is nil if it ended between two frames, or until ctx is done. Before it returns it cancels
// all requests and waits for them, closes all files, and closes conn.
func (s *Server) Serve(ctx context.Context, conn io.ReadWriteCloser) error {
	c := newConn(ctx, s, conn)
	stop := context.AfterFunc(ctx, c.hangup)
	err := c.read()
	stop()
	c.end()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (s *Server) versions() []string {
	if s.Versions == nil {
		return []string{VersionCPU, Version9P2000L, Version9P2000}
	}
	return s.Versions
}
