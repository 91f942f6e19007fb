//go:build linux

package main_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// TestLinks: a server is announced, to those who do not ask, on an interface that comes once it runs, with its address, with another one, and when
// it has gone and comes back; who asks is answered there, with the addresses that there are.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"-dnssd"}, {"-dnssd", "-interface", "eth0"}} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			t.Parallel()
			testLinks(t, flags)
		})
	}
}

func testLinks(t *testing.T, flags []string) {
	l := newLink(t)
	l.apart("h1")
	l.cpud("h1", flags...)
	heard := newLineLog()
	l.assist("term", "TestHearer", hearer+"=yes", heard)
	if heard.find(regexp.MustCompile("^"+hearerReady)) == "" {
		t.Fatalf("nobody listens:\n%s", heard.text())
	}
	// hears waits until the address has been announced, and then asks.
	hears := func(addr string) {
		t.Helper()
		quoted := regexp.QuoteMeta(addr)
		if heard.find(regexp.MustCompile(`^h1\._ncpu\._tcp\.local\. \S*\b`+quoted+`\b`)) == "" {
			t.Fatalf("%s is not announced:\n%s", addr, heard.text())
		}
		l.see("dnssd:", `^\[{"name":"h1",.*"addresses":\["`+quoted+`"(,"fe80:[^"]*")*\]`)
	}
	hears(l.plug("h1"))
	// What comes in by a port of a bridge, as a container has one, is heard at the bridge.
	ns := l.name + "-h1"
	l.ip("-n", ns, "link", "add", "name", "docker0", "type", "bridge")
	l.ip("-n", ns, "link", "add", "name", "inside", "type", "veth", "peer", "name", "port")
	l.ip("-n", ns, "link", "set", "port", "master", "docker0", "up")
	l.ip("-n", ns, "addr", "add", "10.20.0.1/24", "dev", "port")
	l.ip("-n", ns, "addr", "add", "10.17.1.99/24", "dev", "eth0")
	if heard.find(regexp.MustCompile(`10\.17\.1\.99`)) == "" {
		t.Fatalf("the second address is not announced:\n%s", heard.text())
	}
	for device, member := range map[string]bool{"eth0": true, "port": false} {
		if groups := must(t, exec.Command("ip", "-n", ns, "maddress", "show", "dev", device)); strings.Contains(groups, " 224.0.0.251") != member {
			t.Errorf("the groups of %s:\n%s", device, groups)
		}
	}
	// With the first goes the other, which is of the same network, unless it is told to stay.
	must(t, l.on("h1", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/eth0/promote_secondaries"))
	l.ip("-n", ns, "addr", "del", "10.17.1.2/24", "dev", "eth0")
	l.see("dnssd:", `^\[{"name":"h1",.*"addresses":\["10\.17\.1\.99"(,"fe80:[^"]*")*\]`)
	l.ip("-n", ns, "link", "del", "eth0")
	l.see("dnssd:", `^\[\]`)
	hears(l.plug("h1"))
	if out := must(t, l.cpu("dnssd://h1._ncpu._tcp/", "hostname")); out != "h1\n" {
		t.Errorf("%q", out)
	}
	// An address of the link is one too, with the interface that the terminal has there.
	l.ip("-n", ns, "-4", "addr", "flush", "dev", "eth0")
	l.see("dnssd:", `^\[{"name":"h1",.*"addresses":\["fe80:[^"]*%eth0"\]`)
	if out := must(t, l.cpu("dnssd://h1._ncpu._tcp/", "hostname")); out != "h1\n" {
		t.Errorf("over IPv6: %q", out)
	}
}

// TestNames: an instance is found by the name, the service and the domain that cpud is told to announce, and not by others.
func TestNames(t *testing.T) {
	t.Parallel()
	l := newLink(t)
	l.serve("h1", "-instance", "Big one, no. 1", "-service", "_work._tcp", "-domain", "lan")
	known, err := os.ReadFile(l.keys + "/known_hosts")
	if err != nil {
		t.Fatal(err)
	}
	write(t, l.keys+"/known_hosts", []byte(strings.ReplaceAll(string(known), "[h1.local]", "[h1.lan]")), 0o600)
	l.see("dnssd://_work._tcp.lan", `^\[{"name":"Big one, no\. 1","service":"_work\._tcp","domain":"lan","host":"h1\.lan"`)
	for _, uri := range []string{"dnssd://big%20one,%20no.%201._work._tcp.lan/", "dnssd://lan/_work._tcp/Big%20one,%20no.%201", "dnssd://_work._tcp.lan"} {
		if out := must(t, l.cpu(uri, "sh", "-c", "echo `hostname`: $cpuhost")); out != "h1: Big one, no. 1\n" {
			t.Errorf("%s: %q", uri, out)
		}
	}
	for _, uri := range []string{"dnssd:", "dnssd://_work._tcp", "dnssd://lan"} {
		if _, errs, status := run(t, l.cpu("-timeout", "1s", uri, "true")); status != 255 || !strings.Contains(errs, uri+": nobody answers") {
			t.Errorf("%s: %q, exit status %d", uri, errs, status)
		}
	}
}

const (
	hearer      = "CPU_TEST_HEAR"
	hearerReady = "all ears"
)

// TestHearer says what hosts are announced on eth0, a line each with the instance and its addresses, until the end of its input, and asks for
// nothing. It is run by TestLinks, and otherwise does nothing.
func TestHearer(t *testing.T) {
	if os.Getenv(hearer) == "" {
		return
	}
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenMulticastUDP("udp4", eth0, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353})
	if err != nil {
		t.Fatal(err)
	}
	var hearing sync.WaitGroup
	hearing.Go(func() {
		for packet := make([]byte, 9000); ; {
			n, err := conn.Read(packet)
			if err != nil {
				return // closed
			}
			var m dns.Msg
			if m.Unpack(packet[:n]) != nil || !m.Response {
				continue
			}
			var instance string
			var addrs []string
			for _, r := range m.Answer {
				switch r := r.(type) {
				case *dns.SRV:
					instance = r.Hdr.Name
				case *dns.A:
					addrs = append(addrs, r.A.String())
				}
			}
			if instance != "" {
				fmt.Println(instance, strings.Join(addrs, ","))
			}
		}
	})
	fmt.Println(hearerReady)
	io.Copy(io.Discard, os.Stdin)
	conn.Close()
	hearing.Wait()
}
