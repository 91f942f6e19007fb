//go:build linux

package server

import (
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	from := &net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 1234}
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		options []string
		want    keyRights
		ok      bool
	}{
		{nil, keyRights{}, true},
		{[]string{`command="echo \"hi\""`}, keyRights{command: `echo "hi"`}, true},
		{[]string{`command="a"`, `command="b"`}, keyRights{}, false},
		{[]string{"command=ls"}, keyRights{}, false},
		{[]string{"command"}, keyRights{}, false},
		{[]string{"restrict", "pty"}, keyRights{noForwarding: true, noAgent: true}, true},
		{[]string{"RESTRICT"}, keyRights{noTTY: true, noForwarding: true, noAgent: true}, true},
		{[]string{"restrict", "port-forwarding"}, keyRights{noTTY: true, noAgent: true}, true},
		{[]string{"restrict", "agent-forwarding"}, keyRights{noTTY: true, noForwarding: true}, true},
		{[]string{"no-port-forwarding"}, keyRights{noForwarding: true}, true},
		{[]string{"no-agent-forwarding"}, keyRights{noAgent: true}, true},
		{[]string{`permitopen="h:1"`, `permitopen="[::1]:*"`}, keyRights{connect: []permit{{"h", 1}, {"::1", 0}}}, true},
		{[]string{`permitlisten="80"`, `permitlisten="localhost:*"`}, keyRights{listen: []permit{{"*", 80}, {"localhost", 0}}}, true},
		{[]string{`permitopen="1"`}, keyRights{}, false},
		{[]string{`permitopen="h:0"`}, keyRights{}, false},
		{[]string{`permitopen="h:65536"`}, keyRights{}, false},
		{[]string{"no-pty"}, keyRights{noTTY: true}, true},
		{[]string{`no-pty="x"`}, keyRights{}, false},
		{[]string{"no-touch-required"}, keyRights{noTouch: true}, true},
		{[]string{"verify-required"}, keyRights{}, false},
		{[]string{`environment="A=b c"`, `environment="_B1=="`}, keyRights{env: []string{"A=b c", "_B1=="}}, true},
		{[]string{`environment="A"`}, keyRights{}, false},
		{[]string{`environment="1A=b"`}, keyRights{}, false},
		{[]string{"environment=\"A=\x00\""}, keyRights{}, false},
		{[]string{"X11-forwarding", "no-user-rc", `tunnel="0"`}, keyRights{}, true},
		{[]string{`from="192.0.2.0/24"`}, keyRights{}, true},
		{[]string{`from="192.0.2.?"`}, keyRights{}, true},
		{[]string{`from="10.0.0.0/8, 192.0.2.7"`}, keyRights{}, true},
		{[]string{`from="10.0.0.0/8"`}, keyRights{}, false},
		{[]string{`from="!192.0.2.7,192.0.2.*"`}, keyRights{}, false},
		{[]string{`from="192.0.2.*,!192.0.2.0/28"`}, keyRights{}, false},
		{[]string{`from="!10.0.0.0/8"`}, keyRights{}, false},
		{[]string{`from="192.0.2.[7]"`}, keyRights{}, false},
		{[]string{`from="terminal.example"`}, keyRights{}, false},
		{[]string{`from=""`}, keyRights{}, false},
		{[]string{`expiry-time="20260602"`}, keyRights{}, true},
		{[]string{`expiry-time="202606011159Z"`}, keyRights{}, false},
		{[]string{`expiry-time="20260601120001Z"`}, keyRights{}, true},
		{[]string{`expiry-time="20260601120000Z"`}, keyRights{}, false},
		{[]string{`expiry-time="20261301Z"`}, keyRights{}, false},
		{[]string{`expiry-time="tomorrow"`}, keyRights{}, false},
		{[]string{"cert-authority"}, keyRights{authority: true}, true},
		{[]string{`principals="a,b"`, "cert-authority"}, keyRights{authority: true, principals: []string{"a", "b"}}, true},
		{[]string{`principals="a"`}, keyRights{}, false},
		{[]string{`principals=","`, "cert-authority"}, keyRights{}, false},
		{[]string{"no-such-option"}, keyRights{}, false},
	} {
		got, err := parseOptions(c.options, from, now)
		if (err == nil) != c.ok || err == nil && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v; want %+v, %v", c.options, got, err, c.want, c.ok)
		}
	}
}

// TestFrom: addresses as connections have them.
func TestFrom(t *testing.T) {
	for _, c := range []struct {
		list string
		from net.Addr
		want bool
	}{
		{"*", &net.TCPAddr{IP: net.IPv6loopback}, true},
		{"::1", &net.TCPAddr{IP: net.IPv6loopback}, true},
		{"fe80::/10", &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}, true},
		{"192.0.2.0/24", &net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1")}, true},
		{"*", &net.UnixAddr{Name: "@", Net: "unix"}, false}, // no address at all
	} {
		if got := fromMatches(c.list, c.from); got != c.want {
			t.Errorf("from=%q for %v: %v, want %v", c.list, c.from, got, c.want)
		}
	}
}

// TestPermits: what may be forwarded of a few places.
func TestPermits(t *testing.T) {
	places := []permit{{"db", 1}, {"db", 2}, {"localhost", 1}}
	const all = "db:1 db:2 localhost:1"
	for _, c := range []struct {
		options         string
		connect, listen string
		sockets, agent  bool
	}{
		{"pty", all, all, true, true},
		{"restrict", "", "", false, false},
		{"no-port-forwarding", "", "", false, true},
		{"no-agent-forwarding", all, all, true, false},
		{`permitopen="db:1"`, "db:1", all, false, true},
		{`permitopen="*:1"`, "db:1 localhost:1", all, false, true},
		{`permitopen="d*:1"`, "", all, false, true}, // not a pattern
		{`permitopen="db:*"`, "db:1 db:2", all, false, true},
		{`permitlisten="1"`, all, "db:1 localhost:1", false, true},
		{`permitlisten="local*:1"`, all, "localhost:1", false, true},
	} {
		r, err := parseOptions([]string{c.options}, nil, time.Time{})
		must(t, err)
		var connect, listen []string
		for _, p := range places {
			if r.mayConnect(p.host, p.port) {
				connect = append(connect, fmt.Sprintf("%s:%d", p.host, p.port))
			}
			if r.mayListen(p.host, p.port) {
				listen = append(listen, fmt.Sprintf("%s:%d", p.host, p.port))
			}
		}
		if got := strings.Join(connect, " "); got != c.connect {
			t.Errorf("%s: may connect to %q, want %q", c.options, got, c.connect)
		}
		if got := strings.Join(listen, " "); got != c.listen {
			t.Errorf("%s: may listen at %q, want %q", c.options, got, c.listen)
		}
		if r.mayForwardSockets() != c.sockets || r.mayForwardAgent() != c.agent {
			t.Errorf("%s: sockets %v, agent %v", c.options, r.mayForwardSockets(), r.mayForwardAgent())
		}
	}
}
