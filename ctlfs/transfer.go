package ctlfs

import (
	"context"
	"errors"
	"io"
	"sync"
)

const (
	// window is how many reads or writes of a stream are under way together, at the most.
	window = 16

	// chunk is how many bytes each of them moves, and firstChunk how many a read that waits alone does: one that blocks holds so
	// much memory of the server's.
	chunk      = 64 << 10
	firstChunk = 2 << 10
)

// A part is one read or write on its way.
type part struct {
	buf  []byte
	n    int
	err  error
	done chan struct{}
}

// A transfer is the parts of a stream that are under way, the first to be answered first. It gives each its turn.
type transfer struct {
	s     *Stream
	ctx   context.Context
	turn  *int64
	parts []*part
	wg    sync.WaitGroup
}

// start begins a part: op is view's ReadAt or WriteAt.
func (t *transfer) start(buf []byte, op func(ctx context.Context, p []byte, offset int64) (int, error)) {
	p := &part{buf: buf, done: make(chan struct{})}
	offset := firstTurn + *t.turn
	*t.turn++
	t.parts = append(t.parts, p)
	t.wg.Go(func() {
		p.n, p.err = op(t.ctx, p.buf, offset)
		close(p.done)
	})
}

// first waits for the first part and takes it off.
func (t *transfer) first() *part {
	p := t.parts[0]
	<-p.done
	t.parts = t.parts[1:]
	return p
}

// ready says whether the first part has been answered.
func (t *transfer) ready() bool {
	if len(t.parts) == 0 {
		return false
	}
	select {
	case <-t.parts[0].done:
		return true
	default:
		return false
	}
}

// WriteTo copies what is read to w until the stream's end. While there is more to be had than one read brings it keeps several under way,
// so that a distant server is read as fast as a near one. It is not to be called beside Read or a second time at once.
func (s *Stream) WriteTo(w io.Writer) (int64, error) {
	ctx, cancel := context.WithCancel(s.ctx)
	t := &transfer{s: s, ctx: ctx, turn: &s.reads}
	defer t.wg.Wait()
	defer cancel()
	read := func(ctx context.Context, p []byte, offset int64) (int, error) {
		return view(ctx, s.f).ReadAt(p, offset)
	}
	var spare [][]byte // of chunk bytes
	total, wanted := int64(0), 1
	for {
		for len(t.parts) < wanted {
			var buf []byte
			switch {
			case wanted == 1:
				buf = make([]byte, firstChunk)
			case len(spare) > 0:
				buf, spare = spare[len(spare)-1], spare[:len(spare)-1]
			default:
				buf = make([]byte, chunk)
			}
			t.start(buf, read)
		}
		p := t.first()
		n, err := w.Write(p.buf[:p.n])
		total += int64(n)
		switch {
		case err != nil:
			return total, err
		case errors.Is(p.err, io.EOF), p.err == nil && p.n == 0:
			return total, nil
		case p.err != nil:
			return total, p.err
		case p.n == len(p.buf), t.ready():
			wanted = min(2*wanted, window)
		default:
			wanted = max(wanted/2, 1)
		}
		if len(p.buf) == chunk {
			spare = append(spare, p.buf)
		}
	}
}

// ReadFrom copies from r until its end, and returns when the command has taken all of it. It keeps several writes under way. It is not to
// be called beside Write or a second time at once.
func (s *Stream) ReadFrom(r io.Reader) (int64, error) {
	ctx, cancel := context.WithCancel(s.ctx)
	t := &transfer{s: s, ctx: ctx, turn: &s.writes}
	defer t.wg.Wait()
	defer cancel()
	write := func(ctx context.Context, p []byte, offset int64) (int, error) {
		return view(ctx, s.f).WriteAt(p, offset)
	}
	total := int64(0)
	// settle takes the first part off.
	settle := func() ([]byte, error) {
		p := t.first()
		total += int64(p.n)
		if p.err == nil && p.n < len(p.buf) {
			p.err = io.ErrShortWrite
		}
		return p.buf[:cap(p.buf)], p.err
	}
	var buf []byte
	for {
		if buf == nil {
			buf = make([]byte, chunk)
		}
		n, readErr := r.Read(buf)
		if n > 0 {
			t.start(buf[:n], write)
			buf = nil
		}
		for len(t.parts) > 0 && (readErr != nil || len(t.parts) == window || t.ready()) {
			var err error
			if buf, err = settle(); err != nil {
				return total, err
			}
		}
		if readErr == io.EOF {
			return total, nil
		}
		if readErr != nil {
			return total, readErr
		}
	}
}
