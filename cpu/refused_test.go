//go:build linux

package main_test

import (
	"strings"
	"testing"
)

// TestRefused: a host that takes no more sessions, for it has as many as it may or drains, is passed over without a word; which they were is said
// with -v, and when no host is left.
func TestRefused(t *testing.T) {
	t.Parallel()
	l := newLink(t)
	l.serve("full", "-txt", "rank=1", "-max", "1")
	l.serve("drained", "-txt", "rank=2", "-dnssd=false")
	l.serve("free", "-txt", "rank=3", "-max", "1")
	// One that drains withdraws what it has announced, but it may have been found before.
	l.assist("drained", "TestAnnouncer", announcer+"=drained rank=2 17010", newLineLog())
	drain := l.cpu("-ctl", "dnssd://drained._ncpu._tcp/", "write", "/ctl")
	drain.Stdin = strings.NewReader("drain")
	must(t, drain)
	l.see("dnssd:", `"drained".*"free".*"full"`)
	occupy := func(host string) (release func()) {
		c := l.cpu("dnssd://"+host+"._ncpu._tcp/", "cat")
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		in.Write([]byte("there"))
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatalf("no session on %s: %v", host, err)
		}
		return func() { in.Close(); c.Wait() }
	}
	defer occupy("full")()

	const byRank = "dnssd:?sort=rank"
	if out, errs, status := run(t, l.cpu(byRank, "hostname")); out != "free\n" || errs != "" || status != 0 {
		t.Errorf("%q, %q, exit status %d", out, errs, status)
	}
	// Who has answered when the choice is made is chance, and of those that have the best is tried first.
	for tried := false; !tried; {
		out, errs, status := run(t, l.cpu("-v", byRank, "hostname"))
		if out != "free\n" || status != 0 {
			t.Fatalf("-v: %q, %q, exit status %d", out, errs, status)
		}
		tried = strings.Contains(errs, "full: full.local: the server takes no more sessions")
	}
	out, errs, status := run(t, l.cpu("-timeout", "1s", "-hosts", "2", byRank, "hostname"))
	if out != "" || status != 255 || !strings.Contains(errs, "takes no more") {
		t.Errorf("two of one: %q, %q, exit status %d", out, errs, status)
	}
	out, errs, status = run(t, l.cpu("-timeout", "2s", "-hosts", "all", byRank, "hostname"))
	if out != "free\n" || status != 0 || strings.Count(errs, "takes no more sessions") != 2 {
		t.Errorf("all: %q, %q, exit status %d", out, errs, status)
	}
	defer occupy("free")()
	out, errs, status = run(t, l.cpu("-timeout", "2s", byRank, "hostname"))
	if out != "" || status != 255 || strings.Count(errs, "takes no more sessions") != 3 || strings.Contains(errs, "another is taken") {
		t.Errorf("none is left: %q, %q, exit status %d", out, errs, status)
	}
}
