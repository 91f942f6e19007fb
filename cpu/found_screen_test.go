//go:build linux

package main_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestListScreen: at a terminal the list is shown on an empty screen, each time that it has changed, until ^C.
func TestListScreen(t *testing.T) {
	t.Parallel()
	const empty = "\x1b[H\x1b[2J"
	l := newLink(t)
	l.serve("h1", "-txt", "near=storage")
	l.see("dnssd:", `"h1"`)
	s := newScreen(t, shell(l.cpu("-list", "-watch", "-timeout", "1s")))
	s.want("near=storage\r\n")
	l.serve("h2", "-txt", "near=network")
	s.want("near=network\r\n")
	s.write("\x03")
	s.want("cpu: interrupt")
	s.ended("255")
	shown, _, _ := strings.Cut(s.log.text(), "^C")
	screens := strings.Split(shown, empty)
	last := screens[len(screens)-1]
	if screens[0] != "" || !regexp.MustCompile(`^NAME +ADDRESS .*\r\nh1 .*\r\nh2 .*\r\n$`).MatchString(last) {
		t.Errorf("the last of %d screens:\n%q", len(screens), last)
	}
	if same := slices.Compact(slices.Clone(screens)); len(same) != len(screens) {
		t.Errorf("what has not changed is shown again: %q", screens)
	}
	if out := must(t, l.cpu("-list", "-timeout", "1s")); strings.Contains(out, "\x1b") {
		t.Errorf("through a pipe: %q", out)
	}
}

// TestHostsScreen: at a terminal each line of -hosts begins with its host, and ^C reaches every session.
func TestHostsScreen(t *testing.T) {
	t.Parallel()
	l, _, _, _ := threeHosts(t)
	const command = "trap 'echo caught $cpuid; exit $((cpuid+3))' INT; echo ready $cpuid; echo error >&2; while :; do sleep 0.1; done"
	s := newScreen(t, shell(l.cpu("-timeout", "2s", "-hosts", "all", "dnssd:?arch=*&sort=rank", "sh", "-c", command)))
	for _, line := range []string{"h1: ready 0", "h2: ready 1", "h3: ready 2", "h1: error", "h2: error", "h3: error"} {
		s.want(line + "\r\n")
	}
	s.write("\x03")
	s.ended("5")
	for _, line := range []string{"h1: caught 0", "h2: caught 1", "h3: caught 2"} {
		if text := s.log.text(); !strings.Contains(text, line+"\r\n") {
			t.Errorf("no %q on the screen:\n%s", line, text)
		}
	}
	// Who writes to a pipe and complains at the terminal.
	c := shell(l.cpu("-timeout", "2s", "-hosts", "2", "dnssd:?sort=rank", "sh", "-c", "echo out $cpuid; echo error >&2"))
	c.Args[2] = strings.Replace(c.Args[2], `"$@"`, `"$@" | sed 's/^/</'`, 1)
	s = newScreen(t, c)
	s.ended("0")
	for _, line := range []string{"<out 0", "<out 1", "h1: error", "h2: error"} {
		s.want(line)
	}
}
