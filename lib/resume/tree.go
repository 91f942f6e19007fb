package resume

import (
	"context"
	"slices"
	"sync"

	"github.com/hugelgupf/p9/p9"
)

// A Root is a tree's root over one connection. Dead is closed once that is lost.
type Root struct {
	File p9.File
	Dead <-chan struct{}
}

// Attach gives the tree's root over a connection that is alive. It waits for one to come, until ctx is done; an error says that there will be none.
type Attach func(ctx context.Context) (Root, error)

// Tree is the tree over all its connections.
type Tree struct {
	attach Attach
	ctx    context.Context // done: nothing is waited for any more

	mu         sync.Mutex
	link       *link
	connecting chan struct{}   // closed when the attempt under way is over; nil if there is none
	files      map[*state]bool // all that are in use
}

// A link is the tree over one connection.
type link struct{ Root }

func (l *link) lost() bool {
	select {
	case <-l.Dead:
		return true
	default:
		return false
	}
}

// New makes a tree of its root, and of how to get it anew. When ctx is done nothing is waited for any more.
func New(ctx context.Context, root Root, attach Attach) *Tree {
	return &Tree{attach: attach, ctx: ctx, link: &link{root}, files: map[*state]bool{}}
}

// Root gives the tree's root. The caller closes it.
func (t *Tree) Root(ctx context.Context) (p9.File, error) {
	for {
		l, err := t.current(ctx)
		if err != nil {
			return nil, err
		}
		_, f, err := bound(l.File, ctx).Walk(nil)
		if err == nil {
			return t.file(l, f, p9.QID{Version: 1}, nil), nil
		}
		if !l.lost() {
			return nil, err
		}
	}
}

// current is a connection that is alive, as far as is known. It waits for one.
func (t *Tree) current(ctx context.Context) (*link, error) {
	for {
		t.mu.Lock()
		if l := t.link; !l.lost() {
			t.mu.Unlock()
			return l, nil
		}
		wait := t.connecting
		mine := wait == nil
		if mine {
			wait = make(chan struct{})
			t.connecting = wait
		}
		t.mu.Unlock()
		if !mine { // another's attempt may end early: then it is our turn
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		root, err := t.attach(ctx)
		t.mu.Lock()
		if err == nil {
			t.link = &link{root}
		}
		t.connecting = nil
		close(wait)
		t.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
}

// file enters a file in use: far is it over l.
func (t *Tree) file(l *link, far p9.File, q p9.QID, names []string) *file {
	s := &state{tree: t, link: l, far: far, qid: q, names: names, finding: make(chan struct{}, 1)}
	t.mu.Lock()
	t.files[s] = true
	t.mu.Unlock()
	return &file{state: s, ctx: t.ctx}
}

func (t *Tree) forget(s *state) {
	t.mu.Lock()
	delete(t.files, s)
	t.mu.Unlock()
}

// renamed has the files below a name follow it.
func (t *Tree) renamed(from, to []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for s := range t.files {
		if len(s.names) >= len(from) && slices.Equal(s.names[:len(from)], from) {
			s.names = slices.Concat(to, s.names[len(from):])
		}
	}
}

// place is where a file is now.
func (t *Tree) place(s *state) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return s.names
}
