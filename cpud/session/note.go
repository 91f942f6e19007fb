//go:build linux

package session

import (
	"fmt"
	"strconv"
	"strings"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"golang.org/x/sys/unix"
)

// notes are Plan 9's names for what Linux has as signals.
var notes = map[string]unix.Signal{
	"interrupt": unix.SIGINT,
	"hangup":    unix.SIGHUP,
	"kill":      unix.SIGKILL,
	"alarm":     unix.SIGALRM,
	"term":      unix.SIGTERM,
	"quit":      unix.SIGQUIT,
	"usr1":      unix.SIGUSR1,
	"usr2":      unix.SIGUSR2,
	"stop":      unix.SIGSTOP,
	"cont":      unix.SIGCONT,
}

// maxSignal is Linux' last signal.
const maxSignal = 64

// noteSignal finds the signal for a note: one of notes, or a signal's name, with or without SIG, in either case, or its number.
func noteSignal(name string) (unix.Signal, error) {
	if s, ok := notes[name]; ok {
		return s, nil
	}
	upper := strings.ToUpper(name)
	if !strings.HasPrefix(upper, "SIG") {
		upper = "SIG" + upper
	}
	if s := unix.SignalNum(upper); s > 0 {
		return s, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n <= maxSignal {
		return unix.Signal(n), nil
	}
	return 0, invalid("%q: unknown note", name)
}

// invalid is EINVAL in words.
func invalid(format string, args ...any) error { return words(linux.EINVAL, format, args...) }

// words is an error number in words.
func words(e linux.Errno, format string, args ...any) error {
	return &ninep.Error{Errno: e, Text: fmt.Sprintf(format, args...)}
}
