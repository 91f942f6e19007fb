//go:build linux

package session

import (
	"context"
	"fmt"
	"sync"

	"cpu/ctlfs"
)

// maxEvents is how many lines wait for a slow reader of events; it misses those that come after.
const maxEvents = 256

// events hands each line to everyone who listens.
type events struct {
	mu        sync.Mutex
	listeners map[chan string]ctlfs.User
}

// event says what has become of a session.
func (t *Table) event(s *Session, what string) {
	line := fmt.Sprintf("%d %s %s", s.number, s.owner.Name, what)
	about := []any{"number", s.number, "user", s.owner.Name, "event", what}
	if s.owner.From != "" {
		about = append(about, "from", s.owner.From, "key", s.owner.Key)
	}
	t.log.Info("session", about...)
	t.events.mu.Lock()
	defer t.events.mu.Unlock()
	for l, u := range t.events.listeners {
		if !sees(u, s) {
			continue
		}
		select {
		case l <- line:
		default:
		}
	}
}

// Events begins to listen to what becomes of the sessions that u may see: next waits for a line, `number user what`, where what is started, ended, kept or dropped. Stop ends it.
func (t *Table) Events(u ctlfs.User) (next func(context.Context) (string, error), stop func()) {
	l := make(chan string, maxEvents)
	t.events.mu.Lock()
	defer t.events.mu.Unlock()
	if t.events.listeners == nil {
		t.events.listeners = map[chan string]ctlfs.User{}
	}
	t.events.listeners[l] = u
	next = func(ctx context.Context) (string, error) {
		select {
		case line := <-l:
			return line, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	stop = func() {
		t.events.mu.Lock()
		defer t.events.mu.Unlock()
		delete(t.events.listeners, l)
	}
	return next, stop
}
