//go:build linux

package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// A link is machines on one bridge, each a network namespace with a name of its own, as far as networks are concerned. The terminal is one.
type link struct {
	t     *testing.T
	name  string // what all that belongs to it begins with
	dir   string // of the terminal
	keys  string
	hosts int
}

var links atomic.Int32

// newLink makes a bridge in a network namespace, and the terminal on it.
func newLink(t *testing.T) *link {
	t.Helper()
	needs(t, "ip", "iproute2")
	needs(t, "nsenter", "util-linux")
	l := &link{t: t, name: fmt.Sprintf("cpu%d-%d", os.Getpid(), links.Add(1)), dir: t.TempDir(), keys: t.TempDir()}
	if out, err := exec.Command("ip", "netns", "add", l.name+"-bridge").CombinedOutput(); err != nil {
		t.Skipf("ip netns add: %v: %s: it takes root", err, out)
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", l.name+"-bridge").Run() })
	l.ip("-n", l.name+"-bridge", "link", "add", "name", "bridge0", "type", "bridge")
	l.ip("-n", l.name+"-bridge", "link", "set", "bridge0", "up")
	newKeys(t, l.keys)
	write(t, l.keys+"/here", []byte("cd /mnt/term/$dir\n"), 0o644)
	l.machine("term")
	return l
}

func (l *link) ip(args ...string) {
	l.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// machine adds a machine to the bridge, and gives its address.
func (l *link) machine(name string) string {
	l.t.Helper()
	l.apart(name)
	return l.plug(name)
}

// apart makes a machine that is not on the bridge yet.
func (l *link) apart(name string) {
	l.t.Helper()
	ns := l.name + "-" + name
	l.ip("netns", "add", ns)
	l.t.Cleanup(func() { exec.Command("ip", "netns", "del", ns).Run() })
	l.ip("-n", ns, "link", "set", "lo", "up")
}

// plug gives a machine an interface on the bridge, and an address that nobody has had, which it returns.
func (l *link) plug(name string) string {
	l.t.Helper()
	l.hosts++
	ns := l.name + "-" + name
	l.ip("link", "add", "eth0", "netns", ns, "type", "veth", "peer", "name", name, "netns", l.name+"-bridge")
	l.ip("-n", l.name+"-bridge", "link", "set", name, "master", "bridge0", "up")
	l.ip("-n", ns, "link", "set", "eth0", "addrgenmode", "none")
	l.ip("-n", ns, "link", "set", "eth0", "up")
	addr := fmt.Sprintf("10.17.1.%d", l.hosts)
	l.ip("-n", ns, "addr", "add", addr+"/24", "dev", "eth0")
	l.ip("-n", ns, "addr", "add", fmt.Sprintf("fe80::%d/64", l.hosts), "dev", "eth0", "nodad")
	// Multicast needs a route, of which there is one only to the machines that are there.
	l.ip("-n", ns, "route", "add", "default", "dev", "eth0")
	return addr
}

// cut takes a machine's cable out.
func (l *link) cut(name string) { l.ip("-n", l.name+"-bridge", "link", "set", name, "down") }

// on is a command on a machine.
func (l *link) on(name string, args ...string) *exec.Cmd {
	ns := "/run/netns/" + l.name + "-" + name
	c := exec.Command("nsenter", append([]string{"--net=" + ns, "unshare", "--uts", "sh", "-c", `hostname "$0" && exec "$@"`, name}, args...)...)
	c.Dir = l.dir
	return c
}

// serve starts a cpud on a machine that is made for it.
func (l *link) serve(name string, flags ...string) *rig {
	l.t.Helper()
	addr := l.machine(name)
	r := l.cpud(name, append([]string{"-dnssd"}, flags...)...)
	r.addr = addr + ":17010"
	return r
}

// cpud starts a cpud on a machine, with a key of its own.
func (l *link) cpud(name string, flags ...string) *rig {
	l.t.Helper()
	return l.daemon(name, programs+"/cpud", flags...)
}

// daemon is the same with cpud by another name.
func (l *link) daemon(name, program string, flags ...string) *rig {
	l.t.Helper()
	dir := l.t.TempDir()
	public := writeKey(l.t, dir+"/hostkey")
	l.know(name, public)
	r := &rig{t: l.t, dir: l.dir, keys: l.keys}
	r.start(l.on(name, append([]string{program, "-a", ":17010", "-hk", dir + "/hostkey", "-ak", l.keys + "/authorized", "-ttl", "4s"}, flags...)...))
	return r
}

// know has the terminal know a host's key.
func (l *link) know(name string, key ssh.PublicKey) {
	l.t.Helper()
	f, err := os.OpenFile(l.keys+"/known_hosts", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintf(f, "[%s.local]:17010 %s", name, ssh.MarshalAuthorizedKey(key))
}

// cpu is `cpu args...` at the terminal, without files.
func (l *link) cpu(args ...string) *exec.Cmd {
	all := []string{programs + "/cpu", "-F", "none", "-i", l.keys + "/key", "-o", "UserKnownHostsFile=" + l.keys + "/known_hosts",
		"-o", "GlobalKnownHostsFile=none", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "ControlMaster=no",
		"-o", "StrictHostKeyChecking=yes", "-n", "none", "-timeout", "10s"}
	return l.on("term", append(all, args...)...)
}

// see waits until what a `cpu -list -watch` shows matches.
func (l *link) see(uri, pattern string) {
	l.t.Helper()
	seen := newLineLog()
	c := l.cpu("-list", "-watch", "-json", "-timeout", "1s", uri)
	c.Stdout = seen
	var errs bytes.Buffer
	c.Stderr = &errs
	if err := c.Start(); err != nil {
		l.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { c.Wait(); seen.close(); close(ended) }()
	defer func() { <-ended }()
	defer c.Process.Signal(syscall.SIGTERM)
	if seen.find(regexp.MustCompile(pattern)) == "" {
		l.t.Fatalf("cpu -list ended before it showed %s\n%s%s", pattern, seen.text(), errs.String())
	}
}

// helper is this test binary on a machine, for what the programs do not do: the test run in it is named.
func (l *link) helper(machine, test string, env ...string) *exec.Cmd {
	self, err := filepath.Abs(os.Args[0])
	if err != nil {
		l.t.Fatal(err)
	}
	c := l.on(machine, self, "-test.run", "^"+test+"$", "-test.v")
	c.Env = append(os.Environ(), env...)
	c.Env = append(c.Env, guestPrograms+"="+programs)
	return c
}
