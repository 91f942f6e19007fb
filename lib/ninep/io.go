package ninep

import (
	"errors"
	"io"
	"math"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

func isEOF(err error) bool { return err == io.EOF || err != nil && errors.Is(err, io.EOF) }

// maxStream is how much of a stream is read at once: one that blocks holds that much memory.
const maxStream = 64 << 10

// room returns room for a reply's data: count bytes, or as many as fit a message. Where the connection's requests hold too much it waits
// for others to end.
func (r *request) room(count uint32) ([]byte, error) {
	n := int(min(int64(count), int64(r.c.msize-headerLen-4)))
	if n > minReserved {
		if err := r.reserve(n); err != nil {
			return nil, err
		}
	}
	r.data = r.c.srv.blocks.get(n)
	return r.data.b, nil
}

// minReserved is how many bytes of room are not worth being counted.
const minReserved = 16 << 10

// reserve waits until the connection's requests hold few enough data for n bytes more.
func (r *request) reserve(n int) error {
	c := r.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.reserved > 0 && c.reserved+n > MaxData {
		if r.stopped {
			return linux.EINTR
		}
		c.ended.Wait()
	}
	c.reserved += n
	r.reserved = n
	return nil
}

func (r *request) read(m *tread, a *rread) error {
	a.data = nil
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	count := m.count
	if f.ctx != nil && f.qid.Version == 0 {
		count = min(count, maxStream)
	}
	switch {
	case f.xattr != nil, f.readable() && f.dir != nil:
	case f.qid.Type&p9.TypeDir != 0:
		return linux.EISDIR
	case !f.readable():
		return linux.EBADF
	case m.offset > math.MaxInt64:
		return linux.EINVAL
	}
	p, err := r.room(count)
	if err != nil {
		return err
	}
	switch {
	case f.xattr != nil:
		a.data, err = f.xattr.read(m.offset, p)
		return err
	case f.dir != nil:
		a.data, err = f.dir.read(r, f, m.offset, p)
		return err
	case len(p) == 0:
		return nil
	}
	n, err := f.view(r).ReadAt(p, int64(m.offset))
	if n > 0 || isEOF(err) {
		err = nil
	}
	a.data = p[:n]
	return err
}

func (r *request) write(m *twrite, a *rwrite) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	if f.xattr != nil {
		a.count, err = f.xattr.write(m.offset, m.data)
		return err
	}
	switch {
	case !f.writable():
		return linux.EBADF
	case m.offset > math.MaxInt64-uint64(len(m.data)):
		return linux.EFBIG
	}
	n, err := f.view(r).WriteAt(m.data, int64(m.offset))
	if n > 0 {
		err = nil
	}
	a.count = uint32(n)
	return err
}

func (r *request) fsync(m *tfsync, _ *rfsync) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	if f.state.Load() != fidOpen {
		return linux.EBADF
	}
	return f.view(r).FSync()
}
