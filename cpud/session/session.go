//go:build linux

package session

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"cpu/ctlfs"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
)

// Limits of what a session is told before it starts, in bytes.
const (
	maxNamespace = 1 << 20
	maxVariables = 1 << 20
	maxWords     = 4 << 20 // arguments, and the environment; more than Linux takes
)

// Session is one session, a ctlfs.Session. Its methods may be called at any time. It goes away when its command has ended, or never began,
// and no hold is left; or with its table.
type Session struct {
	table  *Table
	number int
	owner  ctlfs.User

	nine ninep.Stats // of the 9P with services posted in it

	ctx    context.Context // done: everything of the session is to end
	cancel context.CancelFunc
	work   sync.WaitGroup  // the goroutines that serve it
	began  context.Context // done when there are streams, or there never will be
	begin  context.CancelFunc
	ended  context.Context // done when the command has ended, or will not begin
	end    context.CancelFunc
	gone   chan struct{} // closed when nothing is left of it
	down   sync.Once

	mu         sync.Mutex
	state      ctlfs.State
	turn       chan struct{} // closed, and made anew, when the command stops or goes on
	holds      int
	keep       bool
	keepMax    int  // bytes of each output that wait for a reader
	keepOldest bool // when that is full the oldest goes, else the command waits
	waited     bool // somebody knows how the command ended
	spools     map[*stream]*spool
	posts      chan struct{}    // closed, and made anew, when a service comes or keep changes
	why        string           // why the last operation failed
	partial    map[string]error // of files whose text is not complete yet
	args       []string
	env        []string
	dir        string
	ns         string // as written; once the command runs, as built
	vars       map[string]string
	term       *terminal
	eof        bool // standard input was closed before it was there
	writers    int  // how often standard input is open
	status     ctlfs.Status
	started    time.Time // when the command began
	services   map[string]*service
	trees      map[int]*tree
	lastTree   int
	dialling   map[int]chan dialled // by a number of lastTree's
	wire       *socket
	process    *os.Process   // the helper
	attended   chan struct{} // closed when the helper is gone; nil if there was none
	stdin      *stream       // with a terminal: its master, as is stdout
	stdout     *stream
	stderr     *stream // nil with a terminal
}

// terminal is what `tty` and `winsize` said.
type terminal struct {
	name       string
	rows, cols int
}

func newSession(t *Table, n int, u ctlfs.User) *Session {
	s := &Session{table: t, number: n, owner: u, gone: make(chan struct{}), state: ctlfs.Idle,
		partial: map[string]error{}, vars: map[string]string{}, services: map[string]*service{}, trees: map[int]*tree{}, dialling: map[int]chan dialled{},
		spools: map[*stream]*spool{}, posts: make(chan struct{}), turn: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.began, s.begin = context.WithCancel(s.ctx)
	s.ended, s.end = context.WithCancel(s.ctx)
	return s
}

// Number is the session's name in the tree.
func (s *Session) Number() int { return s.number }

// Owner is the user who made it.
func (s *Session) Owner() ctlfs.User { return s.owner }

// State says how far it has come.
func (s *Session) State() ctlfs.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// TTY says whether the command has, or is to have, a terminal.
func (s *Session) TTY() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term != nil
}

// Hold keeps the session until Release.
func (s *Session) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds++
}

// Release gives a hold back. With the last one the session ends, unless it is kept: then it stays while its command runs, and until somebody
// knows how that ended.
func (s *Session) Release() {
	s.mu.Lock()
	s.holds--
	s.mu.Unlock()
	s.expire()
}

// expire ends the session if nothing speaks for it any more.
func (s *Session) expire() {
	s.mu.Lock()
	over := s.holds <= 0 && !(s.keep && s.state != ctlfs.Idle && !(s.state == ctlfs.Ended && s.waited))
	s.mu.Unlock()
	if over {
		s.destroy()
	}
}

// idle runs set while the command has not been started.
func (s *Session) idle(set func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != ctlfs.Idle {
		return s.fail(words(linux.EBUSY, "the session has been started already"))
	}
	return s.fail(set())
}

// fail remembers why an operation failed. The session's mu is held.
func (s *Session) fail(err error) error {
	if err != nil {
		s.why = err.Error()
	}
	return err
}

// Err is why the last operation that failed did so.
func (s *Session) Err() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// Fail remembers why an operation failed that did not get as far as the session.
func (s *Session) Fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail(err)
}

// Incomplete remembers why the text of a file cannot be used yet; nil: it can.
func (s *Session) Incomplete(file string, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if why == nil {
		delete(s.partial, file)
	} else {
		s.partial[file] = why
	}
}

// Args is the command and its arguments.
func (s *Session) Args() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.args)
}

// SetArgs sets them; none is the user's shell. EBUSY once started, as with all that is set.
func (s *Session) SetArgs(args []string) error {
	return s.idle(func() error {
		if slices.ContainsFunc(args, hasNUL) {
			return invalid("an argument has a NUL in it")
		}
		if sizeOf(args) > maxWords {
			return words(linux.E2BIG, "arguments of more than %d bytes", maxWords)
		}
		s.args = slices.Clone(args)
		return nil
	})
}

// sizeOf is what words take, each with its end.
func sizeOf(words []string) int {
	n := 0
	for _, w := range words {
		n += len(w) + 1
	}
	return n
}

func hasNUL(s string) bool { return strings.Contains(s, "\x00") }

// Env is the environment as it was given, NAME=value.
func (s *Session) Env() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.env)
}

// SetEnv sets it. What a login sets besides, HOME, PATH and so on, is added where it is missing, when the command starts.
func (s *Session) SetEnv(env []string) error {
	return s.idle(func() error {
		for _, e := range env {
			if i := strings.IndexByte(e, '='); i < 1 || hasNUL(e) {
				return invalid("%q: not NAME=value", e)
			}
		}
		if sizeOf(env) > maxWords {
			return words(linux.E2BIG, "an environment of more than %d bytes", maxWords)
		}
		s.env = slices.Clone(env)
		return nil
	})
}

// Dir is the terminal's working directory.
func (s *Session) Dir() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dir
}

// SetDir sets it.
func (s *Session) SetDir(dir string) error {
	return s.idle(func() error {
		if hasNUL(dir) {
			return invalid("a directory's name has a NUL in it")
		}
		s.dir = dir
		return nil
	})
}

// Namespace is the namespace file as written, and once the command runs what was built from it.
func (s *Session) Namespace() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ns, nil
}

// SetNamespace sets the namespace file. It is read when the command starts.
func (s *Session) SetNamespace(text string) error {
	return s.idle(func() error {
		if len(text) > maxNamespace {
			return words(linux.EFBIG, "a namespace file of %d bytes: at most %d", len(text), maxNamespace)
		}
		s.ns = text
		return nil
	})
}

// setVar sets a variable of the namespace file.
func (s *Session) setVar(name, value string) error {
	return s.idle(func() error {
		size := len(name) + len(value)
		for n, v := range s.vars {
			size += len(n) + len(v)
		}
		if name == "" || hasNUL(value) {
			return invalid("var: %q cannot be set", name)
		}
		if size > maxVariables {
			return invalid("var: %s: too much", name)
		}
		s.vars[name] = value
		return nil
	})
}

// variables is what a namespace file may refer to besides the environment. What the terminal says goes before what the server knows.
func (s *Session) variables() map[string]string {
	host, _ := os.Hostname()
	v := map[string]string{
		"user": s.owner.Name, "home": s.owner.Home, "dir": s.dir, "cputype": cputype, "sysname": host, "rootspec": "",
	}
	maps.Copy(v, s.vars)
	return v
}

// Wait waits for the command's end.
func (s *Session) Wait(ctx context.Context) (ctlfs.Status, error) {
	select {
	case <-s.ended.Done():
		s.mu.Lock()
		s.waited = true
		s.mu.Unlock()
		return s.Status(), nil
	case <-ctx.Done():
		return ctlfs.Status{}, ctx.Err()
	}
}

// Status is what Wait gives, as far as it is known now: times of a command that runs are those so far.
func (s *Session) Status() ctlfs.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.State = s.state
	if s.state == ctlfs.Running || s.state == ctlfs.Stopped {
		st.User, st.Sys = timesOf(st.PID)
		st.Real = time.Since(s.started)
	}
	return st
}

// streams waits until the command's streams are there. They are nil if it did not begin.
func (s *Session) streams(ctx context.Context) (in, out, errs *stream, err error) {
	select {
	case <-s.began.Done():
	case <-ctx.Done():
		return nil, nil, nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stdin, s.stdout, s.stderr, nil
}
