//go:build linux

package session

import (
	"context"
	"io"
	"sync"
)

// defaultSpool is how many bytes of each output of a kept session wait for a reader, unless `keep` says otherwise; maxSpool is the most that it
// may say.
const (
	defaultSpool = 16 << 20
	maxSpool     = 1 << 30
)

// A spool keeps an output of a session that may have no reader for a while. When it is full the command waits, or the oldest goes.
type spool struct {
	from *stream

	mu      sync.Mutex
	max     int
	oldest  bool
	data    []byte // from start on
	start   int
	over    bool          // nothing more is coming
	changed chan struct{} // closed, and made anew, at each change
}

func newSpool(from *stream, max int, oldest bool) *spool {
	return &spool{from: from, max: max, oldest: oldest, changed: make(chan struct{})}
}

// limit changes what the spool may hold.
func (p *spool) limit(max int, oldest bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.max, p.oldest = max, oldest
	p.change()
}

// change wakes all who wait. It is called with mu held.
func (p *spool) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// fill takes what the command writes until it has ended, or ctx is done.
func (p *spool) fill(ctx context.Context) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.over = true
		p.change()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := p.from.read(ctx, buf)
		if err != nil || !p.put(ctx, buf[:n]) {
			return
		}
	}
}

// put adds to the spool. It waits for room.
func (p *spool) put(ctx context.Context, b []byte) bool {
	for len(b) > 0 {
		p.mu.Lock()
		room := p.max - (len(p.data) - p.start)
		n := min(len(b), max(room, 0))
		if p.oldest && n < len(b) {
			drop := min(len(b)-n, len(p.data)-p.start)
			p.start += drop
			n += drop
			b = b[len(b)-min(len(b), p.max):]
			n = min(n, len(b))
		}
		if n > 0 {
			if p.start > len(p.data)/2 {
				p.data = append(p.data[:0], p.data[p.start:]...)
				p.start = 0
			}
			p.data = append(p.data, b[:n]...)
			b = b[n:]
			p.change()
		}
		changed := p.changed
		p.mu.Unlock()
		if n > 0 || len(b) == 0 {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// read reads what there is, or waits for it.
func (p *spool) read(ctx context.Context, b []byte) (int, error) {
	for {
		p.mu.Lock()
		if n := copy(b, p.data[p.start:]); n > 0 || len(b) == 0 {
			p.start += n
			if p.start == len(p.data) {
				p.data, p.start = p.data[:0], 0
				if cap(p.data) > 1<<20 {
					p.data = nil
				}
			}
			p.change()
			p.mu.Unlock()
			return n, nil
		}
		over, changed := p.over, p.changed
		p.mu.Unlock()
		if over {
			return 0, io.EOF
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// spoolFor is what an output is read through: its spool, if the session is or was kept, else the stream itself.
func (s *Session) spoolFor(st *stream) func(context.Context, []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.spools[st]; p != nil {
		return p.read
	}
	return st.read
}

// spoolOutputs begins to keep what the command writes. The session's mu is held.
func (s *Session) spoolOutputs() {
	for _, st := range []*stream{s.stdout, s.stderr} {
		if st == nil {
			continue
		}
		if p := s.spools[st]; p != nil {
			p.limit(s.keepMax, s.keepOldest)
			continue
		}
		p := newSpool(st, s.keepMax, s.keepOldest)
		s.spools[st] = p
		s.work.Go(func() { p.fill(s.ctx) })
	}
}
