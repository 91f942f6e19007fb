//go:build linux

package session

import (
	"context"
	"fmt"
	"sync"
)

// maxEvents is how many lines wait for a slow reader of events; it misses those that come after.
const maxEvents = 256

// events hands each line to everyone who listens.
type events struct {
	mu        sync.Mutex
	listeners map[chan string]bool
}

// event says what has become of a session.
func (t *Table) event(s *Session, what string) {
	line := fmt.Sprintf("%d %s %s", s.number, s.owner.Name, what)
	t.log.Info("session", "number", s.number, "user", s.owner.Name, "event", what)
	t.events.mu.Lock()
	defer t.events.mu.Unlock()
	for l := range t.events.listeners {
		select {
		case l <- line:
		default:
		}
	}
}

// Events begins to listen: next waits for a line, `number user what`, where what is started, ended, kept or dropped. Stop ends it.
func (t *Table) Events(ctx context.Context) (next func(context.Context) (string, error), stop func()) {
	l := make(chan string, maxEvents)
	t.events.mu.Lock()
	defer t.events.mu.Unlock()
	if t.events.listeners == nil {
		t.events.listeners = map[chan string]bool{}
	}
	t.events.listeners[l] = true
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
