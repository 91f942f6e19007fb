package ninep

import (
	"slices"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// recordBytes is how many bytes of a 9P2000 directory are asked for at once.
const recordBytes = 64 << 10

// A recordReader reads a 9P2000 directory, in which the server knows two ways on only: from where the last read ended, and from the start.
// An entry's offset, as Readdir has it, is how many entries there are up to it. Those of the last read can be had again; for earlier ones the
// directory is read anew.
type recordReader struct {
	turn turn
	at   uint64 // where the next Tread begins, in bytes
	base uint64 // how many entries come before list
	list []DirentAttr
}

// rewind begins anew.
func (d *recordReader) rewind() { d.at, d.base, d.list = 0, 0, nil }

// readRecords is ReaddirAttr, with entries that take up to count bytes when each takes size and its name, but one at least.
func (f *File) readRecords(offset uint64, count, size uint32) ([]DirentAttr, error) {
	o, err := f.data(0)
	if err != nil {
		return nil, err
	}
	defer o.unuse()
	d := o.records
	if d == nil {
		return nil, linux.ENOTDIR
	}
	if err := d.turn.take(f.ctx); err != nil {
		return nil, err
	}
	defer d.turn.give()
	if offset == 0 || offset < d.base {
		d.rewind()
	}
	for offset >= d.base+uint64(len(d.list)) {
		more, err := f.nextRecords(o)
		if err != nil {
			d.rewind() // who knows where the server is now
			return nil, err
		}
		if !more {
			return nil, nil
		}
	}
	list := d.list[offset-d.base:]
	room := int64(count)
	for i := range list {
		if room -= int64(size) + int64(len(list[i].Name)); room < 0 && i > 0 {
			list = list[:i]
			break
		}
	}
	return slices.Clone(list), nil
}

// nextRecords reads on until there is an entry. More is false at the end.
func (f *File) nextRecords(o *openFile) (more bool, err error) {
	d := o.records
	d.base += uint64(len(d.list))
	d.list = nil
	p := make([]byte, min(o.unit, recordBytes))
	for len(d.list) == 0 {
		cl, err := f.startRead(o, p, int64(d.at))
		if err != nil {
			return false, err
		}
		n, err := f.c.finishData(f.ctx, cl)
		if err != nil || n == 0 {
			return false, err
		}
		d.at += uint64(n)
		b := buffer{b: p[:n]}
		for len(b.b) > 0 {
			var s stat
			if s.decode(&b); b.bad {
				return false, &Error{linux.EIO, "the server gives half a directory entry"}
			}
			if s.name == "." || s.name == ".." {
				continue
			}
			if err := checkEntry(s.name); err != nil {
				return false, err
			}
			e := DirentAttr{Dirent: p9.Dirent{Name: s.name, Offset: d.base + uint64(len(d.list)) + 1}}
			e.QID, e.Valid, e.Attr = s.attributes(o.clientFid)
			e.Type = e.QID.Type
			if checkAttr(&e.Attr) != nil {
				e.Valid = p9.AttrMask{}
			}
			d.list = append(d.list, e)
		}
		if d.base+uint64(len(d.list)) > maxDirents || d.at > maxDirents*uint64(statFixed+MaxName) {
			return false, &Error{linux.EIO, "directory never ends"}
		}
	}
	return true, nil
}

// readdir9 is Readdir.
func (f *File) readdir9(offset uint64, count uint32) (p9.Dirents, error) {
	all, err := f.readRecords(offset, count, direntSize)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	list := make(p9.Dirents, len(all))
	for i := range all {
		list[i] = all[i].Dirent
	}
	return list, nil
}
