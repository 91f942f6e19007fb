//go:build linux

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// lessor is a DHCP server with a network of its own. It brings that up, asks for the cable, and serves it until it is asked to stop; the network
// stays until there is nobody who asks.
const lessor = `set -e
ip link set lo up
echo ready
read -r cable
ip address add 10.9.8.1/24 dev eth0
ip link set eth0 up
busybox udhcpd -f "$1" &
read -r stop || :
kill $!
wait $! || :
read -r end || :
`

// leases is what it serves: leases so short that they are renewed before the test is over.
const leases = `start 10.9.8.7
end 10.9.8.7
interface eth0
lease_file %/leases
pidfile %/pid
option subnet 255.255.255.0
option router 10.9.8.1
option dns 10.9.8.1
option domain example.org
option lease 4
`

// TestDHCP is an interface that comes once cpud runs: it is leased an address, keeps it, and loses it with the server.
func TestDHCP(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("a network of its own wants root: run this test as root")
	}
	ip := needs(t, "ip", "iproute2")
	needs(t, "busybox", "busybox-static")

	dir := t.TempDir()
	write(t, dir+"/conf", []byte(strings.ReplaceAll(leases, "%", dir)), 0o644)
	write(t, dir+"/leases", nil, 0o644)
	server := exec.Command("sh", "-c", lessor, "lessor", dir+"/conf")
	server.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	said := newLineLog()
	server.Stdout, server.Stderr = said, said
	plug, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { server.Wait(); said.close(); close(ended) }()
	t.Cleanup(func() {
		plug.Close()
		<-ended
		if t.Failed() {
			t.Logf("udhcpd said:\n%s", said.text())
		}
	})
	said.find(regexp.MustCompile("ready"))

	root := t.TempDir()
	r := newInit(t, root, "-dhcp", "eth?")
	must(t, exec.Command(ip, "link", "add", "eth0", "netns", fmt.Sprint(server.Process.Pid), "type", "veth",
		"peer", "name", "eth0", "netns", fmt.Sprint(r.daemon.Process.Pid)))
	if _, err := plug.Write([]byte("it is in\n")); err != nil {
		t.Fatal(err)
	}
	if got := r.log.find(regexp.MustCompile("dhcp.*")); got != "dhcp eth0: 10.9.8.7/24 for 4s" {
		t.Fatalf("no address, but it says %q", got)
	}
	// The first answer is of the lease, and the next ones are renewals.
	if said.count("sending ACK to 10.9.8.7", 3) < 3 {
		t.Fatal("the lease is not renewed")
	}
	session := func(script string) string { return must(t, r.at("unix/"+root+"/sock/cpud", "sh", "-c", script)) }
	network := session("ip -4 -brief address show eth0; ip route")
	for _, want := range []string{" 10.9.8.7/24", "default via 10.9.8.1 dev eth0 proto dhcp"} {
		if !strings.Contains(network, want) {
			t.Errorf("%q is not in\n%s", want, network)
		}
	}
	checkFile(t, root+"/etc/resolv.conf", "search example.org\nnameserver 10.9.8.1\n")

	if _, err := plug.Write([]byte("stop\n")); err != nil {
		t.Fatal(err)
	}
	if r.log.find(regexp.MustCompile("dhcp eth0: the lease has run out")) == "" {
		t.Fatal("the lease does not end")
	}
	if got := session("ip -4 -brief address show eth0"); got != "" {
		t.Errorf("without a lease there is %q", got)
	}
}
