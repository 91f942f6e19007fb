//go:build linux

package server

import (
	"net"
	"net/netip"
	"testing"
)

// TestStartups: a thousand connections that never log in, some of which have begun to, keep nobody else from it.
func TestStartups(t *testing.T) {
	r := newRig(t, "", func(_ *rig, c *Config) { c.Startups = Startups{20, 100, 20} })
	for i := range 1000 {
		c, err := net.Dial("tcp", "127.0.0.1:"+r.port)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if i%2 == 0 {
			c.Write([]byte("SSH-2.0-slow\r\nand then\x00\x00"))
		}
	}
	for range 5 {
		if out, errs, status := run(t, r.ssh("key", "127.0.0.1", "echo good")); out != "good\n" || status != 0 {
			t.Errorf("said %q and %q, exit status %d", out, errs, status)
		}
	}
}

// fakeConn is a connection from an address.
type fakeConn struct {
	net.Conn
	from   string
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from))
}
func (c *fakeConn) Close() error { c.closed = true; return nil }

// TestStartupsBySource: the address that has most gives way.
func TestStartupsBySource(t *testing.T) {
	s := startups{limits: Startups{4, 100, 4}}
	var all []*fakeConn
	for _, from := range []string{"10.0.0.1:1", "10.0.0.2:1", "10.0.0.2:2", "10.0.0.2:3", "10.0.0.3:1", "10.0.0.3:2"} {
		c := &fakeConn{from: from}
		all = append(all, c)
		s.begin(c)
	}
	for i, want := range []bool{false, true, true, false, false, false} {
		if all[i].closed != want {
			t.Errorf("the connection from %s is closed: %v", all[i].from, all[i].closed)
		}
	}
	for _, c := range all {
		s.end(c)
	}
	if len(s.open) > 0 {
		t.Errorf("%d are left", len(s.open))
	}
}

// TestCrowded: OpenSSH's numbers.
func TestCrowded(t *testing.T) {
	for _, c := range []struct{ n, percent int }{{0, 0}, {9, 0}, {10, 30}, {55, 65}, {99, 99}, {100, 100}, {1000, 100}} {
		percent := 0
		for chance := range 100 {
			if DefaultStartups.crowded(c.n, chance) {
				percent++
			}
		}
		if percent != c.percent {
			t.Errorf("with %d one gives way in %d of 100, want %d", c.n, percent, c.percent)
		}
	}
}

func TestParseStartups(t *testing.T) {
	for s, want := range map[string]Startups{"10:30:100": DefaultStartups, "5": {5, 100, 5}, "5:1:5": {5, 1, 5}} {
		if got, err := ParseStartups(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0", "-1", "x", "1:2", "1:2:3:4", "10:101:100", "10:30:9", "10:0:20"} {
		if got, err := ParseStartups(s); err == nil {
			t.Errorf("%q: %v", s, got)
		}
	}
}
