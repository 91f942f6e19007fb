//go:build linux

package main_test

import (
	"strings"
	"testing"
)

// TestTop shows a server's sessions once, where there is no terminal, and live, where there is one.
func TestTop(t *testing.T) {
	r := newRig(t)
	first, _ := r.running("-n", "default")
	second, endSecond := r.running()
	out, errs, status := run(t, r.terminal([]string{"-top"}))
	lines := strings.Split(out, "\n")
	if status != 0 || errs != "" || len(lines) != 4 || !strings.HasSuffix(lines[1], " sh -c 'echo up; cat >/dev/null; exit 7'") ||
		!strings.Contains(lines[1], " running ") || strings.Fields(lines[0])[6] != "9P" || strings.Fields(lines[1])[6] == "0" {
		t.Errorf("said %q and %q, exit status %d", out, errs, status)
	}
	s := newScreen(t, shell(r.terminal([]string{"-top"})))
	s.want("127.0.0.1: 2 sessions")
	endSecond() // an event, which is not waited for in vain
	second.Wait()
	s.want("127.0.0.1: 1 sessions")
	s.write("x")
	s.want("session 1 killed")
	first.Wait()
	if code := first.ProcessState.ExitCode(); code != 128+9 {
		t.Errorf("the session that was killed ended with %d", code)
	}
	s.want("127.0.0.1: 0 sessions")
	s.write("q")
	s.ended("0")
}
