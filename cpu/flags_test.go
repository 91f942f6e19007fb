package main

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"cpu/cpu/dial"
	"cpu/cpu/forward"
	"cpu/lib/dnssd"
)

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args string
		env  string // $cpu
		want flags
		err  string
	}{
		{args: "host", want: flags{host: "host"}},
		{args: "host -t -p 1 x", want: flags{host: "host", command: []string{"-t", "-p", "1", "x"}}},
		{args: "-- host -- x y", want: flags{host: "host", command: []string{"/bin/sh", "-c", "x y"}}},
		{args: "host --", want: flags{host: "host"}},
		{args: "host x -- y", want: flags{host: "host", command: []string{"x", "--", "y"}}},
		{args: "-G host", want: flags{configuration: true, host: "host"}},
		{args: "-G .", err: "-G: want the name of a host"},
		{args: "", env: "board", want: flags{host: "board"}},
		{args: "host", env: "board", want: flags{host: "host"}},
		{args: "-n a -n - -r /x -ro -P none host", want: flags{namespaces: []string{"a", "-"}, root: "/x", readOnly: true, patterns: "none", host: "host"}},
		{args: "-p 22 -l me -F none -i a -i b -o A=1 -o B=2 -J hop host", want: flags{port: "22", user: "me", config: "none",
			identities: []string{"a", "b"}, options: []string{"A=1", "B=2", "ProxyJump=hop"}, jump: "hop", host: "host"}},
		{args: "-ssh -J hop -p 22 host", want: flags{ssh: true, jump: "hop", port: "22", host: "host"}},
		{args: "-D /s -L /l:/c host", want: flags{local: []forward.Spec{{Listen: forward.Address{Path: "/s"}},
			{Listen: forward.Address{Path: "/l"}, Connect: forward.Address{Path: "/c"}}}, host: "host"}},
		{args: "-D 1080:host:80 host", err: `invalid value "1080:host:80" for flag -D: 1080:host:80: want [bind:]port, or a socket`},
		{args: "-net vsock 3", want: flags{network: "vsock", host: "3"}},
		{args: "-t -e A=1 -e B -E host", want: flags{tty: true, env: []string{"A=1", "B"}, noEnv: true, host: "host"}},
		{args: "-T -d -v -9 - host", want: flags{noTTY: true, debug: true, verbose: true, trace: "-", host: "host"}},
		{args: "-self sh -c x", want: flags{self: true, command: []string{"sh", "-c", "x"}}},
		{args: "-self", want: flags{self: true}},
		{args: "-srv a=/x -srv b=!c=d host", want: flags{services: []posting{{"a", "/x"}, {"b", "!c=d"}}, host: "host"}},
		{args: "-ctl host ls /", want: flags{control: true, host: "host", command: []string{"ls", "/"}}},
		{args: "-m /x -mount v9fs host", want: flags{controlDir: "/x", mount: "v9fs", host: "host"}},
		{args: "-top host", want: flags{top: true, host: "host"}},
		{args: "-attach 3 host", want: flags{attach: 3, host: "host"}},
		{args: "-V", want: flags{version: true}},
		{args: "", want: flags{host: ".", query: query(t, "dnssd:", true)}},
		{args: ". x", want: flags{host: ".", query: query(t, "dnssd:", true), command: []string{"x"}}},
		{args: "dnssd:?arch=* x", env: "board", want: flags{host: "dnssd:?arch=*", query: query(t, "dnssd:?arch=*", true), command: []string{"x"}}},
		{args: "-timeout 2s -dns a:1 -hosts 4 . x", want: flags{host: ".", query: query(t, "dnssd:", true), timeout: 2 * time.Second, nameServer: "a:1",
			hosts: 4, command: []string{"x"}}},
		{args: "-hosts all . x", want: flags{host: ".", query: query(t, "dnssd:", true), hosts: allHosts, command: []string{"x"}}},
		{args: "-list -watch -json", env: "board", want: flags{list: true, watch: true, json: true, host: ".", query: query(t, "dnssd:", false)}},
		{args: "-list dnssd:?a=b", want: flags{list: true, host: "dnssd:?a=b", query: query(t, "dnssd:?a=b", false)}},
		{args: "dnssd:?a", err: `dnssd:?a: at "a": want key=value`},
		{args: "-hosts 0 . x", err: `invalid value "0" for flag -hosts: want a number`},
		{args: "-hosts 2 host x", err: "-hosts: want . or a dnssd: URI"},
		{args: "-hosts 2 .", err: "-hosts: want a command"},
		{args: "-hosts 2 -t . x", err: "-hosts does not go together"},
		{args: "-list host", err: "-list: want . or a dnssd: URI"},
		{args: "-list . x", err: "-list: no command"},
		{args: "-json host", err: "-watch and -json are for -list"},
		{args: "-ssh .", err: "-ssh and -net are for hosts"},
		{args: "-timeout 0s .", err: "-timeout 0s: want a time"},
		{args: "-t -T host", err: "-t and -T do not go together"},
		{args: "-attach 3 host ls", err: "-attach: the session has a command already"},
		{args: "-attach -1 host", err: "-attach -1: want the number"},
		{args: "-mount nfs host", err: "-mount nfs: want auto, fuse or v9fs"},
		{args: "-ctl -m /x host", err: "-ctl, -m and -top do not go together"},
		{args: "-ssh -net vsock host", err: "-ssh, -net and -self do not go together"},
		{args: "-nosuch host", err: "flag provided but not defined: -nosuch"},
		{args: "-p", err: "flag needs an argument: -p"},
	} {
		got, err := parseFlags(strings.Fields(c.args), func(name string) string { return map[string]string{"cpu": c.env}[name] })
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("cpu %s: %v, want %s", c.args, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("cpu %s: %v", c.args, err)
			continue
		}
		if c.want.root == "" {
			c.want.root = "/"
		}
		if c.want.timeout == 0 {
			c.want.timeout = dnssd.DefaultTimeout
		}
		if c.want.mount == "" {
			c.want.mount = "auto"
		}
		if len(got.command) == 0 {
			got.command = nil
		}
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("cpu %s: %+v, want %+v", c.args, *got, c.want)
		}
	}
	if _, err := parseFlags([]string{"-h"}, func(string) string { return "" }); !errors.Is(err, errHelp) {
		t.Errorf("-h: %v", err)
	}
}

// TestThroughSSHOptions: the same words make the same options, in one order, for shared connections are told apart by them.
func TestThroughSSHOptions(t *testing.T) {
	f := &flags{host: "me@there", user: "me", port: "22", config: "c", jump: "hop", identities: []string{"it's"}, options: []string{"A=%h"}}
	want := []string{`ProxyCommand='ssh' '-q' '-T' '-l' 'me' '-p' '22' '-F' 'c' '-J' 'hop' '-i' 'it'\''s' '-o' 'A=%%h' '--' 'me@there' 'cpud' '-i' `,
		"HostKeyAlias=cpud.there", "StrictHostKeyChecking=accept-new", "ProxyJump=none"}
	for range 20 {
		if got := throughSSH(f); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q, want %q", got, want)
		}
	}
}

func TestCommand(t *testing.T) {
	sh := func(line string) []string { return []string{"/bin/sh", "-c", line} }
	for _, c := range []struct{ words, want []string }{
		{nil, nil},
		{[]string{"ls"}, []string{"ls"}},
		{[]string{"/usr/bin/x-y_z.1+2,3:4@5^6"}, []string{"/usr/bin/x-y_z.1+2,3:4@5^6"}},
		{[]string{"ls | wc"}, sh("ls | wc")},
		{[]string{"a;b"}, sh("a;b")},
		{[]string{"$HOME/x"}, sh("$HOME/x")},
		{[]string{"git-upload-pack '/x'"}, sh("git-upload-pack '/x'")},
		{[]string{"ls", "a b", "|", "$x"}, []string{"ls", "a b", "|", "$x"}},
		{[]string{""}, []string{""}},
		{[]string{"/opt/a program", "b c"}, []string{"/opt/a program", "b c"}},
		{[]string{" orted", "-mca", "ess", `"env"`}, sh(` orted -mca ess "env"`)},
		{[]string{"PATH=/x:$PATH ; export PATH ; orted", "-mca"}, sh("PATH=/x:$PATH ; export PATH ; orted -mca")},
		{[]string{`"/usr/bin/hydra_pmi_proxy"`, "--rmk", "user"}, sh(`"/usr/bin/hydra_pmi_proxy" --rmk user`)},
	} {
		if got := command(c.words); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %q, want %q", c.words, got, c.want)
		}
	}
}

func TestNoFiles(t *testing.T) {
	for _, c := range []struct {
		names string
		want  bool
	}{{"", false}, {"none", true}, {"none none", true}, {"none x", false}, {"-", false}} {
		if got := (&flags{namespaces: strings.Fields(c.names)}).noFiles(); got != c.want {
			t.Errorf("%q: %v, want %v", c.names, got, c.want)
		}
	}
}

// query is a URI with the usual requirements, or without them.
func query(t *testing.T, uri string, usual bool) *dnssd.Query {
	t.Helper()
	q, err := dnssd.ParseQuery(uri)
	if err != nil {
		t.Fatal(err)
	}
	if usual {
		q.Default(runtime.GOARCH, runtime.GOOS)
	}
	return q
}

// TestForwardSpecs: the configuration adds to the flags; and where it says so, what has no host to listen at listens on every address.
func TestForwardSpecs(t *testing.T) {
	f, err := parseFlags(strings.Fields("-L 1:a:2 -L localhost:3:a:4 -L /s:/c -D 5 -R 6:a:7 host"), func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	for gateway, want := range map[bool]string{false: "localhost:1 localhost:3 /s localhost:5 localhost:8 localhost:9", true: ":1 localhost:3 /s :5 :8 :9"} {
		local, remote, err := f.specs(&dial.Host{LocalForwards: []string{"8:a:10"}, DynamicForwards: []string{"9"}, RemoteForwards: []string{"11"}, GatewayPorts: gateway})
		var got []string
		for _, s := range local {
			got = append(got, s.Listen.String())
		}
		if err != nil || strings.Join(got, " ") != want || len(remote) != 2 || remote[0].Listen.Host != "localhost" || remote[1].Listen.Port != 11 {
			t.Errorf("GatewayPorts %v: %v, %v, %v; want %s", gateway, got, remote, err, want)
		}
	}
}
