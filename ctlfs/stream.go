package ctlfs

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// stream is an open file without offsets, but for those that are turns: what is read is gone, what is written goes on.
type stream struct {
	in     func(ctx context.Context, p []byte) (int, error) // nil: not for reading
	out    func(ctx context.Context, p []byte) (int, error) // nil: not for writing
	closed func(lost bool)                                  // nil: nothing to do. Lost is that it was its connection that ended
	lost   atomic.Bool

	reads, writes turns
}

func (s *stream) read(ctx context.Context, p []byte, offset int64) (int, error) {
	if s.in == nil {
		return 0, linux.EBADF
	}
	return s.reads.do(ctx, offset, func() (int, error) { return s.in(ctx, p) })
}

func (s *stream) write(ctx context.Context, p []byte, offset int64) (int, error) {
	if s.out == nil {
		return 0, linux.EBADF
	}
	return s.writes.do(ctx, offset, func() (int, error) { return s.out(ctx, p) })
}

func (s *stream) close() {
	if s.closed != nil {
		s.closed(s.lost.Load())
	}
}

// abandon says that close is to come because the connection has ended.
func (s *stream) abandon() { s.lost.Store(true) }

// openStdin: the input ends when the last file that was opened for it is closed.
func openStdin(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	s := f.node().session
	s.OpenStdin()
	return &stream{out: s.WriteStdin, closed: func(lost bool) { s.CloseStdin(lost) }}, nil
}

func openStdout(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	return &stream{in: f.node().session.ReadStdout}, nil
}

func openStderr(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	return &stream{in: f.node().session.ReadStderr}, nil
}

func openCons(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	s := f.node().session
	return &stream{in: s.ReadCons, out: s.WriteCons}, nil
}

// openConsctl: what cons(3) calls rawon and rawoff is the command's own business here.
func openConsctl(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	s := f.node().session
	return &text{written: commands(func(ctx context.Context, words []string) error {
		if words[0] != "winsize" && words[0] != "break" {
			return s.Fail(invalid("consctl: %s: unknown command", words[0]))
		}
		return s.Ctl(ctx, words)
	}, s.Fail)}, nil
}

func openStatus(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	st := f.node().session.Status()
	return &text{content: st.String() + " " + string(st.State) + "\n"}, nil
}

func openWait(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	return &waiter{session: f.node().session}, nil
}

// waiter reads as the status line, once there is one.
type waiter struct {
	session Session
	mu      sync.Mutex
	line    string // once it is known
}

func (w *waiter) read(ctx context.Context, p []byte, offset int64) (int, error) {
	w.mu.Lock()
	line := w.line
	w.mu.Unlock()
	if line == "" {
		st, err := w.session.Wait(ctx)
		if err != nil {
			return 0, err
		}
		line = st.String() + "\n"
		w.mu.Lock()
		w.line = line
		w.mu.Unlock()
	}
	if offset < 0 || offset >= int64(len(line)) {
		return 0, io.EOF
	}
	return copy(p, line[offset:]), nil
}

func (w *waiter) write(context.Context, []byte, int64) (int, error) { return 0, linux.EBADF }

func (w *waiter) close() {}
