//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package main

import "golang.org/x/sys/unix"

// hush turns a terminal's echo off, so that it is off before a question is asked: an answer may come at once.
func hush(fd int) {
	if t, err := unix.IoctlGetTermios(fd, getTermios); err == nil {
		t.Lflag &^= unix.ECHO
		unix.IoctlSetTermios(fd, setTermios, t)
	}
}
