package ctlfstest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cpu/ctlfs"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
)

// Session is a session of a Host.
type Session struct {
	host   *Host
	number int
	owner  ctlfs.User
	ctx    context.Context // of the program
	cancel context.CancelFunc
	in     *pipe
	out    *pipe
	errs   *pipe
	notes  chan string
	ended  chan struct{}

	mu      sync.Mutex
	state   ctlfs.State
	holds   int
	keep    bool
	why     string
	partial map[string]error
	args    []string
	env     []string
	dir, ns string
	vars    []string
	tty     []string // TERM ROWS COLS
	writers int
	status  ctlfs.Status
}

func invalid(format string, args ...any) error {
	return &ninep.Error{Errno: linux.EINVAL, Text: fmt.Sprintf(format, args...)}
}

var errStarted = &ninep.Error{Errno: linux.EBUSY, Text: "started already"}

// Number is its name in the tree.
func (s *Session) Number() int { return s.number }

// Owner is who made it.
func (s *Session) Owner() ctlfs.User { return s.owner }

// State is how far it is.
func (s *Session) State() ctlfs.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// TTY says whether it has a terminal.
func (s *Session) TTY() bool { return s.Terminal() != nil }

// Terminal is TERM, rows and columns; nil without a terminal.
func (s *Session) Terminal() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tty)
}

// Vars are the variables set, NAME=value each.
func (s *Session) Vars() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.vars)
}

// Hold holds it.
func (s *Session) Hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds++
}

// Release lets it go: with the last hold it ends and is gone, unless it is kept.
func (s *Session) Release() {
	s.mu.Lock()
	s.holds--
	over := s.holds == 0 && !s.keep
	s.mu.Unlock()
	if over {
		s.cancel()
		s.host.mu.Lock()
		delete(s.host.sessions, s.number)
		s.host.mu.Unlock()
	}
}

// Holds is how many ctl files are open.
func (s *Session) Holds() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holds
}

// Fail notes an error.
func (s *Session) Fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail(err)
}

func (s *Session) fail(err error) error {
	if err != nil {
		s.why = err.Error()
	}
	return err
}

// Err is the last error.
func (s *Session) Err() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why
}

// Incomplete keeps start from starting.
func (s *Session) Incomplete(file string, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partial[file] = why
}

// Ctl knows start, note, kill, hangup, tty, winsize, break, keep, unkeep and var.
func (s *Session) Ctl(ctx context.Context, words []string) error {
	wants := map[string]int{"start": 0, "kill": 0, "hangup": 0, "keep": 0, "unkeep": 0, "note": 1, "tty": 3, "winsize": 2, "break": 0, "var": 2}
	if n, ok := wants[words[0]]; !ok || n != len(words)-1 {
		return s.Fail(invalid("%s: unknown command", strings.Join(words, " ")))
	}
	switch words[0] {
	case "kill", "hangup":
		return untimely(s.Note(words[0], true))
	case "note":
		return untimely(s.Note(words[1], false))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch words[0] {
	case "start":
		return s.fail(s.start())
	case "winsize":
		for _, w := range words[1:] {
			if _, err := strconv.Atoi(w); err != nil {
				return s.fail(invalid("winsize: %s: not a number", w))
			}
		}
		if s.tty == nil {
			return s.fail(invalid("winsize: no terminal"))
		}
		s.tty = append(s.tty[:1:1], words[1:]...)
	case "break":
		if s.tty == nil {
			return s.fail(invalid("break: no terminal"))
		}
	case "keep", "unkeep":
		s.keep = words[0] == "keep"
	case "tty":
		s.tty = words[1:]
	case "var":
		s.vars = append(s.vars, words[1]+"="+words[2])
	}
	return nil
}

// untimely makes EINVAL of ESRCH, as ctlfs(4) has it.
func untimely(err error) error {
	if errors.Is(err, linux.ESRCH) {
		return invalid("%v", err)
	}
	return err
}

// start is called with mu held.
func (s *Session) start() error {
	if s.state != ctlfs.Idle {
		return errStarted
	}
	for _, err := range s.partial {
		if err != nil {
			return err
		}
	}
	name := "sh"
	if len(s.args) > 0 {
		name = s.args[0]
	}
	run := s.host.Programs[name]
	if run == nil {
		s.end("exit 127")
		return &ninep.Error{Errno: linux.ENOENT, Text: name + ": no such command"}
	}
	s.state = ctlfs.Running
	p := &Process{Args: s.args, Env: s.env, Stdin: end{s.ctx, s.in}, Stdout: end{s.ctx, s.out}, Stderr: end{s.ctx, s.errs}, Notes: s.notes}
	s.host.event(fmt.Sprintf("%d %s started", s.number, s.owner.Name))
	s.host.running.Go(func() {
		exit := run(s.ctx, p)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.end(exit)
		s.host.event(fmt.Sprintf("%d %s ended", s.number, s.owner.Name))
	})
	return nil
}

// end is called with mu held.
func (s *Session) end(exit string) {
	st, err := ctlfs.ParseStatus(fmt.Sprintf("%d %d %d %d '%s'", 1000+s.number, 10, 20, 30, exit))
	if err != nil {
		panic(err)
	}
	s.status, s.state = st, ctlfs.Ended
	s.in.set(&s.in.broken)
	s.out.set(&s.out.eof)
	s.errs.set(&s.errs.eof)
	close(s.ended)
}

// set changes what cannot be changed once it runs.
func (s *Session) set(change func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != ctlfs.Idle {
		return s.fail(errStarted)
	}
	change()
	return nil
}

// Args is the command.
func (s *Session) Args() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.args)
}

// SetArgs sets it.
func (s *Session) SetArgs(args []string) error { return s.set(func() { s.args = args }) }

// Env is its environment.
func (s *Session) Env() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.env)
}

// SetEnv sets it.
func (s *Session) SetEnv(env []string) error { return s.set(func() { s.env = env }) }

// Dir is its directory.
func (s *Session) Dir() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dir
}

// SetDir sets it.
func (s *Session) SetDir(dir string) error { return s.set(func() { s.dir = dir }) }

// Namespace is its namespace file, as written.
func (s *Session) Namespace() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ns, nil
}

// SetNamespace sets it.
func (s *Session) SetNamespace(text string) error { return s.set(func() { s.ns = text }) }

// Note hands a note to the program; kill ends it.
func (s *Session) Note(name string, group bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains([]string{"interrupt", "hangup", "kill", "usr1"}, name) {
		return s.fail(invalid("%s: unknown note", name))
	}
	if s.state != ctlfs.Running {
		return s.fail(&ninep.Error{Errno: linux.ESRCH, Text: "nothing runs"})
	}
	if name == "kill" {
		s.cancel()
		return nil
	}
	select {
	case s.notes <- name:
	default:
	}
	return nil
}

// Wait waits for its end.
func (s *Session) Wait(ctx context.Context) (ctlfs.Status, error) {
	select {
	case <-s.ended:
		return s.Status(), nil
	case <-ctx.Done():
		return ctlfs.Status{}, ctx.Err()
	}
}

// Stats has one counter.
func (s *Session) Stats() []ctlfs.Pair { return []ctlfs.Pair{{Name: "requests", Value: "0"}} }

// Status is how it fares.
func (s *Session) Status() ctlfs.Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.State = s.state
	if st.State != ctlfs.Ended {
		st.Real = time.Millisecond
	}
	return st
}

// OpenStdin notes a writer.
func (s *Session) OpenStdin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writers++
}

// WriteStdin feeds it.
func (s *Session) WriteStdin(ctx context.Context, p []byte) (int, error) { return s.in.write(ctx, p) }

// CloseStdin ends its input with the last writer.
func (s *Session) CloseStdin(bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writers--
	if s.writers <= 0 && s.tty == nil {
		s.in.set(&s.in.eof)
	}
	return nil
}

// ReadStdout reads its output.
func (s *Session) ReadStdout(ctx context.Context, p []byte) (int, error) { return s.out.read(ctx, p) }

// ReadStderr reads its other output.
func (s *Session) ReadStderr(ctx context.Context, p []byte) (int, error) { return s.errs.read(ctx, p) }

// ReadCons reads from its terminal.
func (s *Session) ReadCons(ctx context.Context, p []byte) (int, error) {
	if !s.TTY() {
		return 0, linux.EIO
	}
	return s.out.read(ctx, p)
}

// WriteCons types into its terminal.
func (s *Session) WriteCons(ctx context.Context, p []byte) (int, error) {
	if !s.TTY() {
		return 0, linux.EIO
	}
	return s.in.write(ctx, p)
}
