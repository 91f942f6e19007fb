package ninep

import (
	"context"
	"fmt"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// Walk walks any number of names from f; none gives f itself once more, unopened. It is ENOENT if one is missing. The caller closes the
// file. Of a file that is open only a directory can be walked from, and that only for as far as the server allows it.
func (f *File) Walk(names []string) ([]p9.QID, p9.File, error) {
	qids, to, err := f.walk(names, f.walkOnce)
	if err != nil {
		return nil, nil, err
	}
	return qids, to, nil
}

// WalkGetAttr is Walk, and GetAttr of all attributes of the file walked to: one message in 9P2000.L.cpu. The last qid is the one that GetAttr
// gives.
func (f *File) WalkGetAttr(names []string) ([]p9.QID, p9.File, p9.AttrMask, p9.Attr, error) {
	if f.c.dialect == dialectCPU {
		var r rwalkgetattr
		qids, to, err := f.walk(names, func(from *clientFid, names []string) ([]p9.QID, *clientFid, error) {
			r = rwalkgetattr{}
			return f.walkGetAttrOnce(from, names, &r)
		})
		if err != nil {
			return nil, nil, p9.AttrMask{}, p9.Attr{}, err
		}
		if err := checkAttr(&r.attr); err != nil {
			to.Close()
			return nil, nil, p9.AttrMask{}, p9.Attr{}, err
		}
		return qids, to, attrMask(r.valid), r.attr, nil
	}
	qids, to, err := f.walk(names, f.walkOnce)
	if err != nil {
		return nil, nil, p9.AttrMask{}, p9.Attr{}, err
	}
	qid, valid, attr, err := (&File{to.clientFid, f.ctx}).GetAttr(p9.AttrMaskAll)
	if err != nil {
		to.Close()
		return nil, nil, p9.AttrMask{}, p9.Attr{}, err
	}
	if n := len(qids); n > 0 && f.c.dialect == dialect9P2000 {
		qids[n-1] = qid
	}
	return qids, to, valid, attr, nil
}

// walk walks names in as many messages as they need, of which last sends the last.
func (f *File) walk(names []string, last func(from *clientFid, names []string) ([]p9.QID, *clientFid, error)) ([]p9.QID, *File, error) {
	if err := checkNames(names...); err != nil {
		return nil, nil, err
	}
	if !f.use() {
		return nil, nil, linux.EBADF
	}
	defer f.unuse()
	from, all := f.clientFid, []p9.QID(nil)
	for {
		n := f.c.walkLen(names)
		step := f.walkOnce
		if n == len(names) {
			step = last
		}
		qids, to, err := step(from, names[:n])
		if from != f.clientFid {
			from.clunkNow()
		}
		if err != nil {
			return nil, nil, err
		}
		if all == nil {
			all = qids
		} else {
			all = append(all, qids...)
		}
		if names = names[n:]; len(names) == 0 {
			return all, &File{to, context.Background()}, nil
		}
		from = to
	}
}

// walkLen is how many of names one message takes.
func (c *Client) walkLen(names []string) int {
	room := c.payload()
	for i, name := range names {
		room -= 2 + len(name)
		if i == MaxWalk || room < 0 {
			return i
		}
	}
	return len(names)
}

func (f *File) walkOnce(from *clientFid, names []string) ([]p9.QID, *clientFid, error) {
	r := new(rwalk)
	to := f.c.newFid()
	late := func(reply uint8) {
		if reply == msgRwalk && len(r.qids) < len(names) {
			reply = 0
		}
		to.establish(reply)
	}
	if err := f.c.do(f.ctx, &twalk{fid: from.number, newfid: to.number, names: names}, r, late); err != nil {
		return nil, nil, err
	}
	to.qid, to.dir, to.user = from.qid, from.dir, from.user
	return r.qids, to, to.walked(r.qids, names)
}

func (f *File) walkGetAttrOnce(from *clientFid, names []string, r *rwalkgetattr) ([]p9.QID, *clientFid, error) {
	to := f.c.newFid()
	late := func(reply uint8) {
		if reply == msgRwalkgetattr && len(r.qids) < len(names) {
			reply = 0
		}
		to.establish(reply)
	}
	t := &twalkgetattr{fid: from.number, newfid: to.number, mask: attrBits(p9.AttrMaskAll), names: names}
	if err := f.c.do(f.ctx, t, r, late); err != nil {
		return nil, nil, err
	}
	to.qid = r.qid
	return r.qids, to, to.walked(r.qids, names)
}

// walked takes the qids in answer to the walk that was to make f. If they are too few there is no f, for the next name does not exist.
func (f *clientFid) walked(qids []p9.QID, names []string) error {
	switch {
	case len(qids) > len(names):
		f.c.fail(fmt.Errorf("%w: %d qids for %d names", errFrame, len(qids), len(names)))
		return errDead
	case len(qids) < len(names):
		f.unuse()
		return linux.ENOENT
	case len(qids) > 0:
		if f.c.dialect == dialect9P2000 {
			for i, q := range qids {
				qids[i] = f.typed(q)
			}
			f.dir = dirAbove(f.qid, qids, names)
		}
		f.qid = qids[len(qids)-1]
	}
	return nil
}
