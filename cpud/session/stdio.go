//go:build linux

package session

import (
	"context"
	"io"

	"github.com/hugelgupf/p9/linux"
	"golang.org/x/sys/unix"
)

// WriteStdin writes to the command's standard input, or types into its terminal. It waits for the command to begin, and to take it all. EPIPE when
// nobody can read it any more.
func (s *Session) WriteStdin(ctx context.Context, p []byte) (int, error) {
	in, _, _, err := s.streams(ctx)
	if err != nil {
		return 0, err
	}
	if in == nil {
		return 0, unix.EPIPE
	}
	return in.write(ctx, p)
}

// OpenStdin notes one more writer of standard input.
func (s *Session) OpenStdin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writers++
}

// CloseStdin notes one writer less. The last one's leaving, or a call without one, ends standard input, unless the writer is lost and the
// session kept. A terminal has no such end.
func (s *Session) CloseStdin(lost bool) error {
	s.mu.Lock()
	s.writers = max(0, s.writers-1)
	if s.writers > 0 || lost && s.keep {
		s.mu.Unlock()
		return nil
	}
	return s.endStdin()
}

// endStdin ends standard input, whoever has it open. It is called with mu held, and lets go of it.
func (s *Session) endStdin() error {
	in := s.stdin
	if s.term != nil || in == nil {
		s.eof = true
		s.mu.Unlock()
		return nil
	}
	s.mu.Unlock()
	in.closeWrite(s.ctx)
	return nil
}

// ReadStdout reads what the command writes to standard output, or to its terminal.
func (s *Session) ReadStdout(ctx context.Context, p []byte) (int, error) {
	_, out, _, err := s.streams(ctx)
	if err != nil {
		return 0, err
	}
	if out == nil {
		return 0, io.EOF
	}
	return s.spoolFor(out)(ctx, p)
}

// ReadStderr reads what the command writes to standard error. With a terminal that is nothing, until the command ends.
func (s *Session) ReadStderr(ctx context.Context, p []byte) (int, error) {
	_, _, errs, err := s.streams(ctx)
	if err != nil {
		return 0, err
	}
	if errs != nil {
		return s.spoolFor(errs)(ctx, p)
	}
	if _, err := s.Wait(ctx); err != nil {
		return 0, err
	}
	return 0, io.EOF
}

// ReadCons reads from the terminal. EIO where the command has none.
func (s *Session) ReadCons(ctx context.Context, p []byte) (int, error) {
	if !s.TTY() {
		return 0, s.noTerminal()
	}
	return s.ReadStdout(ctx, p)
}

// WriteCons types into the terminal. EIO where the command has none.
func (s *Session) WriteCons(ctx context.Context, p []byte) (int, error) {
	if !s.TTY() {
		return 0, s.noTerminal()
	}
	return s.WriteStdin(ctx, p)
}

func (s *Session) noTerminal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail(words(linux.EIO, "the session has no terminal"))
}

// setWinsize changes the terminal's size, now or for when it is made.
func (s *Session) setWinsize(rows, cols int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.term == nil {
		return s.fail(invalid("winsize: the session has no terminal"))
	}
	s.term.rows, s.term.cols = rows, cols
	if s.stdout == nil {
		return nil
	}
	return s.fail(s.stdout.winsize(rows, cols))
}

func (s *stream) winsize(rows, cols int) error {
	return s.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: uint16(cols)})
	})
}

// sendBreak sends the terminal a BREAK, as tcsendbreak(3) does.
func (s *Session) sendBreak() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.term == nil || s.stdout == nil {
		return s.fail(invalid("break: the session has no terminal, or it does not run"))
	}
	return s.fail(s.stdout.control(func(fd int) error { return unix.IoctlSetInt(fd, unix.TCSBRKP, 0) }))
}

// foreground sends a signal to the terminal's foreground process group, and returns that group's number.
func (s *stream) foreground(sig unix.Signal) (group int, err error) {
	err = s.control(func(fd int) (err error) {
		if group, err = unix.IoctlGetInt(fd, unix.TIOCGPGRP); err == nil {
			err = unix.IoctlSetInt(fd, tiocsig, int(sig))
		}
		return err
	})
	return group, err
}

// tiocsig is TIOCSIG, which the master of a pseudo-terminal understands; _IOW('T', 0x36, int).
const tiocsig = 0x40045436

func (s *stream) control(f func(fd int) error) error {
	c, err := s.f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := c.Control(func(fd uintptr) { err = f(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}
