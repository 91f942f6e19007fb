package ninep

import (
	"fmt"
	"strings"
	"sync"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// maxDirents is how many entries a directory is believed to have.
const maxDirents = 1 << 24

// Readdir reads entries of a directory that is open, from an offset that is 0 or an entry's, in as many bytes of a message as count says.
// None is the end. Whether "." and ".." are among them is the server's choice. Names that no file can have, and a directory that goes
// round in circles or has more than 16 million entries, are EIO.
func (f *File) Readdir(offset uint64, count uint32) (p9.Dirents, error) {
	if f.c.dialect == dialect9P2000 {
		return f.readdir9(offset, count)
	}
	o, err := f.data(0)
	if err != nil {
		return nil, err
	}
	defer o.unuse()
	r := new(entries)
	t := &treaddir{fid: o.number, offset: offset, count: f.c.direntBytes(count)}
	if err := f.c.do(f.ctx, t, r, nil); err != nil {
		return nil, err
	}
	return r.list, o.dir.check(offset, len(r.list), func(i int) *p9.Dirent { return &r.list[i] })
}

// ReaddirAttr is Readdir with attributes. 9P2000 has them in its directories; in 9P2000.L it walks to each entry, all at the same time.
func (f *File) ReaddirAttr(offset uint64, count uint32) ([]DirentAttr, error) {
	switch f.c.dialect {
	case dialect9P2000:
		return f.readRecords(offset, count, direntAttrSize)
	case dialect9P2000L:
		return f.readdirWalk(offset, count)
	}
	o, err := f.data(0)
	if err != nil {
		return nil, err
	}
	defer o.unuse()
	r := new(attrEntries)
	t := &treaddirattr{fid: o.number, offset: offset, count: f.c.direntBytes(count)}
	if err := f.c.do(f.ctx, t, r, nil); err != nil {
		return nil, err
	}
	for i := range r.list {
		if e := &r.list[i]; checkAttr(&e.Attr) != nil {
			e.Valid = p9.AttrMask{}
		}
	}
	return r.list, o.dir.check(offset, len(r.list), func(i int) *p9.Dirent { return &r.list[i].Dirent })
}

// readdirWalk is ReaddirAttr in plain 9P2000.L. Count is of the reply that 9P2000.L.cpu would have.
func (f *File) readdirWalk(offset uint64, count uint32) ([]DirentAttr, error) {
	dir, err := f.Readdir(offset, max(count/(direntAttrSize/direntSize), direntSize+MaxName))
	if err != nil || len(dir) == 0 {
		return nil, err
	}
	list := make([]DirentAttr, len(dir))
	next := make(chan *DirentAttr)
	var walkers sync.WaitGroup
	for range min(len(dir), window) {
		walkers.Go(func() {
			for e := range next {
				f.look(e)
			}
		})
	}
	for i := range dir {
		list[i].Dirent = dir[i]
		next <- &list[i]
	}
	close(next)
	walkers.Wait()
	return list, f.ctx.Err()
}

// look fills in an entry's attributes, if they can be had.
func (f *File) look(e *DirentAttr) {
	file := f
	if e.Name != "." {
		var err error
		if file, err = f.entry(e.Name); err != nil {
			return
		}
		defer file.Close()
	}
	if _, valid, attr, err := file.GetAttr(p9.AttrMaskAll); err == nil {
		e.Valid, e.Attr = valid, attr
	}
}

// direntBytes is count, or what a message can hold.
func (c *Client) direntBytes(count uint32) uint32 { return min(count, uint32(c.payload())) }

// entries is Rreaddir with its data taken apart while it is in the reader's hands.
type entries struct {
	list p9.Dirents
}

func (*entries) typ() uint8       { return msgRreaddir }
func (m *entries) encode(*buffer) {}
func (m *entries) decode(b *buffer) {
	data := buffer{b: b.getData()}
	m.list = nil
	for len(data.b) > 0 && !data.bad {
		var d p9.Dirent
		data.getDirent(&d)
		d.Type = d.QID.Type // on the wire it is Linux' own
		m.list = append(m.list, d)
	}
	b.bad = b.bad || data.bad
}

// attrEntries is Rreaddirattr likewise.
type attrEntries struct {
	list []DirentAttr
}

func (*attrEntries) typ() uint8       { return msgRreaddirattr }
func (m *attrEntries) encode(*buffer) {}
func (m *attrEntries) decode(b *buffer) {
	data := buffer{b: b.getData()}
	m.list = nil
	for len(data.b) > 0 && !data.bad {
		m.list = append(m.list, DirentAttr{})
		data.getDirentAttr(&m.list[len(m.list)-1])
	}
	b.bad = b.bad || data.bad
}

// A dirCursor watches the offsets at which a directory is read, to find one that never ends. The mark is an offset seen before; it moves
// on after twice as many steps each time, so that it comes to lie in a circle of any length if there is one, and is met again.
type dirCursor struct {
	mu    sync.Mutex
	at    uint64 // where the next read of this run begins
	count int    // entries in this run
	mark  uint64
	steps int // since the mark was set
	limit int // steps until it moves
}

// check checks what was read at an offset: n entries.
func (d *dirCursor) check(offset uint64, n int, entry func(int) *p9.Dirent) error {
	for i := range n {
		if err := checkEntry(entry(i).Name); err != nil {
			return err
		}
	}
	if n == 0 {
		return nil
	}
	end := entry(n - 1).Offset
	d.mu.Lock()
	defer d.mu.Unlock()
	if offset == 0 || offset != d.at {
		d.count, d.mark, d.steps, d.limit = 0, offset, 0, 1
	}
	d.at = end
	d.count += n
	if end == d.mark || end == offset || d.count > maxDirents {
		return &Error{linux.EIO, "directory never ends"}
	}
	if d.steps++; d.steps == d.limit {
		d.mark, d.steps = end, 0
		d.limit *= 2
	}
	return nil
}

// checkEntry refuses the name of an entry that could lead elsewhere.
func checkEntry(name string) error {
	if name == "" || len(name) > MaxName || strings.ContainsAny(name, "/\x00") {
		return &Error{linux.EIO, fmt.Sprintf("the server gives an entry %.40q", name)}
	}
	return nil
}
