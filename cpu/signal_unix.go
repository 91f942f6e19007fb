//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
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

// sizeChanges tells when the terminal's size has changed.
func sizeChanges() (changes <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	return c, func() { signal.Stop(c) }
}
