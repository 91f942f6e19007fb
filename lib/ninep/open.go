package ninep

import (
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// opening readies f for being opened by r. If it succeeds r calls opened or, after a failure, closed.
func (f *fid) opening() error {
	if f.xattr != nil {
		return linux.EBADF
	}
	if !f.state.CompareAndSwap(fidIdle, fidBusy) {
		return linux.EBUSY
	}
	return nil
}

func (f *fid) opened(mode p9.OpenFlags) {
	f.mode = mode
	f.state.Store(fidOpen)
}

func (f *fid) closed() { f.state.Store(fidIdle) }

// readable and writable say whether f is open for that.
func (f *fid) readable() bool { return f.state.Load() == fidOpen && f.mode.Mode() != p9.WriteOnly }

func (f *fid) writable() bool { return f.state.Load() == fidOpen && f.mode.Mode() != p9.ReadOnly }

// iounit brings a tree's iounit down to what fits a message.
func (c *conn) iounit(n uint32) uint32 { return min(n, uint32(c.msize-HeaderSize)) }

func (r *request) lopen(m *tlopen, a *rlopen) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	a.qid, a.iounit, err = r.open(f, p9.OpenFlags(m.flags))
	return err
}

func (r *request) open(f *fid, flags p9.OpenFlags) (p9.QID, uint32, error) {
	if err := f.opening(); err != nil {
		return p9.QID{}, 0, err
	}
	qid, iounit, err := f.view(r).Open(flags)
	if err != nil {
		f.closed()
		return qid, 0, err
	}
	f.opened(flags)
	return qid, r.c.iounit(iounit), nil
}

// openread is Topenread: open and the first bytes, up to count. Fewer may come; if eof is set they are all there are.
func (r *request) openread(m *topenread, a *ropenread) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	flags := p9.OpenFlags(m.flags)
	if flags.Mode() == p9.WriteOnly || f.qid.Type&p9.TypeDir != 0 {
		return linux.EINVAL
	}
	p, err := r.room(min(m.count, uint32(r.c.msize-headerLen-openReadHeader)))
	if err != nil {
		return err
	}
	a.data, a.eof = nil, 0
	if err := f.opening(); err != nil {
		return err
	}
	view := f.view(r)
	var n int
	var eof bool
	if t, ok := view.(ReadOpener); ok {
		a.qid, a.iounit, n, eof, err = t.OpenRead(flags, p)
	} else {
		a.qid, a.iounit, err = view.Open(flags)
		if err == nil && a.qid.Version != 0 { // a stream is not read before it is asked for
			n, eof = readAll(view, p)
		}
	}
	if err != nil {
		f.closed()
		return err
	}
	f.opened(flags)
	a.iounit = r.c.iounit(a.iounit)
	a.data = p[:n]
	if eof {
		a.eof = 1
	}
	return nil
}

// openReadHeader is what Ropenread has before its data.
const openReadHeader = 13 + 4 + 1 + 4

// readAll fills p from the beginning of an open file, and says whether that was all of it. An error is left for who reads next.
func readAll(file p9.File, p []byte) (n int, eof bool) {
	for n < len(p) {
		m, err := file.ReadAt(p[n:], int64(n))
		n += m
		if isEOF(err) || err == nil && m == 0 {
			return n, true
		}
		if err != nil {
			break
		}
	}
	return n, false
}

func (r *request) lcreate(m *tlcreate, a *rlcreate) error {
	f, err := r.fid(m.fid)
	if err != nil {
		return err
	}
	defer f.put()
	if err := checkName(m.name); err != nil {
		return err
	}
	a.qid, a.iounit, err = r.create(f, m.name, p9.OpenFlags(m.flags), p9.FileMode(m.mode), p9.GID(m.gid), false)
	return err
}

// create makes a file in directory f and puts a fid for it, open, in the place of f.
func (r *request) create(f *fid, name string, flags p9.OpenFlags, mode p9.FileMode, gid p9.GID, rclose bool) (p9.QID, uint32, error) {
	if err := f.opening(); err != nil {
		return p9.QID{}, 0, err
	}
	dir := f.view(r)
	file, qid, iounit, err := dir.Create(name, flags, mode, p9.NoUID, gid)
	if err != nil {
		f.closed()
		return qid, 0, err
	}
	if file == f.file || file == dir {
		file, f.kept = f.file, true
	}
	to := r.c.fids.new(f.num, file, qid, f.place.Load().walk([]string{name}))
	to.rclose = rclose
	to.opened(flags)
	return qid, r.c.iounit(iounit), r.c.fids.replace(f, to)
}
