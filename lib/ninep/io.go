package ninep

import (
	"errors"
	"io"
	"math"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

func isEOF(err error) bool { return err == io.EOF || err != nil && errors.Is(err, io.EOF) }

// room returns a block for a reply's data: count bytes, or as many as fit a message.
func (r *request) room(count uint32) []byte {
	r.data = r.c.srv.blocks.get(int(min(int64(count), int64(r.c.msize-headerLen-4))))
	return r.data.b
}

func (r *request) read(m *tread, a *rread) error {
	a.data = nil
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	if f.xattr != nil {
		a.data, err = f.xattr.read(m.offset, r.room(m.count))
		return err
	}
	switch {
	case f.dir != nil && f.readable():
		a.data, err = f.dir.read(r, f, m.offset, r.room(m.count))
		return err
	case f.qid.Type&p9.TypeDir != 0:
		return linux.EISDIR
	case !f.readable():
		return linux.EBADF
	case m.offset > math.MaxInt64:
		return linux.EINVAL
	}
	p := r.room(m.count)
	if len(p) == 0 {
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
