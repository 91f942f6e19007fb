//go:build linux

package mnt

import (
	"context"
	"io"
	"sync"

	"github.com/hugelgupf/p9/linux"
)

const (
	smallWrites = 8        // of one file, sent and not yet answered; beyond, small ones gather
	largeWrites = 64       // those of largeWrite bytes and more do not
	largeWrite  = 32 << 10 // bytes
	writesHeld  = 4 << 20  // bytes of one file, sent or to be sent; beyond, a writer waits
	allHeld     = 64 << 20 // of all of a mount
)

// writes are the data of one file that a process has written and the far side has not yet acknowledged. A write is answered to the
// process at once and sent at once as long as few are under way; then those that adjoin gather until one is answered. No two under way
// overlap, so that their order is kept.
type writes struct {
	mu     sync.Mutex
	queue  []*extent
	flight []*extent
	held   int
}

// extent is data on its way to the far side.
type extent struct {
	h    *handle
	off  int64
	data []byte
	buf  *[messageCap]byte // that data lies in, if it is to be recycled
	done chan struct{}
}

func (e *extent) end() int64 { return e.off + int64(len(e.data)) }

func (e *extent) overlaps(f *extent) bool { return e.off < f.end() && f.off < e.end() }

// later has data written at off in h, soon. It takes r's buffer over or copies the data. An error is that of an earlier write.
func (s *server) later(r *request, h *handle, off int64, data []byte) error {
	w := &h.node.writes
	w.mu.Lock()
	for w.held > 0 && (w.held+len(data) > writesHeld || r.s.held.Load() > allHeld) {
		first := w.oldest()
		w.mu.Unlock()
		select {
		case <-first.done:
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
		w.mu.Lock()
	}
	defer w.mu.Unlock()
	if h.failed != nil {
		return h.failed
	}
	w.held += len(data)
	s.held.Add(int64(len(data)))
	if k := len(w.queue); k > 0 {
		if last := w.queue[k-1]; last.h == h && last.buf == nil && last.end() == off && len(last.data)+len(data) <= maxWrite {
			last.data = append(last.data, data...)
			return nil
		}
	}
	e := &extent{h: h, off: off, data: data, done: make(chan struct{})}
	if r.buf != nil {
		e.buf, r.buf = r.buf, nil
	} // else data lies in a buffer of its own, which is r's and not used again
	w.queue = append(w.queue, e)
	s.send(w)
	return nil
}

func (w *writes) oldest() *extent {
	if len(w.flight) > 0 {
		return w.flight[0]
	}
	return w.queue[0]
}

// send starts what may be under way now. W.mu is held.
func (s *server) send(w *writes) {
	for len(w.queue) > 0 {
		e := w.queue[0]
		if k := len(w.flight); k >= largeWrites || k >= smallWrites && len(e.data) < largeWrite {
			return
		}
		for _, f := range w.flight {
			if e.overlaps(f) {
				return
			}
		}
		w.queue = w.queue[1:]
		w.flight = append(w.flight, e)
		s.working.Add(1)
		go s.carry(w, e)
	}
}

// carry writes one extent.
func (s *server) carry(w *writes, e *extent) {
	defer s.working.Done()
	err := e.h.writeAll(s.ctx, e.data, e.off)
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, f := range w.flight {
		if f == e {
			w.flight = append(w.flight[:i], w.flight[i+1:]...)
			break
		}
	}
	w.held -= len(e.data)
	s.held.Add(-int64(len(e.data)))
	if err != nil && e.h.failed == nil {
		e.h.failed = err
	}
	recycle(e.buf)
	close(e.done)
	s.send(w)
}

// writeAll writes all of data.
func (h *handle) writeAll(ctx context.Context, data []byte, off int64) error {
	f := h.fid.with(ctx)
	for len(data) > 0 {
		n, err := f.WriteAt(data, off)
		if err != nil {
			return err
		}
		if n <= 0 || n > len(data) {
			return linux.EIO
		}
		data, off = data[n:], off+int64(n)
	}
	return nil
}

// settle waits until all that was written to n before is at the far side.
func (n *node) settle(ctx context.Context) error {
	w := &n.writes
	w.mu.Lock()
	if w.held == 0 {
		w.mu.Unlock()
		return nil
	}
	wait := append(append([]*extent(nil), w.flight...), w.queue...)
	w.mu.Unlock()
	for _, e := range wait {
		select {
		case <-e.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	n.touch()
	return nil
}

// settle waits for what was written to h's file and tells whether a write of h failed.
func (h *handle) settle(ctx context.Context) error {
	if err := h.node.settle(ctx); err != nil {
		return err
	}
	w := &h.node.writes
	w.mu.Lock()
	defer w.mu.Unlock()
	return h.failed
}

const writeCache = 1 << 0 // the kernel writes pages of its own, of a mapped file

func (r *request) write() error {
	h, err := r.file(r.in.u64())
	if err != nil {
		return err
	}
	off, size, flags := int64(r.in.u64()), r.in.u32(), r.in.u32()
	r.in.skip(16)
	data := r.in.b
	if r.in.short || int(size) > len(data) || off < 0 {
		return linux.EINVAL
	}
	data = data[:size]
	n := len(data)
	switch {
	case h.node.volatile():
		r.block()
		if n > h.unit {
			data = data[:h.unit]
		}
		if n, err = h.fid.with(r.ctx).WriteAt(data, off); err != nil && (n == 0 || err != io.EOF) {
			return err
		}
		if n < 0 || n > len(data) {
			return linux.EIO
		}
	case h.appends || flags&writeCache != 0:
		if err := h.node.settle(r.ctx); err != nil {
			return err
		}
		h.node.touch()
		if err := h.writeAll(r.ctx, data, off); err != nil {
			return err
		}
		h.node.touch()
	default:
		if err := r.s.later(r, h, off, data); err != nil {
			return err
		}
		h.node.touch()
	}
	r.out.u32(uint32(n))
	r.out.u32(0)
	return nil
}

func (r *request) flush() error {
	h, err := r.file(r.in.u64())
	if err != nil {
		return err
	}
	r.in.skip(8)
	owner := r.in.u64()
	err = h.settle(r.ctx)
	r.unlock(h, owner)
	return err
}

func (r *request) fsync() error {
	h, err := r.file(r.in.u64())
	if err != nil {
		return err
	}
	if err := h.settle(r.ctx); err != nil {
		return err
	}
	return h.fid.with(r.ctx).FSync()
}

// fsyncdir has nothing to do: a directory's changes are at the far side when their requests are answered.
func (r *request) fsyncdir() error { return nil }

// idle reports whether everything written is at the far side.
func (w *writes) idle() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held == 0
}
