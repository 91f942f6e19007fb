package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"cpu/cpu/client"

	"golang.org/x/term"
)

// A tty is the terminal that cpu was typed at, or where -t asks for one and there is none, the idea of one.
type tty struct {
	fd    int
	real  bool
	kind  string
	saved *term.State
}

// newTTY decides whether the session gets a terminal: as -t and -T say, else as RequestTTY does, else for a shell that is typed at. nil is no
// terminal.
func newTTY(f *flags, request string, stdin *os.File, kind string) *tty {
	t := &tty{fd: int(stdin.Fd()), kind: cmp.Or(kind, "dumb")}
	t.real = term.IsTerminal(t.fd)
	switch {
	case f.tty:
	case f.noTTY:
		return nil
	case request == "force":
	case request == "no", !t.real, len(f.command) > 0 && request != "yes":
		return nil
	}
	return t
}

// size asks for a terminal of the size that this one has.
func (t *tty) size() *client.TTY {
	size := &client.TTY{Term: t.kind, Rows: 24, Cols: 80}
	if cols, rows, err := term.GetSize(t.fd); t.real && err == nil {
		size.Rows, size.Cols = rows, cols
	}
	return size
}

// raw makes the terminal hand on every key.
func (t *tty) raw() (err error) {
	if t.real {
		if t.saved, err = term.MakeRaw(t.fd); err != nil {
			return fmt.Errorf("terminal: %w", err)
		}
	}
	return nil
}

func (t *tty) restore() {
	if t.saved != nil {
		term.Restore(t.fd, t.saved)
	}
}

// suspend gives the terminal back to the shell until that lets this process go on.
func (t *tty) suspend(ctx context.Context, c *client.Cmd) {
	t.restore()
	stopJob()
	t.raw() // what fails is what the user sees
	s := t.size()
	c.Winsize(ctx, s.Rows, s.Cols)
}

// follow hands the terminal's size on as it changes, until the function it returns is called.
func (t *tty) follow(ctx context.Context, c *client.Cmd) (stop func()) {
	if !t.real {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	changes, stopChanges := sizeChanges()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-changes:
				s := t.size()
				c.Winsize(ctx, s.Rows, s.Cols) // that the session has ended meanwhile is no failure
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { stopChanges(); cancel(); wg.Wait() }
}

// A heldReader does not read, and a heldWriter does not write, before the terminal is in the mode that is right for it.
type (
	heldReader struct {
		io.Reader
		until <-chan struct{}
	}
	heldWriter struct {
		io.Writer
		until <-chan struct{}
	}
)

func (h heldReader) Read(p []byte) (int, error) {
	<-h.until
	return h.Reader.Read(p)
}

func (h heldWriter) Write(p []byte) (int, error) {
	<-h.until
	return h.Writer.Write(p)
}
