//go:build !linux || portable

package exportfs

import (
	"errors"
	"io"
	"os"
	"sync"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// handle is a file open for I/O.
type handle struct {
	file  *os.File
	flags p9.OpenFlags
	live  bool
	id    ident
	dir   *dir // of a directory: itself, to look into

	mu   sync.Mutex // guards list
	list []entry    // the directory as it was when its beginning was read
}

func systemFlags(f p9.OpenFlags) int {
	how := [...]int{os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDONLY}[f.Mode()] | neverBlock
	if f&flagTrunc != 0 {
		how |= os.O_TRUNC
	}
	if f&flagAppend != 0 {
		how |= os.O_APPEND
	}
	if f&(flagSync|flagDsync) != 0 {
		how |= os.O_SYNC
	}
	return how
}

func (h *handle) readable() bool { return h.flags.Mode() != p9.WriteOnly }
func (h *handle) writable() bool { return h.flags.Mode() != p9.ReadOnly }

// object is the handle's file, to work on.
func (h *handle) object() (object, error) { return object{borrowed: h}, nil }

func (h *handle) info() (info, error) {
	fi, err := h.file.Stat()
	if err != nil {
		return info{}, errno(err)
	}
	i := newInfo(fi)
	identify(&i, fi, h.file)
	return i, nil
}

func (h *handle) close() error {
	if h.dir != nil {
		h.dir.close()
	}
	return errno(h.file.Close())
}

// readAt fills p, up to the end of the file.
func (h *handle) readAt(p []byte, offset int64) (int, error) {
	n, err := h.file.ReadAt(p, offset)
	if err != nil && err != io.EOF {
		if n > 0 {
			return n, nil
		}
		err = errno(err)
	}
	return n, err
}

func (h *handle) writeAt(p []byte, offset int64) (int, error) {
	var n int
	var err error
	if h.flags&flagAppend != 0 {
		n, err = h.file.Write(p)
	} else {
		n, err = h.file.WriteAt(p, offset)
	}
	if n > 0 {
		return n, nil
	}
	return 0, errno(err)
}

func (h *handle) sync() error { return errno(h.file.Sync()) }

// entry is a directory entry. Off is the offset of the one after it: entries are numbered from 1 as they are first read.
type entry struct {
	name string
	typ  p9.QIDType
	off  uint64
	info info
}

// entries calls yield for each entry from offset on until yield returns false; that entry is the next. What has been removed since
// the beginning was read is left out; its number is not given to another.
func (h *handle) entries(offset uint64, yield func(o object, e entry) bool) error {
	if h.dir == nil {
		return linux.ENOTDIR
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if offset == 0 || h.list == nil {
		if err := h.read(); err != nil {
			return err
		}
	}
	if offset > uint64(len(h.list)) {
		return nil
	}
	for _, e := range h.list[offset:] {
		i, err := h.dir.stat(e.name)
		if err != nil {
			continue
		}
		e.info, e.typ = i, qidType(i.attr.Mode)
		if !yield(object{}, e) {
			break
		}
	}
	return nil
}

// read reads the whole directory. Called with mu held.
func (h *handle) read() error {
	if _, err := h.file.Seek(0, io.SeekStart); err != nil {
		return errno(err)
	}
	names, err := h.file.Readdirnames(-1)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return errno(err)
	}
	h.list = make([]entry, 0, len(names))
	for i, name := range names {
		h.list = append(h.list, entry{name: name, off: uint64(i + 1)})
	}
	return nil
}

func (h *handle) entryID(e entry) ident { return e.info.id }

// statEntry describes the file of an entry, which has been looked at already.
func (h *handle) statEntry(_ object, e entry) (info, error) { return e.info, nil }
