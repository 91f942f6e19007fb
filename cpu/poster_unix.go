//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// A poster is this program once more, in the background, with the connection that ControlPersist keeps for others. It is started with the
// arguments of the first that wants it, asks what has to be asked on the same terminal, says on posterFD how that went, and leaves the
// terminal.
const (
	canPost    = true
	posterName = "cpu-poster"
	posterFD   = 3
)

// startPoster returns once the connection is there.
func startPoster(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	c := exec.Command(self)
	c.Args = append([]string{posterName}, os.Args[1:]...)
	c.Stderr = os.Stderr
	c.ExtraFiles = []*os.File{w}
	err = c.Start()
	w.Close()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { c.Process.Kill() })()
	said, err := io.ReadAll(r)
	if string(said) == "ok" {
		return c.Process.Release()
	}
	c.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(err, errors.New(strings.TrimPrefix(string(said), "cpu: ")))
}

// posterMain is the poster's life.
func posterMain() {
	if len(os.Args) == 0 || os.Args[0] != posterName {
		return
	}
	out := os.NewFile(posterFD, "poster")
	if err := post(out); err != nil {
		fmt.Fprint(out, err)
		os.Exit(statusFailed)
	}
	os.Exit(0)
}

func post(out *os.File) error {
	f, err := parseFlags(os.Args[1:], os.Getenv)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	defer catchSignals(cancel).stop()
	n := newNetwork(f, localTerminal(), nil)
	h, err := n.host(ctx, f)
	if err != nil {
		return err
	}
	conn, err := n.dial(ctx, h)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer conn.Close()
	if _, err := conn.Control(ctx); err != nil {
		return interrupted(ctx, err)
	}
	shareErr := conn.Share(n.socket(h))
	if err := leaveTerminal(); err != nil {
		return err
	}
	fmt.Fprint(out, "ok")
	out.Close()
	if shareErr != nil { // another was faster
		return nil
	}
	conn.Persist(ctx, h.ControlPersist)
	return nil
}

// leaveTerminal makes the process one of the background, which no terminal signals, and which holds nothing open that its parent does.
func leaveTerminal() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	unix.Setsid() // fails for the leader of a group, which a child is not
	for fd := range 3 {
		if err := unix.Dup2(int(null.Fd()), fd); err != nil {
			return err
		}
	}
	return unix.Chdir("/")
}
