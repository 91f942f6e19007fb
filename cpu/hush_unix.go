//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package main

import "golang.org/x/sys/unix"

// hush turns a terminal's echo off, so that it is off before a question is asked: an answer may come at once. It says whether it has.
func hush(fd int) bool {
	t, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return false
	}
	t.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(fd, setTermios, t) == nil
}
