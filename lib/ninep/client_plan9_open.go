package ninep

import (
	"context"
	"errors"
	"math"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// open9 opens the fid of the file f, which may be another than f's own. Where the file is a stream the qid has the version 0.
func (f *File) open9(of *clientFid, flags p9.OpenFlags) (p9.QID, uint32, error) {
	mode, err := openMode(flags)
	if err != nil {
		return p9.QID{}, 0, err
	}
	stream := f.qid.Type&p9.TypeDir == 0
	if stream && f.qid.Version != 0 {
		// Asked for now, for a file that is truncated is not a stream.
		s, err := f.stat9()
		if f.ctx.Err() != nil {
			return p9.QID{}, 0, f.ctx.Err()
		}
		stream = err != nil || s.stream()
	}
	r := new(ropen)
	if err := f.c.do(f.ctx, &topen{fid: of.number, mode: mode}, r, nil); err != nil {
		return p9.QID{}, 0, err
	}
	if stream {
		r.qid.Version = 0
	}
	return f.typed(r.qid), r.iounit, nil
}

// make9 is Tcreate in the directory f. The fid is the new file's, open with mode.
func (f *File) make9(name string, perm uint32, mode uint8) (*clientFid, rcreate, error) {
	if err := checkNames(name); err != nil {
		return nil, rcreate{}, err
	}
	if !f.use() {
		return nil, rcreate{}, linux.EBADF
	}
	defer f.unuse()
	// Tcreate turns the directory's fid into the file's.
	_, to, err := f.walkOnce(f.clientFid, nil)
	if err != nil {
		return nil, rcreate{}, err
	}
	r := new(rcreate)
	t := &tcreate{fid: to.number, name: name, perm: perm, mode: mode}
	if err := f.c.do(f.ctx, t, r, func(uint8) { to.clunkNow() }); err != nil {
		return nil, rcreate{}, err
	}
	r.qid = f.typed(r.qid)
	to.qid, to.dir = r.qid, &f.qid
	return to, *r, nil
}

// create9 is Create. Tcreate refuses a name that is taken, which is then opened instead where flags allow it. The server narrows the
// permissions by those of the directory: open(9P).
func (f *File) create9(name string, flags p9.OpenFlags, perm p9.FileMode) (p9.File, p9.QID, uint32, error) {
	mode, err := openMode(flags &^ flagTrunc)
	if err != nil {
		return nil, p9.QID{}, 0, err
	}
	to, r, err := f.make9(name, uint32(perm)&0o777, mode)
	if errors.Is(err, linux.EEXIST) && flags&flagExcl == 0 {
		old, err := f.entry(name)
		if err != nil {
			return nil, p9.QID{}, 0, err
		}
		qid, unit, err := old.Open(flags)
		if err != nil {
			old.Close()
			return nil, p9.QID{}, 0, err
		}
		return &File{old.clientFid, context.Background()}, qid, unit, nil
	}
	if err != nil {
		return nil, p9.QID{}, 0, err
	}
	r.qid.Version = 0 // it has no length yet
	o := to.opened(to, r.qid, r.iounit, flags)
	return &File{to, context.Background()}, r.qid, uint32(o.unit), nil
}

// mkdir9 is Mkdir.
func (f *File) mkdir9(name string, perm p9.FileMode) (p9.QID, error) {
	to, r, err := f.make9(name, dmDir|uint32(perm)&0o777, uint8(p9.ReadOnly))
	if err != nil {
		return p9.QID{}, err
	}
	to.clunkNow()
	return r.qid, nil
}

// mknod9 is Mknod, of plain files only.
func (f *File) mknod9(name string, mode p9.FileMode) (p9.QID, error) {
	if !mode.IsRegular() && mode&p9.FileModeMask != 0 {
		return p9.QID{}, linux.EOPNOTSUPP
	}
	to, r, err := f.make9(name, uint32(mode)&0o777, uint8(p9.ReadOnly))
	if err != nil {
		return p9.QID{}, err
	}
	to.clunkNow()
	return r.qid, nil
}

// A turn is taken by one at a time.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }

// appendAt writes where the file ends, which 9P2000 leaves to the client but for append-only files: what others write at the same time may be
// overwritten.
func (f *File) appendAt(o *openFile, p []byte) (int, error) {
	if err := o.appending.take(f.ctx); err != nil {
		return 0, err
	}
	defer o.appending.give()
	s, err := f.stat9()
	if err != nil {
		return 0, err
	}
	if s.length > math.MaxInt64-uint64(len(p)) {
		return 0, linux.EFBIG
	}
	return f.writeAll(o, p, int64(s.length))
}
