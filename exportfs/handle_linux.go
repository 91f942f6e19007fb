//go:build !portable

package exportfs

import (
	"io"
	"sync"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// handle is a file open for I/O.
type handle struct {
	flags    p9.OpenFlags
	live     bool
	id       ident
	liveness liveness // of a directory: its file system's
	list     listing

	mu sync.RWMutex // held for reading by whoever uses fd, so that it is closed under nobody's hands
	fd int          // -1: closed
}

// systemFlags are flags as this processor's open(2) has them.
func systemFlags(f p9.OpenFlags) int {
	how := unix.O_CLOEXEC | unix.O_NOCTTY | unix.O_LARGEFILE | unix.O_NOFOLLOW | int(f.Mode())
	for _, b := range [...]struct {
		flag p9.OpenFlags
		how  int
	}{
		{flagTrunc, unix.O_TRUNC}, {flagAppend, unix.O_APPEND}, {flagDsync, unix.O_DSYNC}, {flagDirectory, unix.O_DIRECTORY},
		{flagNoatime, unix.O_NOATIME}, {flagSync, unix.O_SYNC},
	} {
		if f&b.flag == b.flag {
			how |= b.how
		}
	}
	return how
}

func (h *handle) readable() bool { return h.flags.Mode() != p9.WriteOnly }
func (h *handle) writable() bool { return h.flags.Mode() != p9.ReadOnly }

// object is the handle's file, to work on. It fails once the handle is closed.
func (h *handle) object() (object, error) {
	h.mu.RLock()
	if h.fd < 0 {
		h.mu.RUnlock()
		return object{}, linux.EBADF
	}
	return object{fd: h.fd, borrowed: h}, nil
}

func (h *handle) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fd < 0 {
		return linux.EBADF
	}
	err := unix.Close(h.fd)
	h.fd = -1
	return errno(err)
}

// readAt fills p, up to the end of the file.
func (h *handle) readAt(p []byte, offset int64) (int, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := 0
	for n < len(p) {
		m, err := unix.Pread(h.fd, p[n:], offset+int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, errno(err)
		}
		n += m
		if m == 0 {
			return n, io.EOF
		}
		if h.live {
			break // each read may mean something
		}
	}
	return n, nil
}

// writeAt writes all of p, or up to an error, of which the next write will tell.
func (h *handle) writeAt(p []byte, offset int64) (int, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n := 0
	for {
		m, err := unix.Pwrite(h.fd, p[n:], offset+int64(n))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, errno(err)
		}
		n += m
		if n == len(p) || m == 0 || h.live {
			return n, nil
		}
	}
}

func (h *handle) sync() error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return again(func() error { return unix.Fsync(h.fd) })
}
