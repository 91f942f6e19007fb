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
	dotOffset    = math.MaxInt64 - 1
	dotdotOffset = math.MaxInt64
	entryOutSize = 128
)

// listing is a whole directory as it was read at one time.
type listing struct {
	at      time.Time
	entries []ninep.DirentAttr
	byName  map[string]*ninep.DirentAttr
}

// dirHandle is an open directory.
type dirHandle struct {
	node  *node
	mu    sync.Mutex
	fid   *fid               // open; nil until it is needed
	from  uint64             // offset that block was asked for with
	have  bool               // block holds something; an empty block is the end
	block []ninep.DirentAttr // read last
	all   []ninep.DirentAttr // everything since the start, as long as that is contiguous and short enough
	next  uint64             // offset where all goes on
	keep  bool               // all is worth keeping
	at    time.Time          // when the first of all was asked for
	read  time.Time          // when block was
	was   uint64             // the node's changes then
	plain bool               // the file lists no attributes
	list  *listing           // read by another, and fresh when this was opened
}

func (r *request) opendir(n *node) error {
	h := &dirHandle{node: n}
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
	return n.list.byName[name], n.list.at, true
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
		if !put(".", h.node.qid.Path, dotOffset, unix.S_IFDIR, nil, time.Time{}) {
			return linux.EINVAL
		}
		off = dotOffset
	}
	if off == dotOffset {
		if !put("..", h.node.upPath(), dotdotOffset, unix.S_IFDIR, nil, time.Time{}) {
			return nil
		}
		off = dotdotOffset
	}
	if off == dotdotOffset {
		off = 0
	}
	for {
		entries, at, err := r.entries(h, off)
		if err != nil && len(r.out) == 0 {
			return err
		}
		if len(entries) == 0 || err != nil {
			return nil
		}
		for i := range entries {
			e := &entries[i]
			if e.Offset == off {
				return linux.EIO // no way forward
			}
			off = e.Offset
			if !validName(e.Name) || off >= dotOffset {
				continue
			}
			mode := qidMode(e.QID.Type)
			if e.Valid.Mode {
				mode = e.Attr.Mode
			}
			if !put(e.Name, e.QID.Path, off, mode, e, at) {
				return nil
			}
		}
		if len(r.out) > room/2 {
			return nil // enough for now
		}
	}
}

// upPath is the qid path of the directory that n is in, for its entry "..".
func (n *node) upPath() uint64 {
	if p := n.up(); p != nil {
		return p.qid.Path
	}
	return n.qid.Path
}

// entries gives some that come after the offset off, and when they were read. None is the end. H.mu is held.
func (r *request) entries(h *dirHandle, off uint64) ([]ninep.DirentAttr, time.Time, error) {
	if h.list != nil {
		if rest, ok := after(h.list.entries, 0, off); ok {
			return rest, h.list.at, nil
		}
		h.list = nil
	}
	if h.have {
		if rest, ok := after(h.block, h.from, off); ok && (len(rest) > 0 || len(h.block) == 0) {
			return rest, h.read, nil
		}
	}
	if h.fid == nil {
		if err := r.openDir(h); err != nil {
			return nil, time.Time{}, err
		}
	}
	if h.node.volatile() {
		r.block()
	}
	at := time.Now()
	if off == 0 {
		h.all, h.next, h.keep, h.at, h.was = nil, 0, !h.node.volatile(), at, h.node.localNow()
	}
	block, err := r.fetchDir(h, off)
	if err != nil {
		return nil, time.Time{}, err
	}
	h.from, h.have, h.block, h.read = off, true, block, at
	if h.keep = h.keep && off == h.next && len(h.all)+len(block) <= listingMax; !h.keep {
		h.all = nil
	} else if len(block) > 0 {
		h.all, h.next = append(h.all, block...), block[len(block)-1].Offset
	} else {
		h.node.remember(h)
	}
	return block, at, nil
}

// remember keeps what h has read, all of the directory.
func (n *node) remember(h *dirHandle) {
	l := &listing{at: h.at, entries: h.all, byName: make(map[string]*ninep.DirentAttr, len(h.all))}
	for i := range l.entries {
		l.byName[l.entries[i].Name] = &l.entries[i]
	}
	n.mu.Lock()
	if n.local == h.was {
		n.list = l
	}
	n.mu.Unlock()
}

// after gives the entries that follow the offset off, in a block that was read from the offset from.
func after(block []ninep.DirentAttr, from, off uint64) ([]ninep.DirentAttr, bool) {
	if off == from {
		return block, true
	}
	for i := range block {
		if block[i].Offset == off {
			return block[i+1:], true
		}
	}
	return nil, false
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
