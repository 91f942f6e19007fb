//go:build linux

package mnt

import (
	"sync"
	"time"
)

const (
	chunkSize   = 512 << 10 // bytes read ahead at once, at the most
	chunkLeast  = 64 << 10  // and at the least
	windowMax   = 4 << 20   // bytes of one open file read ahead
	aheadMax    = 32 << 20  // of all of a mount
	outOfOrder  = 512 << 10 // how far from where the last read ended one still counts as the next
	behindReads = 1 << 20   // data that far behind the reader is dropped

	windowLife = 2 * time.Second // after the last read, what was read ahead is dropped: the kernel has what it wanted of a program that runs
)

// budget bounds the memory of what is read ahead.
type budget struct {
	mu   sync.Mutex
	used int
}

func (b *budget) take(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used+n > aheadMax {
		return false
	}
	b.used += n
	return true
}

func (b *budget) give(n int) {
	b.mu.Lock()
	b.used -= n
	b.mu.Unlock()
}

// window is what is known of an open file's content besides what the kernel knows: what came with the open, and what was read ahead of a
// reader that goes from the start to the end. What it holds is of the file as it was at since; once the file has changed it is dropped.
type window struct {
	mu     sync.Mutex
	since  stamp
	chunks []*chunk
	next   int64 // where a reader that goes on would read
	run    int64 // bytes read so far in that manner
	timer  *time.Timer
}

// chunk is a piece of a file, there or on its way.
type chunk struct {
	off  int64
	buf  []byte // as much as was asked for
	n    int    // as much as there is; less than asked for is the end of the file. After done
	err  error  // likewise
	done chan struct{}
	refs int              // the window, the fetch, and answers being written; under window.mu
	took int              // bytes of the budget
	own  *[chunkSize]byte // that buf is, if it is one to be used again
}

func (c *chunk) covers(off int64) bool { return off >= c.off && off < c.off+int64(len(c.buf)) }

// first puts what came with the open.
func (w *window) first(c *chunk) {
	c.refs = 1
	w.chunks = []*chunk{c}
}

// drop forgets everything.
func (s *server) dropWindow(w *window) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	s.dropChunks(w, func(*chunk) bool { return true })
	w.run = 0
}

// linger has the window forget what it holds when nobody has read for a while. W.mu is held.
func (s *server) linger(w *window) {
	if w.timer != nil {
		w.timer.Reset(windowLife)
	} else if len(w.chunks) > 0 {
		w.timer = time.AfterFunc(windowLife, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			s.dropChunks(w, func(*chunk) bool { return true })
		})
	}
}

// dropChunks forgets some. W.mu is held, likewise in unref.
func (s *server) dropChunks(w *window, which func(*chunk) bool) {
	keep := w.chunks[:0]
	for _, c := range w.chunks {
		if which(c) {
			s.unref(c)
		} else {
			keep = append(keep, c)
		}
	}
	clear(w.chunks[len(keep):])
	w.chunks = keep
}

func (s *server) unref(c *chunk) {
	c.refs--
	if c.refs > 0 {
		return
	}
	s.ahead.give(c.took)
	if c.own != nil {
		chunks.Put(c.own)
	}
}

func (w *window) find(off int64) *chunk {
	for _, c := range w.chunks {
		if c.covers(off) {
			return c
		}
	}
	return nil
}

// readAhead answers a read from the window, or if it does not have the data, from the far side.
func (r *request) readAhead(h *handle, off int64, size int) error {
	s, w, n := r.s, &h.window, h.node
	w.mu.Lock()
	held := len(w.chunks) > 0
	w.mu.Unlock()
	if held {
		if _, _, err := s.attributes(r, n, h); err != nil {
			return err
		}
	}
	n.mu.Lock()
	now, length := n.stampLocked(), n.attr.Size
	n.mu.Unlock()

	w.mu.Lock()
	if w.since != now {
		s.dropChunks(w, func(*chunk) bool { return true })
		w.since = now
	}
	s.sequential(h, off, size, length)
	s.linger(w)
	var used []*chunk
	r.done = func() {
		w.mu.Lock()
		for _, c := range used {
			s.unref(c)
		}
		w.mu.Unlock()
	}
	for size > 0 {
		c := w.find(off)
		if c == nil {
			break
		}
		c.refs++
		used = append(used, c)
		w.mu.Unlock()
		select {
		case <-c.done:
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
		w.mu.Lock()
		have := c.off + int64(c.n) - off
		if c.err != nil || have <= 0 {
			// What is not there any more, or was not there yet, is asked for anew.
			s.dropChunks(w, func(d *chunk) bool { return d == c })
			break
		}
		p := c.buf[off-c.off:][:min(have, int64(size))]
		s.stats.Hits.Add(1)
		r.data = append(r.data, p)
		off, size = off+int64(len(p)), size-len(p)
		if size > 0 && c.n < len(c.buf) {
			w.mu.Unlock()
			return nil // the end of the file
		}
	}
	w.mu.Unlock()
	if size == 0 {
		return nil
	}
	buf := make([]byte, size)
	k, err := readAt(h.fid.with(r.ctx), buf, off)
	if err != nil {
		return err
	}
	r.data = append(r.data, buf[:k])
	return nil
}

// sequential notes a read and sends for what comes after it, if the file is read from one end to the other. W.mu is held.
func (s *server) sequential(h *handle, off int64, size int, length uint64) {
	w := &h.window
	end := off + int64(size)
	if d, most := off-w.next, min(w.run, outOfOrder); d < -most || d > most {
		w.run, w.next = 0, end
		return
	}
	w.run += int64(size)
	w.next = max(w.next, end)
	s.dropChunks(w, func(c *chunk) bool { return c.off+int64(len(c.buf)) < w.next-behindReads })
	until := min(w.next+min(2*w.run, windowMax), int64(min(length, 1<<62)))
	from := w.next
	for _, c := range w.chunks {
		from = max(from, c.off+int64(len(c.buf)))
	}
	// Little at first: a program that is started has a few pages of its libraries read, with their beginnings first.
	unit := min(max(w.run, chunkLeast), chunkSize)
	for from < until && s.ahead.take(int(unit)) {
		c := &chunk{off: from, took: int(unit), refs: 2, done: make(chan struct{})}
		if unit == chunkSize {
			c.own = chunks.Get().(*[chunkSize]byte)
			c.buf = c.own[:]
		} else {
			c.buf = make([]byte, unit)
		}
		w.chunks = append(w.chunks, c)
		from += unit
		s.keep(h.fid)
		s.working.Add(1)
		go s.fetch(h, c)
	}
}

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

func (s *server) fetch(h *handle, c *chunk) {
	defer s.working.Done()
	c.n, c.err = readAt(h.fid.with(s.ctx), c.buf, c.off)
	close(c.done)
	s.drop(h.fid)
	h.window.mu.Lock()
	s.unref(c)
	h.window.mu.Unlock()
}
