//go:build linux

package mnt_test

import (
	"context"
	"fmt"
	"io"
	"sync"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/fsimpl/templatefs"
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// control is a tree like a device's: nothing in it may be cached.
//
//	block   a read waits for ever
//	count   each open reads another number
//	ctl     notes what is written, and with which flags it was opened
//	stuck   an ordinary file to look at, whose reads wait for ever
//	jammed  another, whose opening does
type control struct {
	mu      sync.Mutex
	opens   int
	log     []string
	blocked chan struct{} // a read of block or stuck has begun, or an open of jammed
	ended   chan error    // one of block or jammed has ended, because of this
}

func newControl() *control {
	return &control{blocked: make(chan struct{}, 16), ended: make(chan error, 16)}
}

func (c *control) Attach() (p9.File, error) {
	return &controlFile{c: c, ctx: context.Background()}, nil
}

// written is what ctl has noted.
func (c *control) written() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.log...)
}

type controlFile struct {
	templatefs.NoopFile
	c    *control
	name string // "": the directory
	ctx  context.Context
	text *string // what an open reads
}

var controlNames = []string{"block", "count", "ctl", "jammed", "stuck"}

func (f *controlFile) qid() p9.QID {
	if f.name == "" {
		return p9.QID{Type: p9.TypeDir, Path: 1}
	}
	q := p9.QID{}
	for i, n := range controlNames {
		if n == f.name {
			q.Path = uint64(i + 2)
		}
	}
	if f.name == "stuck" || f.name == "jammed" {
		q.Version = 1
	}
	return q
}

func (f *controlFile) attr() p9.Attr {
	switch f.name {
	case "":
		return p9.Attr{Mode: p9.ModeDirectory | 0o555, NLink: 2}
	case "stuck", "jammed":
		return p9.Attr{Mode: p9.ModeRegular | 0o444, NLink: 1, Size: 1 << 20}
	}
	return p9.Attr{Mode: p9.ModeRegular | 0o666, NLink: 1}
}

func (f *controlFile) WithContext(ctx context.Context) p9.File {
	v := *f
	v.ctx = ctx
	return &v
}

func (f *controlFile) Walk(names []string) ([]p9.QID, p9.File, error) {
	g := &controlFile{c: f.c, name: f.name, ctx: context.Background(), text: new(string)}
	var qids []p9.QID
	for _, n := range names {
		g.name = n
		q := g.qid()
		if q.Path == 0 || f.name != "" {
			return nil, nil, linux.ENOENT
		}
		qids = append(qids, q)
	}
	return qids, g, nil
}

func (f *controlFile) WalkGetAttr(names []string) ([]p9.QID, p9.File, p9.AttrMask, p9.Attr, error) {
	qids, g, err := f.Walk(names)
	if err != nil {
		return nil, nil, p9.AttrMask{}, p9.Attr{}, err
	}
	return qids, g, p9.AttrMask{Mode: true, Size: true}, g.(*controlFile).attr(), nil
}

func (f *controlFile) GetAttr(p9.AttrMask) (p9.QID, p9.AttrMask, p9.Attr, error) {
	return f.qid(), p9.AttrMask{Mode: true, Size: true}, f.attr(), nil
}

func (f *controlFile) Open(mode p9.OpenFlags) (p9.QID, uint32, error) {
	if f.name == "jammed" {
		f.c.blocked <- struct{}{}
		<-f.ctx.Done()
		f.c.ended <- f.ctx.Err()
		return p9.QID{}, 0, f.ctx.Err()
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	switch f.name {
	case "count":
		f.c.opens++
		*f.text = fmt.Sprintln(f.c.opens)
	case "ctl":
		f.c.log = append(f.c.log, fmt.Sprintf("open %#x", uint32(mode)))
	}
	return f.qid(), 0, nil
}

func (f *controlFile) Close() error { return nil }

func (f *controlFile) FSync() error { return nil }

func (f *controlFile) ReadAt(p []byte, off int64) (int, error) {
	switch f.name {
	case "block":
		f.c.blocked <- struct{}{}
		<-f.ctx.Done()
		f.c.ended <- f.ctx.Err()
		return 0, f.ctx.Err()
	case "stuck":
		if off == 0 {
			f.c.blocked <- struct{}{}
		}
		<-f.ctx.Done()
		return 0, f.ctx.Err()
	}
	if off >= int64(len(*f.text)) {
		return 0, io.EOF
	}
	return copy(p, (*f.text)[off:]), nil
}

func (f *controlFile) WriteAt(p []byte, off int64) (int, error) {
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	f.c.log = append(f.c.log, fmt.Sprintf("write %d %q", off, p))
	if string(p) == "bad\n" {
		return 0, linux.EINVAL
	}
	return len(p), nil
}

func (f *controlFile) Readdir(off uint64, count uint32) (p9.Dirents, error) {
	var list p9.Dirents
	for i := int(off); i < len(controlNames); i++ {
		g := controlFile{name: controlNames[i]}
		list = append(list, p9.Dirent{QID: g.qid(), Offset: uint64(i + 1), Name: controlNames[i]})
	}
	return list, nil
}

var _ ninep.ContextFile = (*controlFile)(nil)
