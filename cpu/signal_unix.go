//go:build unix

package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// notes are the signals that become notes, by the names of ctlfs(4).
var notes = map[os.Signal]string{
	syscall.SIGINT:  "interrupt",
	syscall.SIGTERM: "term",
	syscall.SIGHUP:  "hangup",
	syscall.SIGQUIT: "quit",
	syscall.SIGALRM: "alarm",
	syscall.SIGUSR1: "usr1",
	syscall.SIGUSR2: "usr2",
}

// outlivePipes makes a pipe that nobody reads any more an error to who writes to it, and not the end of the process. It returns what undoes that.
func outlivePipes() (stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGPIPE)
	return func() { signal.Stop(c) }
}

// readerGone says whether err is that error.
func readerGone(err error) bool { return errors.Is(err, syscall.EPIPE) }

// stopJob stops the process, and whoever else is of its job, until it is told to go on. One that nobody could tell that, because it has no shell,
// is not stopped by the system, and goes on by itself.
func stopJob() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGCONT)
	defer signal.Stop(told)
	syscall.Kill(0, syscall.SIGTSTP) // which may take effect a little later
	select {
	case <-told:
	case <-time.After(time.Second):
	}
}

// canStop says that a shell has use for that.
const canStop = true

// sizeChanges tells when the terminal's size has changed.
func sizeChanges() (changes <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	return c, func() { signal.Stop(c) }
}
