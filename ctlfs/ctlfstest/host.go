// Package ctlfstest is a ctlfs.Host for tests, whose commands are Go functions: it starts no process. Tests of the control tree and of its
// clients call it.
package ctlfstest

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"
	"sync"

	"cpu/ctlfs"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
)

// A Process is a command, as the function that is one sees it.
type Process struct {
	Args   []string
	Env    []string
	Stdin  io.Reader // with a terminal what is typed, and Stdout what it shows
	Stdout io.Writer
	Stderr io.Writer
	Notes  <-chan string // those sent; a note that nobody takes is lost
}

// A Program is what runs in place of a command. It returns how it ended: "", `exit 3` or `signal 9`. It has to return when ctx is done.
type Program func(ctx context.Context, p *Process) string

// Host is a daemon without processes. The zero value but for Programs is ready. Close ends it.
type Host struct {
	// Programs are the commands there are, by the first argument. Another one cannot be started: exit 127.
	Programs map[string]Program

	mu       sync.Mutex
	sessions map[int]*Session
	last     int
	draining bool
	watchers map[chan string]bool
	running  sync.WaitGroup
}

// New makes a session.
func (h *Host) New(u ctlfs.User) (ctlfs.Session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return nil, &ninep.Error{Errno: linux.EAGAIN, Text: "draining"}
	}
	h.last++
	s := &Session{host: h, number: h.last, owner: u, state: ctlfs.Idle, partial: map[string]error{}, notes: make(chan string, 16),
		in: newPipe(), out: newPipe(), errs: newPipe(), ended: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if h.sessions == nil {
		h.sessions = map[int]*Session{}
	}
	h.sessions[h.last] = s
	return s, nil
}

// Session is the one of that number, if u may see it.
func (h *Host) Session(u ctlfs.User, n int) (ctlfs.Session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sessions[n]
	if s == nil || !u.Root && u.UID != s.owner.UID {
		return nil, linux.ENOENT
	}
	return s, nil
}

// Sessions are those that u may see.
func (h *Host) Sessions(u ctlfs.User) []ctlfs.Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []ctlfs.Session
	for _, s := range h.sessions {
		if u.Root || u.UID == s.owner.UID {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b ctlfs.Session) int { return cmp.Compare(a.Number(), b.Number()) })
	return all
}

// Ctl knows drain and undrain.
func (h *Host) Ctl(u ctlfs.User, words []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !u.Root:
		return linux.EPERM
	case len(words) == 1 && (words[0] == "drain" || words[0] == "undrain"):
		h.draining = words[0] == "drain"
		return nil
	}
	return linux.EINVAL
}

// Info says how many sessions there are, and Stats how many there have been.
func (h *Host) Info() []ctlfs.Pair {
	h.mu.Lock()
	defer h.mu.Unlock()
	return []ctlfs.Pair{{Name: "version", Value: "test"}, {Name: "sessions", Value: strconv.Itoa(len(h.sessions))}}
}

// Stats: see Info.
func (h *Host) Stats() []ctlfs.Pair {
	h.mu.Lock()
	defer h.mu.Unlock()
	return []ctlfs.Pair{{Name: "started", Value: strconv.Itoa(h.last)}}
}

// Events tells of sessions that start and end.
func (h *Host) Events(ctlfs.User) (next func(context.Context) (string, error), stop func()) {
	w := make(chan string, 16)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers == nil {
		h.watchers = map[chan string]bool{}
	}
	h.watchers[w] = true
	next = func(ctx context.Context) (string, error) {
		select {
		case line := <-w:
			return line, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return next, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.watchers, w)
	}
}

func (h *Host) event(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		select {
		case w <- line:
		default:
		}
	}
}

// Watching is how many listen for events.
func (h *Host) Watching() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers)
}

// Close ends all sessions and waits for their programs.
func (h *Host) Close() {
	for _, s := range h.Sessions(ctlfs.User{Root: true}) {
		s.(*Session).cancel()
	}
	h.running.Wait()
}
