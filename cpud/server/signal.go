//go:build linux

package server

import (
	"strings"

	"golang.org/x/sys/unix"
)

// signalName is SSH's name for a Linux signal, RFC 4254, section 6.10; "" if there is no such signal.
func signalName(n int) string {
	name := strings.TrimPrefix(unix.SignalName(unix.Signal(n)), "SIG")
	switch name {
	case "", "ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM", "USR1", "USR2":
		return name
	}
	return name + "@cpud" // a local extension has an @
}
