package ninep

import (
	"sync"

	"github.com/hugelgupf/p9/linux"
)

// A dirReader reads a 9P2000 directory, which is a sequence of stat records read from the beginning to the end: read(9P). A read gets
// whole records. Its offset is 0, to begin anew, or where the last one ended.
type dirReader struct {
	mu      sync.Mutex
	entries []DirentAttr // read and not yet given out
	cookie  uint64       // where the tree goes on
	next    uint64       // the only offset besides 0 to read at
}

// read fills p with records of f, and returns those bytes.
func (d *dirReader) read(r *request, f *fid, offset uint64, p []byte) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch offset {
	case 0:
		d.entries, d.cookie, d.next = nil, 0, 0
	case d.next:
	default:
		return nil, &Error{Errno: linux.EINVAL, Text: "bad offset in directory read"}
	}
	b := buffer{b: p[:0]}
	for {
		if len(d.entries) == 0 {
			list, err := r.entries(f, d.cookie, uint32(r.c.msize-HeaderSize))
			if err != nil && !isEOF(err) && len(b.b) == 0 {
				return nil, err
			}
			if len(list) == 0 {
				break
			}
			d.entries, d.cookie = list, list[len(list)-1].Offset
		}
		e := &d.entries[0]
		if e.Name != "." && e.Name != ".." {
			s := statOf(e.Name, e.QID, e.Valid, &e.Attr, r.c.srv.Users)
			if len(b.b)+s.size() > len(p) {
				if len(b.b) == 0 {
					return nil, &Error{Errno: linux.EINVAL, Text: "directory entry does not fit count"}
				}
				break
			}
			s.encode(&b)
		}
		d.entries = d.entries[1:]
	}
	d.next += uint64(len(b.b))
	return b.b, nil
}
