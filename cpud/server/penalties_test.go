//go:build linux

package server

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func tcp(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }

// TestPenalties: they add up, count from Min on, pass by themselves, and are each source's own.
func TestPenalties(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	p := penalties{Penalties: DefaultPenalties, exempt: "10.0.0.0/8", now: func() time.Time { return now }}
	a, port := tcp("192.0.2.1:1"), tcp("192.0.2.1:2")
	for i := range 3 {
		if until, refused := p.add(a, p.AuthFail); refused || p.refuses(a) {
			t.Errorf("refused after %d failures, until %v", i+1, until)
		}
	}
	if until, refused := p.add(a, p.AuthFail); !refused || !until.Equal(now.Add(20*time.Second)) || !p.refuses(port) {
		t.Errorf("after four failures: refused %v until %v", refused, until)
	}
	if p.refuses(tcp("192.0.2.2:1")) {
		t.Error("another address is refused")
	}
	if _, refused := p.add(a, p.AuthFail); refused {
		t.Error("a source that is refused already is refused anew")
	}
	now = now.Add(25 * time.Second)
	if !p.refuses(a) { // it counts until it has passed, although less than Min is left
		t.Error("the penalty has passed early")
	}
	now = now.Add(time.Nanosecond)
	if p.refuses(a) {
		t.Error("the penalty has not passed")
	}
	if _, refused := p.add(a, p.AuthFail); refused {
		t.Error("what has passed still counts")
	}
	for range 1000 {
		p.add(a, p.GraceExceeded)
	}
	now = now.Add(p.Max + time.Nanosecond)
	if p.refuses(a) {
		t.Error("a penalty has grown beyond Max")
	}
	for _, exempt := range []net.Addr{tcp("10.1.2.3:4"), &net.UnixAddr{Name: "@", Net: "unix"}} {
		p.add(exempt, time.Minute)
		if p.refuses(exempt) {
			t.Errorf("%v is refused", exempt)
		}
	}
	p.add(tcp("[2001:db8::1]:1"), time.Minute)
	if !p.refuses(tcp("[2001:db8::ffff:1]:1")) || p.refuses(tcp("[2001:db8:0:1::1]:1")) {
		t.Error("an IPv6 source is not a network of 64 bits")
	}
	if p.add(a, 0); len(p.sources) > 3 {
		t.Errorf("%d sources are remembered", len(p.sources))
	}
}

// TestPenaltiesBound: there is no end of sources, but of those that are remembered.
func TestPenaltiesBound(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	p := penalties{Penalties: DefaultPenalties, now: func() time.Time { return now }}
	fill := func(first byte, n int) {
		for i := range n {
			p.add(&net.TCPAddr{IP: net.IPv4(first, byte(i>>16), byte(i>>8), byte(i))}, time.Minute)
		}
	}
	fill(20, maxPenalties+100)
	if len(p.sources) != maxPenalties || !p.refuses(tcp("20.0.0.0:1")) {
		t.Errorf("%d are remembered", len(p.sources))
	}
	now = now.Add(2 * time.Minute)
	fill(30, 100)
	if len(p.sources) != 100 || !p.refuses(tcp("30.0.0.0:1")) {
		t.Errorf("%d are remembered, of those that come later", len(p.sources))
	}
}

func TestParsePenalties(t *testing.T) {
	for s, want := range map[string]Penalties{
		"":   DefaultPenalties,
		"no": {},
		"authfail:1s,noauth:2s grace-exceeded:3s,min:4s,max:5s": {time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second, 5 * time.Second},
	} {
		if got, err := ParsePenalties(s); err != nil || got != want {
			t.Errorf("%q: %+v, %v", s, got, err)
		}
	}
	for _, s := range []string{"authfail", "authfail:5", "authfail:-5s", "crash:1s", "max:1s", "yes"} {
		if got, err := ParsePenalties(s); err == nil {
			t.Errorf("%q: %+v", s, got)
		}
	}
}

// TestPenalised: whoever has failed too often is told so, and others come in.
func TestPenalised(t *testing.T) {
	r := newRig(t, "", func(_ *rig, c *Config) {
		c.Penalties = Penalties{AuthFail: time.Hour, Min: time.Minute, Max: time.Hour}
		c.Exempt = "127.0.0.3"
	})
	for _, from := range []string{"127.0.0.2", "127.0.0.3"} {
		before := len(r.log.String())
		if _, stderr, status := run(t, r.ssh("wrong", "-b", from, "127.0.0.1", "true")); status != 255 || !strings.Contains(stderr, "Permission denied") {
			t.Errorf("%s: %q, %d", from, stderr, status)
		}
		r.logged(t, before)
	}
	r.await(t, 0, "no more logins from there")
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := d.Dial("tcp", "127.0.0.1:"+r.port)
	must(t, err)
	defer c.Close()
	if said, err := io.ReadAll(c); string(said) != notNow {
		t.Errorf("a source with a penalty is told %q, %v", said, err)
	}
	for _, from := range []string{"127.0.0.1", "127.0.0.3"} {
		if _, stderr, status := run(t, r.ssh("key", "-b", from, "127.0.0.1", "true")); status != 0 {
			t.Errorf("%s: %q, %d", from, stderr, status)
		}
	}
}
