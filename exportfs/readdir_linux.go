//go:build !portable

package exportfs

import (
	"bytes"
	"encoding/binary"
	"sync"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// listing is how far an open directory has been read. Offsets are the kernel's own cookies, d_off in getdents(2), which stay what
// they are when entries come and go.
type listing struct {
	mu   sync.Mutex
	buf  []byte // entries as the kernel gave them
	rest []byte // those not yet asked for
	next uint64 // the offset at which rest begins
}

// listingSize is how many bytes of entries are asked of the kernel at once.
const listingSize = 8 << 10

// entry is a directory entry. Off is the offset of the one after it.
type entry struct {
	name string
	ino  uint64
	typ  p9.QIDType
	off  uint64
}

// entries calls yield for each entry from offset on, without "." and "..", until yield returns false; that entry is the next.
// The directory's descriptor o stays usable in yield.
func (h *handle) entries(offset uint64, yield func(o object, e entry) bool) error {
	o, err := h.object()
	if err != nil {
		return err
	}
	defer o.unpin()
	l := &h.list
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset != l.next || offset == 0 {
		if _, err := unix.Seek(o.fd, int64(offset), 0); err != nil {
			return errno(err)
		}
		l.rest, l.next = nil, offset
	}
	for {
		if len(l.rest) == 0 {
			if l.buf == nil {
				l.buf = make([]byte, listingSize)
			}
			var n int
			err := again(func() (err error) {
				n, err = unix.Getdents(o.fd, l.buf)
				return err
			})
			if err == linux.ENOENT {
				err = nil // the directory has been removed
			}
			if err != nil || n <= 0 {
				l.buf = nil
				return err
			}
			l.rest = l.buf[:n]
		}
		e, n := parseDirent(l.rest)
		if e.name != "." && e.name != ".." && !yield(o, e) {
			return nil
		}
		l.rest, l.next = l.rest[n:], e.off
	}
}

// parseDirent takes a struct linux_dirent64 apart: d_ino[8] d_off[8] d_reclen[2] d_type[1] d_name. It returns its length too.
func parseDirent(b []byte) (entry, int) {
	n := int(binary.NativeEndian.Uint16(b[16:]))
	name := b[19:n]
	if i := bytes.IndexByte(name, 0); i >= 0 {
		name = name[:i]
	}
	e := entry{
		name: string(name),
		ino:  binary.NativeEndian.Uint64(b),
		off:  binary.NativeEndian.Uint64(b[8:]),
	}
	switch b[18] {
	case unix.DT_DIR:
		e.typ = p9.TypeDir
	case unix.DT_LNK:
		e.typ = p9.TypeSymlink
	}
	return e, n
}

// entryID is what tells the file of e apart in directory o, as far as the entry says it.
func (h *handle) entryID(e entry) ident { return ident{dev: h.id.dev, ino: e.ino} }

// statEntry describes the file of an entry.
func (h *handle) statEntry(o object, e entry) (info, error) {
	d := dir{fd: o.fd, id: h.id, live: h.liveness}
	return d.stat(e.name)
}
