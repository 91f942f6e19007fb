//go:build linux

package server

import (
	"net"
	"reflect"
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
		{[]string{"restrict", "pty"}, keyRights{}, true},
		{[]string{"RESTRICT"}, keyRights{noTTY: true}, true},
		{[]string{"no-pty"}, keyRights{noTTY: true}, true},
		{[]string{`no-pty="x"`}, keyRights{}, false},
		{[]string{"no-touch-required"}, keyRights{noTouch: true}, true},
		{[]string{"verify-required"}, keyRights{}, false},
		{[]string{`environment="A=b c"`, `environment="_B1=="`}, keyRights{env: []string{"A=b c", "_B1=="}}, true},
		{[]string{`environment="A"`}, keyRights{}, false},
		{[]string{`environment="1A=b"`}, keyRights{}, false},
		{[]string{"environment=\"A=\x00\""}, keyRights{}, false},
		{[]string{`permitopen="h:1"`, "no-agent-forwarding", "X11-forwarding", `tunnel="0"`}, keyRights{}, true},
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
		{[]string{"cert-authority"}, keyRights{}, false},
		{[]string{`principals="a"`}, keyRights{}, false},
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
