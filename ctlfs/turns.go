package ctlfs

import (
	"context"
	"sync"

	"github.com/hugelgupf/p9/linux"
)

// A client that wants several reads, or writes, of a stream under way together has to say in which order they are meant, for requests of
// one fid may be served in any. It says so by their offsets, which mean nothing else: the first on a fid has the offset firstTurn, each
// further one that of the last plus one. At other offsets a request is served as it comes.
const firstTurn = int64(1) << 62

// maxTurns is how far a turn may be ahead of the one that is due.
const maxTurns = 1024

// turns puts the requests of one direction of an open file in order.
type turns struct {
	mu      sync.Mutex
	due     int64
	running bool                    // the turn that is due has been taken
	waiting map[int64]chan struct{} // by turn; closed when it is due, or never will be
	err     error                   // why no further turn will be due
}

// do does op when it is its turn. When a turn fails all later ones do, with the same error, for there would be a gap. A turn that has
// been taken, or is too far ahead, is EINVAL.
func (t *turns) do(ctx context.Context, offset int64, op func() (int, error)) (int, error) {
	if offset < firstTurn {
		return op()
	}
	if err := t.take(ctx, offset-firstTurn); err != nil {
		return 0, err
	}
	n, err := op()
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.fail(err)
		return n, err
	}
	t.due++
	next := t.waiting[t.due]
	if t.running = next != nil; t.running {
		delete(t.waiting, t.due)
		close(next)
	}
	return n, nil
}

// take waits for the turn to be due, and takes it.
func (t *turns) take(ctx context.Context, turn int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.err != nil:
		return t.err
	case turn == t.due && !t.running:
		t.running = true
		return nil
	case turn <= t.due || turn > t.due+maxTurns || t.waiting[turn] != nil:
		return linux.EINVAL
	}
	ready := make(chan struct{})
	if t.waiting == nil {
		t.waiting = map[int64]chan struct{}{}
	}
	t.waiting[turn] = ready
	t.mu.Unlock()
	var err error
	select {
	case <-ready:
	case <-ctx.Done():
		err = ctx.Err()
	}
	t.mu.Lock()
	if err != nil {
		t.fail(err)
	}
	return t.err
}

// fail ends the turns, and the wait for them. It is called with mu held.
func (t *turns) fail(err error) {
	if t.err != nil {
		return
	}
	t.err = err
	for _, ready := range t.waiting {
		close(ready)
	}
	t.waiting = nil
}
