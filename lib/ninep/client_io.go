package ninep

import (
	"context"
	"io"
	"math"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// An openFile is what a fid has once it is opened.
type openFile struct {
	*clientFid      // the one that is open: the File's own, or for a directory in 9P2000.L a second one
	unit       int  // bytes of data in one message, at most
	parallel   bool // parts of a long transfer may be under way together: not for streams, nor where each write appends
	dir        dirCursor
	records    *recordReader // of a directory in 9P2000
	appending  turn          // of a file that is opened to append, in 9P2000; nil: the server finds the end
}

// opened takes note that f is open, by way of the fid of is.
func (f *clientFid) opened(is *clientFid, qid p9.QID, iounit uint32, flags p9.OpenFlags) *openFile {
	o := &openFile{clientFid: is, unit: f.c.payload()}
	if iounit > 0 && int64(iounit) < int64(o.unit) {
		o.unit = int(iounit)
	}
	o.parallel = qid.Version != 0 && qid.Type&p9.TypeAppendOnly == 0 && flags&flagAppend == 0
	if f.c.dialect == dialect9P2000 {
		if f.qid.Type&p9.TypeDir != 0 { // whatever the server says by now
			o.records = &recordReader{turn: newTurn()}
		} else if flags&flagAppend != 0 && qid.Type&p9.TypeAppendOnly == 0 {
			o.appending = newTurn()
		}
	}
	f.open.Store(o)
	return o
}

// closeDir lets go of the second fid of a directory.
func (f *clientFid) closeDir() {
	if o := f.open.Load(); o != nil && o.clientFid != f && !o.closed.Swap(true) {
		o.clunkNow()
	}
}

// Open opens f, once. The unit returned is the largest transfer in one message, in bytes.
func (f *File) Open(mode p9.OpenFlags) (p9.QID, uint32, error) {
	if !f.use() {
		return p9.QID{}, 0, linux.EBADF
	}
	defer f.unuse()
	f.opener.Lock()
	defer f.opener.Unlock()
	if f.open.Load() != nil {
		return p9.QID{}, 0, linux.EBUSY
	}
	is := f.clientFid
	if f.c.dialect != dialectCPU && f.qid.Type&p9.TypeDir != 0 {
		// ReaddirAttr, and whoever else walks from the directory while it is open, needs a fid that is not.
		var err error
		if _, is, err = f.walkOnce(f.clientFid, nil); err != nil {
			return p9.QID{}, 0, err
		}
	}
	qid, iounit, err := f.openFid(is, mode)
	if err != nil {
		if is != f.clientFid {
			is.closed.Store(true)
			is.clunkNow()
		}
		return p9.QID{}, 0, err
	}
	o := f.opened(is, qid, iounit, mode)
	if f.closed.Load() {
		f.closeDir()
	}
	return qid, uint32(o.unit), nil
}

// openFid opens a fid of the file f.
func (f *File) openFid(of *clientFid, mode p9.OpenFlags) (p9.QID, uint32, error) {
	if f.c.dialect == dialect9P2000 {
		return f.open9(of, mode)
	}
	r := new(rlopen)
	err := f.c.do(f.ctx, &tlopen{fid: of.number, flags: uint32(mode)}, r, nil)
	return r.qid, r.iounit, err
}

// OpenRead is Open and the first ReadAt, which is one message in 9P2000.L.cpu.
func (f *File) OpenRead(mode p9.OpenFlags, p []byte) (qid p9.QID, iounit uint32, n int, eof bool, err error) {
	if f.c.dialect != dialectCPU {
		if qid, iounit, err = f.Open(mode); err != nil || qid.Version == 0 {
			return qid, iounit, 0, false, err
		}
		n, err = f.ReadAt(p, 0)
		if err == io.EOF {
			return qid, iounit, n, true, nil
		}
		return qid, iounit, n, false, err
	}
	if !f.use() {
		return p9.QID{}, 0, 0, false, linux.EBADF
	}
	defer f.unuse()
	f.opener.Lock()
	defer f.opener.Unlock()
	if f.open.Load() != nil {
		return p9.QID{}, 0, 0, false, linux.EBUSY
	}
	p = p[:min(len(p), f.c.payload())]
	r := new(ropenread)
	cl := newCall()
	cl.reply = r
	cl.dst = p
	if err := f.c.start(f.ctx, cl, &topenread{fid: f.number, flags: uint32(mode), count: uint32(len(p))}); err != nil {
		return p9.QID{}, 0, 0, false, err
	}
	n, err = f.c.finishData(f.ctx, cl)
	if err != nil {
		return p9.QID{}, 0, 0, false, err
	}
	o := f.opened(f.clientFid, r.qid, r.iounit, mode)
	return r.qid, uint32(o.unit), n, r.eof != 0, nil
}

// Create makes a file in directory f and opens it. The file returned is a new one, which the caller closes; f stays what it is. The owner
// is who the server takes the connection's user to be, whatever uid says.
func (f *File) Create(name string, flags p9.OpenFlags, permissions p9.FileMode, uid p9.UID, gid p9.GID) (p9.File, p9.QID, uint32, error) {
	if f.c.dialect == dialect9P2000 {
		return f.create9(name, flags, permissions)
	}
	if err := checkNames(name); err != nil {
		return nil, p9.QID{}, 0, err
	}
	if !f.use() {
		return nil, p9.QID{}, 0, linux.EBADF
	}
	defer f.unuse()
	// Tlcreate turns the directory's fid into the file's.
	_, to, err := f.walkOnce(f.clientFid, nil)
	if err != nil {
		return nil, p9.QID{}, 0, err
	}
	r := new(rlcreate)
	t := &tlcreate{fid: to.number, name: name, flags: uint32(flags), mode: uint32(permissions), gid: uint32(gid)}
	if err := f.c.do(f.ctx, t, r, func(uint8) { to.clunkNow() }); err != nil {
		return nil, p9.QID{}, 0, err
	}
	to.qid = r.qid
	o := to.opened(to, r.qid, r.iounit, flags)
	return &File{to, context.Background()}, r.qid, uint32(o.unit), nil
}

// data returns what f's open fid is, in use, for a transfer at offset.
func (f *File) data(offset int64) (*openFile, error) {
	o := f.open.Load()
	switch {
	case o == nil || !o.use():
		return nil, linux.EBADF
	case offset < 0:
		o.unuse()
		return nil, linux.EINVAL
	}
	return o, nil
}

// finishData waits for a call that reads or writes, and says how many bytes.
func (c *Client) finishData(ctx context.Context, cl *call) (int, error) {
	posted, data := cl.posted, cl.twrite.data
	err, mine := c.wait(ctx, cl)
	c.w.withdraw(posted, data)
	n := 0
	if mine {
		n = cl.n + int(min(cl.rwrite.count, math.MaxInt32)) // one of them
		cl.put()
	}
	return n, err
}
