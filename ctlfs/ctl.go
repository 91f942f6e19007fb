package ctlfs

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

func openClone(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	n := f.node()
	s, err := n.tree.host.New(n.tree.user)
	if err != nil {
		return nil, err
	}
	h := ctlHandle(s)
	h.content = fmt.Sprintf("%d\n", s.Number())
	f.become(node{n.tree, sessionCtl, s})
	return h, nil
}

func openCtl(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	s := f.node().session
	h := ctlHandle(s)
	h.content = fmt.Sprintf("%d %s %s\n", s.Number(), s.Owner().Name, s.State())
	return h, nil
}

// ctlHandle holds s until it is closed.
func ctlHandle(s Session) *text {
	s.Hold()
	return &text{written: commands(s.Ctl, s.Fail), closed: s.Release}
}

func openHostCtl(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	t := f.node().tree
	return &text{content: lines(t.host.Info()), written: commands(func(_ context.Context, words []string) error {
		return t.host.Ctl(t.user, words)
	}, func(err error) error { return err })}, nil
}

func openStats(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	return &text{content: lines(f.node().tree.host.Stats())}, nil
}

func openSessionStats(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	return &text{content: lines(f.node().session.Stats())}, nil
}

// openEvents begins to listen before it returns, so that nothing is missed between the open and the first read.
func openEvents(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	next, stop := f.node().tree.host.Events(f.node().tree.user)
	return &eventReader{next: next, stop: stop}, nil
}

// eventReader reads as the lines of events, and waits for the next one where there is none.
type eventReader struct {
	next func(context.Context) (string, error)
	stop func()
	mu   sync.Mutex
	rest string // of a line that did not fit
}

func (e *eventReader) read(ctx context.Context, p []byte, _ int64) (int, error) {
	e.mu.Lock()
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	e.mu.Unlock()
	if n > 0 || len(p) == 0 {
		return n, nil
	}
	line, err := e.next(ctx)
	if err != nil {
		return 0, err
	}
	line += "\n"
	n = copy(p, line)
	e.mu.Lock()
	e.rest += line[n:]
	e.mu.Unlock()
	return n, nil
}

func (e *eventReader) write(context.Context, []byte, int64) (int, error) { return 0, linux.EBADF }

func (e *eventReader) close() { e.stop() }

func openErrstr(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	return &text{content: ended(f.node().session.Err())}, nil
}

func openNote(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	return noteHandle(f.node().session, false), nil
}

func openNotepg(_ context.Context, f *file, _ p9.OpenFlags) (handle, error) {
	return noteHandle(f.node().session, true), nil
}

// notes are the notes that every session understands; besides them a system takes the names of its own signals.
const notes = "interrupt\nhangup\nkill\nalarm\nterm\nquit\nusr1\nusr2\nstop\ncont\n"

func noteHandle(s Session, group bool) handle {
	return &text{content: notes, written: func(_ context.Context, p []byte, _ int64) error {
		return s.Note(strings.TrimSpace(string(p)), group)
	}}
}
