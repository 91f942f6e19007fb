package ctlfs

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"cpu/lib/rcquote"
)

// State is how far a session is.
type State string

// The states. A session that is Idle has not been started; one that is Starting builds its namespace.
const (
	Idle     State = "idle"
	Starting State = "starting"
	Running  State = "running"
	Stopped  State = "stopped" // by `stop`, until `cont`
	Ended    State = "ended"
)

// Status is how a session's command fares, or how it ended.
type Status struct {
	PID             int           // on the server; 0 before it runs
	User, Sys, Real time.Duration // to the millisecond; of a command that runs, so far
	Exit            string        // "" on success, else `exit 3` or `signal 9`
	Code            int           // the same as a shell has it: 0, 3, 128+9
	State           State         // not part of the line
}

// String is the line that N/wait gives, without its newline: pid user sys real 'status', as await(2) has it.
func (s Status) String() string {
	return fmt.Sprintf("%d %d %d %d '%s'", s.PID, s.User.Milliseconds(), s.Sys.Milliseconds(), s.Real.Milliseconds(),
		strings.ReplaceAll(s.Exit, "'", "''"))
}

// maxTime is the longest time in milliseconds that fits a time.Duration.
const maxTime = int64(1<<63-1) / int64(time.Millisecond)

// ParseStatus is String's inverse. The State is Ended.
func ParseStatus(line string) (Status, error) {
	words, err := rcquote.Split(strings.TrimSuffix(line, "\n"))
	if err != nil || len(words) != 5 {
		return Status{}, fmt.Errorf("malformed status %q", line)
	}
	var n [4]int64
	for i := range n {
		n[i], err = strconv.ParseInt(words[i], 10, 64)
		if err != nil || n[i] < 0 || n[i] > maxTime || i == 0 && n[i] > 1<<31-1 {
			return Status{}, fmt.Errorf("malformed status %q", line)
		}
	}
	code, err := exitCode(words[4])
	if err != nil {
		return Status{}, fmt.Errorf("malformed status %q", line)
	}
	ms := func(i int) time.Duration { return time.Duration(n[i]) * time.Millisecond }
	return Status{PID: int(n[0]), User: ms(1), Sys: ms(2), Real: ms(3), Exit: words[4], Code: code, State: Ended}, nil
}

// exitCode is the exit status that a shell would show.
func exitCode(exit string) (int, error) {
	if exit == "" {
		return 0, nil
	}
	kind, number, _ := strings.Cut(exit, " ")
	n, err := strconv.ParseUint(number, 10, 7+1)
	switch {
	case err != nil || n == 0:
	case kind == "exit":
		return int(n), nil
	case kind == "signal" && n < 128:
		return 128 + int(n), nil
	}
	return 0, fmt.Errorf("malformed exit status %q", exit)
}
