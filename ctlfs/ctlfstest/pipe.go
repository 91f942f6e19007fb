package ctlfstest

import (
	"context"
	"io"
	"sync"

	"github.com/hugelgupf/p9/linux"
)

// pipeSize is how many bytes wait in a pipe before its writer does.
const pipeSize = 64 << 10

// A pipe is a bounded buffer whose ends wait no longer than their contexts.
type pipe struct {
	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, at each change
	buf     []byte
	eof     bool // nothing more is written
	broken  bool // nothing more is read
}

func newPipe() *pipe { return &pipe{changed: make(chan struct{})} }

// wake says that there is a change. It is called with mu held.
func (p *pipe) wake() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pipe) set(flag *bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*flag = true
	p.wake()
}

// wait lets go of mu until something has changed.
func (p *pipe) wait(ctx context.Context) error {
	changed := p.changed
	p.mu.Unlock()
	defer p.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pipe) read(ctx context.Context, b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf) == 0 {
		if p.eof || p.broken {
			return 0, io.EOF
		}
		if err := p.wait(ctx); err != nil {
			return 0, err
		}
	}
	n := copy(b, p.buf)
	p.buf = p.buf[n:]
	p.wake()
	return n, nil
}

func (p *pipe) write(ctx context.Context, b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := 0
	for done < len(b) {
		switch room := pipeSize - len(p.buf); {
		case p.broken || p.eof:
			return done, linux.EPIPE
		case room > 0:
			n := min(room, len(b)-done)
			p.buf = append(p.buf, b[done:done+n]...)
			done += n
			p.wake()
		default:
			if err := p.wait(ctx); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// An end is an end of a pipe for a program.
type end struct {
	ctx context.Context
	p   *pipe
}

func (e end) Read(b []byte) (int, error)  { return e.p.read(e.ctx, b) }
func (e end) Write(b []byte) (int, error) { return e.p.write(e.ctx, b) }
