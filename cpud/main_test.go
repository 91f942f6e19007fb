//go:build linux

package main

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"cpu/cpud/server"
	"cpu/lib/dnssd"
)

func TestFlags(t *testing.T) {
	t.Setenv("HOME", "/home/maria")
	usual := flags{addresses: addresses{":17010"}, byDefault: true, hostKey: defaultHostKey(), mount: "auto", registerTO: 5 * time.Second,
		startups: server.DefaultStartups, penalties: server.DefaultPenalties, grace: 2 * time.Minute, tries: 6, channels: server.DefaultMaxChannels}
	usual.dnssd.announcement.Name = dnssd.Name{Service: "_ncpu._tcp", Domain: "local"}
	for _, c := range []struct {
		args []string
		want func(f *flags)
		err  string
	}{
		{nil, func(*flags) {}, ""},
		{[]string{"-a", "127.0.0.1:0", "-a", "[::1]:0"}, func(f *flags) { f.addresses, f.byDefault = addresses{"127.0.0.1:0", "[::1]:0"}, false }, ""},
		{[]string{"-hk", "h", "-ak", "a", "-mount", "v9fs", "-max", "3", "-d"},
			func(f *flags) { f.hostKey, f.keys, f.mount, f.max, f.debug = "h", "a", "v9fs", 3, true }, ""},
		{[]string{"-i"}, func(f *flags) { f.stdio, f.addresses, f.byDefault = true, nil, false }, ""},
		{[]string{"-net", "vsock"}, func(f *flags) { f.network, f.addresses = "vsock", addresses{"vsock/:17010"} }, ""},
		{[]string{"-net", "unix", "-a", "/s", "-a", "vsock/:1"}, func(f *flags) {
			f.network, f.addresses, f.byDefault = "unix", addresses{"unix//s", "vsock/:1"}, false
		}, ""},
		{[]string{"-m", "/x", "-startups", "5", "-alive", "30s"}, func(f *flags) {
			f.controlDir, f.startups, f.alive = "/x", server.Startups{Start: 5, Rate: 100, Full: 5}, 30*time.Second
		}, ""},
		{[]string{"-startups", "1:2:3", "-grace", "1s", "-tries", "2", "-channels", "3", "-idle", "1h"}, func(f *flags) {
			f.startups, f.grace, f.tries, f.channels, f.idle = server.Startups{Start: 1, Rate: 2, Full: 3}, time.Second, 2, 3, time.Hour
		}, ""},
		{[]string{"-penalties", "no", "-exempt", "10.0.0.0/8", "-revoked", "r", "-syslog"}, func(f *flags) {
			f.penalties, f.exempt, f.revoked, f.syslog = server.Penalties{}, "10.0.0.0/8", "r", true
		}, ""},
		{[]string{"-klog", "-syslog"}, nil, "-klog and -syslog do not go together"},
		{[]string{"-grace", "0s"}, nil, "-grace 0s: want a time"},
		{[]string{"-idle", "-1s"}, nil, "-idle -1s: want a time"},
		{[]string{"-tries", "0"}, nil, "-tries 0: want a number of keys"},
		{[]string{"-channels", "0"}, nil, "-channels 0: want a number of channels"},
		{[]string{"-penalties", "crash:1s"}, nil, `invalid value "crash:1s" for flag -penalties: crash:1s: want authfail, noauth, grace-exceeded, min or max, a colon and a time; or no`},
		{[]string{"-init", "-hostname", "h", "-modules", "m", "-klog"}, func(f *flags) { f.init, f.hostname, f.modules, f.klog = true, "h", "m", true }, ""},
		{[]string{"-init", "-dhcp", "eth*", "-register", "h:1", "-registerTO", "1s"},
			func(f *flags) { f.init, f.dhcp, f.register, f.registerTO = true, "eth*", "h:1", time.Second }, ""},
		{[]string{"-dhcp", "["}, nil, "-dhcp [: syntax error in pattern"},
		{[]string{"-registerTO", "0"}, nil, "-registerTO 0s: want a time"},
		{[]string{"-i", "-register", "h:1"}, nil, "-register and -i do not go together"},
		{[]string{"-i", "-init"}, nil, "-init and -i do not go together"},
		{[]string{"-net", "unix"}, nil, "-net unix: want -a path"},
		{[]string{"-net", "udp"}, nil, "-net udp: unknown network: want tcp, unix, vsock or unix-vsock"},
		{[]string{"-startups", "-1"}, nil, `invalid value "-1" for flag -startups: -1: "-1" is not a number of connections`},
		{[]string{"-alive", "-1s"}, nil, "-alive -1s: want a time"},
		{[]string{"-dnssd", "-txt", "near=storage,secure", "-instance", "i", "-service", "_x._tcp", "-domain", "d", "-interface", "a", "-interface", "b",
			"-ttl", "10s", "-relay", ":1"}, func(f *flags) {
			f.dnssd = announcing{on: true, text: dnssd.Text{"near": "storage", "secure": "true"}, relay: ":1",
				announcement: dnssd.Announcement{Name: dnssd.Name{Instance: "i", Service: "_x._tcp", Domain: "d"}, Interfaces: []string{"a", "b"}, TTL: 10 * time.Second}}
		}, ""},
		{[]string{"-i", "-dnssd"}, nil, "-dnssd and -i do not go together"},
		{[]string{"-txt", "a,a"}, nil, `invalid value "a,a" for flag -txt: "a": the key is there twice`},
		{[]string{"-V"}, func(f *flags) { f.version = true }, ""},
		{[]string{"-i", "-a", ":1"}, nil, "-a and -i do not go together"},
		{[]string{"-mount", "nfs"}, nil, "-mount nfs: want auto, fuse or v9fs"},
		{[]string{"-max", "-1"}, nil, "-max -1: want a number of sessions"},
		{[]string{"host"}, nil, "host: no arguments are wanted"},
		{[]string{"-x"}, nil, "flag provided but not defined: -x"},
	} {
		got, err := parseFlags(c.args)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%q: %v, want %s", c.args, err, c.err)
			}
			continue
		}
		want := usual
		c.want(&want)
		if err != nil || !reflect.DeepEqual(*got, want) {
			t.Errorf("%q: %+v, %v; want %+v", c.args, got, err, want)
		}
	}
}

// TestUsage: every flag is in the usage.
func TestUsage(t *testing.T) {
	for _, f := range []string{"-a", "-i", "-hk", "-ak", "-mount", "-max", "-dnssd", "-txt", "-instance", "-service", "-domain", "-interface", "-ttl", "-relay", "-net", "-m", "-startups", "-alive", "-init", "-hostname", "-modules", "-dhcp", "-register", "-registerTO",
		"-klog", "-syslog",
		"-revoked", "-idle", "-grace", "-tries", "-penalties", "-exempt", "-channels", "-d", "-V"} {
		if !strings.Contains(usage, " "+f+" ") {
			t.Errorf("%s is not in the usage", f)
		}
	}
}
