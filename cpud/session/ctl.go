//go:build linux

package session

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"cpu/ctlfs"

	"github.com/hugelgupf/p9/linux"
	"golang.org/x/sys/unix"
)

// Ctl carries out a line written to the session's ctl file.
func (s *Session) Ctl(ctx context.Context, line []string) error {
	err := s.ctl(ctx, line)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail(err)
}

// arguments has the number of arguments of each command.
var arguments = map[string]int{
	"start": 0, "stop": 0, "cont": 0, "kill": 0, "hangup": 0, "unkeep": 0, "eof": 0, "break": 0, "note": 1, "tty": 3, "winsize": 2, "var": 2,
}

func (s *Session) ctl(ctx context.Context, line []string) error {
	if len(line) == 0 {
		return invalid("no command")
	}
	verb, args := line[0], line[1:]
	if verb == "keep" {
		return s.keepWith(args)
	}
	want, ok := arguments[verb]
	if !ok {
		return invalid("%s: unknown command", verb)
	}
	if len(args) != want {
		return invalid("%s: %d arguments, not %d", verb, want, len(args))
	}
	switch verb {
	case "start":
		return s.start(ctx)
	case "stop", "cont":
		if err := s.Note(verb, true); err != nil {
			return timely(err)
		}
		return s.untilStopped(ctx, verb == "stop")
	case "kill", "hangup":
		return timely(s.Note(verb, true))
	case "note":
		return timely(s.Note(args[0], false))
	case "tty":
		rows, cols, err := size(args[1], args[2])
		if err != nil {
			return err
		}
		if hasNUL(args[0]) {
			return invalid("tty: %q: not a terminal's name", args[0])
		}
		return s.idle(func() error { s.term = &terminal{args[0], rows, cols}; return nil })
	case "winsize":
		rows, cols, err := size(args[0], args[1])
		if err != nil {
			return err
		}
		return s.setWinsize(rows, cols)
	case "break":
		return s.sendBreak()
	case "unkeep":
		s.setKeep(false)
		return nil
	case "var":
		return s.setVar(args[0], args[1])
	}
	s.mu.Lock()
	return s.endStdin() // eof
}

// untilStopped waits until the command is stopped, or is not, or has ended.
func (s *Session) untilStopped(ctx context.Context, stopped bool) error {
	for {
		s.mu.Lock()
		state, turn := s.state, s.turn
		s.mu.Unlock()
		if state == ctlfs.Ended || (state == ctlfs.Stopped) == stopped {
			return nil
		}
		select {
		case <-turn:
		case <-s.ended.Done():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// timely makes EINVAL of ESRCH: to a ctl file, a note that nothing can take is a command at the wrong time.
func timely(err error) error {
	if errors.Is(err, linux.ESRCH) {
		return invalid("%v", err)
	}
	return err
}

// maxSize is what a terminal's size is stored in.
const maxSize = 1<<16 - 1

func size(rows, cols string) (r, c int, err error) {
	for _, n := range []struct {
		word string
		to   *int
	}{{rows, &r}, {cols, &c}} {
		v, err := strconv.Atoi(n.word)
		if err != nil || v < 0 || v > maxSize {
			return 0, 0, invalid("%q: not a number of rows or columns", n.word)
		}
		*n.to = v
	}
	return r, c, nil
}

// keepWith is `keep [bytes] [block|oldest]`.
func (s *Session) keepWith(args []string) error {
	size, oldest := defaultSpool, false
	for i, a := range args {
		n, err := strconv.Atoi(a)
		switch {
		case err == nil && i == 0 && n > 0 && n <= maxSpool:
			size = n
		case i == len(args)-1 && (a == "block" || a == "oldest"):
			oldest = a == "oldest"
		default:
			return invalid("keep: %q: want [bytes] [block|oldest]", args)
		}
	}
	s.mu.Lock()
	s.keepMax, s.keepOldest = size, oldest
	if s.state == ctlfs.Running || s.state == ctlfs.Stopped {
		s.spoolOutputs()
	}
	s.mu.Unlock()
	s.setKeep(true)
	return nil
}

// setKeep says whether the session outlives its holds.
func (s *Session) setKeep(keep bool) {
	s.mu.Lock()
	s.keep = keep
	s.posted()
	s.mu.Unlock()
	if keep {
		s.table.event(s, "kept")
	} else {
		s.table.event(s, "dropped")
		s.expire()
	}
}

// Note sends a note to the command, or to every process of the session. With a terminal, what the keyboard can send goes to the
// foreground process group as well, for that is what the user sees. EINVAL for a note that is none, ESRCH where no command runs.
func (s *Session) Note(name string, group bool) error {
	sig, err := noteSignal(strings.TrimSpace(name))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		return s.fail(err)
	}
	if s.state != ctlfs.Running && s.state != ctlfs.Stopped {
		return s.fail(words(linux.ESRCH, "%s: no command is running", name))
	}
	if !group && s.term != nil && (sig == unix.SIGINT || sig == unix.SIGQUIT) {
		if pid, err := s.stdout.foreground(sig); err == nil && pid == s.status.PID {
			return nil
		}
	}
	return s.fail(s.wire.put(&message{Kind: kindNote, Note: int(sig), Group: group}))
}
