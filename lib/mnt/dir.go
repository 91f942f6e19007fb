//go:build linux

package mnt

import (
	"errors"
	"io"
	"math"
	"sync"
	"time"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

const (
	readdirCount = 256 << 10 // bytes of a directory asked for at once
	listingMax   = 1 << 15   // names of a directory that are kept
	entryOutSize = 128
)

// listing is a whole directory as it was read at one time.
type listing struct {
	at      time.Time
	entries []ninep.DirentAttr
	index   map[string]int // of a name in entries

	once   sync.Once
	own    []string // the names in that order
	sorted []string // and by the alphabet
}

// dirHandle is an open directory. The kernel's offsets are counts of entries, with "." and ".." before the others: the far side's own
// may be anything.
type dirHandle struct {
	node  *node
	list  *listing // read by another, and fresh when this was opened; the rest is not used then
	mu    sync.Mutex
	fid   *fid // open
	plain bool // lists no attributes

	base  int                // how many entries come before block
	from  uint64             // the far side's offset after block
	block []ninep.DirentAttr // read last; none is the end
	have  bool               // there is a block
	read  time.Time          // when it was asked for

	all  []ninep.DirentAttr // everything so far, if it is worth keeping
	keep bool
	at   time.Time // when the first of it was asked for
	was  uint64    // the node's changes then
}

func (r *request) opendir(n *node) error {
	h := &dirHandle{node: n}
	r.s.expectDirs(n)
	n.mu.Lock()
	reading := n.reading
	n.mu.Unlock()
	if reading != nil {
		select {
		case <-reading:
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
	n.mu.Lock()
	if n.list != nil && left(n.list.at.Add(lifetime)) > 0 {
		h.list = n.list
	}
	n.mu.Unlock()
	if n.volatile() {
		r.block()
	}
	if h.list == nil {
		if err := r.openDir(h); err != nil {
			return err
		}
	}
	fh := r.s.number(h)
	r.out.u64(fh)
	r.out.u32(0)
	r.out.u32(0)
	r.undo = func() { r.s.closeDir(fh) }
	return nil
}

func (r *request) openDir(h *dirHandle) (err error) {
	h.fid, err = r.s.reach(r.ctx, h.node, func(f p9.File) error {
		_, _, err := view(f, r.ctx).Open(p9.ReadOnly)
		return err
	})
	return err
}

func (r *request) releasedir() error {
	r.s.closeDir(r.in.u64())
	return nil
}

func (s *server) closeDir(fh uint64) {
	s.mu.Lock()
	h, ok := s.handles[fh].(*dirHandle)
	delete(s.handles, fh)
	s.mu.Unlock()
	if !ok {
		return
	}
	h.mu.Lock()
	f := h.fid
	h.fid = nil
	h.mu.Unlock()
	if f != nil {
		s.drop(f)
	}
}

// listed finds name in what was read of the directory lately, and when that was. Known and nil means that it is not there.
func (n *node) listed(name string) (e *ninep.DirentAttr, at time.Time, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.list == nil || left(n.list.at.Add(lifetime)) == 0 {
		return nil, time.Time{}, false
	}
	if i, ok := n.list.index[name]; ok {
		e = &n.list.entries[i]
	}
	return e, n.list.at, true
}

// fresh reports whether an entry that was read at some time tells the file's attributes as they are now, and with how many local changes.
func (s *server) fresh(e *ninep.DirentAttr, at time.Time) (local uint64, ok bool) {
	if !e.Valid.Mode || !e.Valid.Size || !validAttr(&e.Attr) || e.QID.Version == 0 {
		return 0, false
	}
	s.nodes.Lock()
	n := s.nodes.byPath[e.QID.Path]
	s.nodes.Unlock()
	if n == nil {
		return 0, true
	}
	if !n.writes.idle() {
		return 0, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.local, !n.changed.After(at)
}

// readdir answers with as many entries after an offset as there is room for, with their attributes if plus.
func (r *request) readdir(n *node, plus bool) error {
	fh, off, size := r.in.u64(), r.in.u64(), r.in.u32()
	s := r.s
	s.mu.Lock()
	h, ok := s.handles[fh].(*dirHandle)
	s.mu.Unlock()
	if !ok {
		return linux.EBADF
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	room := int(min(size, maxWrite))
	var entered []uint64
	r.undo = func() {
		for _, id := range entered {
			s.forget(id, 1)
		}
	}
	put := func(name string, ino, next uint64, mode p9.FileMode, e *ninep.DirentAttr, at time.Time) bool {
		need := direntSize(name)
		if plus {
			need += entryOutSize
		}
		if len(r.out)+need > room {
			return false
		}
		if plus {
			var id uint64
			var a p9.Attr
			var valid time.Duration
			if e != nil {
				if local, ok := s.fresh(e, at); ok {
					n := s.enter(h.node, name, e.QID, &e.Attr, nil)
					n.learn(e.QID, &e.Attr, local, at)
					entered = append(entered, n.id)
					id = n.id
					a, valid = n.current(&e.Attr)
				}
			}
			s.ids.putEntry(&r.out, id, ino, &a, left(at.Add(lifetime)), valid)
		}
		r.out.dirent(ino, next, direntType(mode), name)
		return true
	}
	if off == 0 {
		if !put(".", h.node.qid.Path, 1, unix.S_IFDIR, nil, time.Time{}) {
			return linux.EINVAL
		}
		off++
	}
	if off == 1 {
		if !put("..", h.node.upPath(), 2, unix.S_IFDIR, nil, time.Time{}) {
			return nil
		}
		off++
	}
	if off > math.MaxInt32 {
		return linux.EINVAL
	}
	for len(r.out) <= room/2 {
		entries, at, err := r.entries(h, int(off-2))
		if err != nil && len(r.out) == 0 {
			return err
		}
		if len(entries) == 0 || err != nil {
			return nil
		}
		for i := range entries {
			e := &entries[i]
			mode := qidMode(e.QID.Type)
			if e.Valid.Mode {
				mode = e.Attr.Mode
			}
			if validName(e.Name) && !put(e.Name, e.QID.Path, off+1, mode, e, at) {
				return nil
			}
			off++
		}
	}
	return nil
}

// upPath is the qid path of the directory that n is in, for its entry "..".
func (n *node) upPath() uint64 {
	if p := n.up(); p != nil {
		return p.qid.Path
	}
	return n.qid.Path
}

// entries gives some that come after the first i, and when they were read. None is the end. H.mu is held.
func (r *request) entries(h *dirHandle, i int) ([]ninep.DirentAttr, time.Time, error) {
	if h.list != nil {
		return h.list.entries[min(i, len(h.list.entries)):], h.list.at, nil
	}
	if i < h.base || !h.have {
		h.base, h.from, h.block, h.have = 0, 0, nil, false
		h.all, h.keep, h.at, h.was = nil, !h.node.volatile(), time.Now(), h.node.localNow()
	}
	for !h.have || i >= h.base+len(h.block) {
		if h.have && len(h.block) == 0 {
			return nil, h.read, nil
		}
		if err := r.nextBlock(h); err != nil {
			return nil, h.read, err
		}
	}
	return h.block[i-h.base:], h.read, nil
}

// nextBlock reads on.
func (r *request) nextBlock(h *dirHandle) error {
	if h.node.volatile() {
		r.block()
	}
	at := time.Now()
	block, err := r.fetchDir(h, h.from)
	if err != nil {
		return err
	}
	next := h.from
	if len(block) > 0 {
		if next = block[len(block)-1].Offset; next == h.from {
			return linux.EIO // no way forward
		}
	}
	h.base += len(h.block)
	h.block, h.from, h.have, h.read = block, next, true, at
	if len(block) == 0 {
		if h.keep {
			h.node.remember(h)
		}
		return nil
	}
	if h.keep = h.keep && len(h.all)+len(block) <= listingMax; h.keep {
		h.all = append(h.all, block...)
	} else {
		h.all = nil
	}
	return nil
}

// remember keeps what h has read, all of the directory.
func (n *node) remember(h *dirHandle) {
	l := &listing{at: h.at, entries: h.all, index: make(map[string]int, len(h.all))}
	for i := range l.entries {
		l.index[l.entries[i].Name] = i
	}
	n.mu.Lock()
	if n.local == h.was {
		n.list = l
	}
	n.mu.Unlock()
}

// fetchDir reads entries from the far side, with their attributes if it can.
func (r *request) fetchDir(h *dirHandle, off uint64) ([]ninep.DirentAttr, error) {
	f := h.fid.with(r.ctx)
	if a, ok := f.(ninep.AttrReaddirer); ok && !h.plain {
		block, err := a.ReaddirAttr(off, readdirCount)
		if !errors.Is(err, linux.ENOSYS) && !errors.Is(err, linux.EOPNOTSUPP) {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return block, err
		}
		h.plain = true
	}
	plain, err := f.Readdir(off, readdirCount)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	block := make([]ninep.DirentAttr, len(plain))
	for i, e := range plain {
		block[i].Dirent = e
	}
	return block, nil
}
