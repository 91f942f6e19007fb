//go:build linux

package server

import (
	"net"
	"testing"
)

// TestStartups: a thousand connections that never log in, some of which have begun to, keep nobody else from it.
func TestStartups(t *testing.T) {
	r := newRig(t, "", func(_ *rig, c *Config) { c.MaxStartups = 20 })
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

func (c *fakeConn) RemoteAddr() net.Addr { return fakeAddr(c.from) }
func (c *fakeConn) Close() error         { c.closed = true; return nil }

type fakeAddr string

func (fakeAddr) Network() string  { return "tcp" }
func (a fakeAddr) String() string { return string(a) }

// TestStartupsBySource: the address that has most gives way.
func TestStartupsBySource(t *testing.T) {
	s := startups{max: 4}
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
