//go:build linux

package main

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestFlags(t *testing.T) {
	t.Setenv("HOME", "/home/maria")
	usual := flags{addresses: addresses{":17010"}, byDefault: true, hostKey: defaultHostKey(), mount: "auto"}
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
		{[]string{"-m", "/x", "-startups", "5", "-alive", "30s"}, func(f *flags) { f.controlDir, f.startups, f.alive = "/x", 5, 30*time.Second }, ""},
		{[]string{"-init", "-hostname", "h", "-modules", "m", "-klog"}, func(f *flags) { f.init, f.hostname, f.modules, f.klog = true, "h", "m", true }, ""},
		{[]string{"-i", "-init"}, nil, "-init and -i do not go together"},
		{[]string{"-net", "unix"}, nil, "-net unix: want -a path"},
		{[]string{"-net", "udp"}, nil, "-net udp: unknown network: want tcp, unix, vsock or unix-vsock"},
		{[]string{"-startups", "-1"}, nil, "-startups -1: want a number of connections"},
		{[]string{"-alive", "-1s"}, nil, "-alive -1s: want a time"},
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
	for _, f := range []string{"-a", "-i", "-hk", "-ak", "-mount", "-max", "-net", "-m", "-startups", "-alive", "-init", "-hostname", "-modules", "-klog", "-d", "-V"} {
		if !strings.Contains(usage, " "+f+" ") {
			t.Errorf("%s is not in the usage", f)
		}
	}
}
