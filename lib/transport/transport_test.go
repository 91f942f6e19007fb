package transport

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	for _, c := range []struct{ network, host, joined, split, rest string }{
		{"", "host", "host", TCP, "host"},
		{"tcp", "::1", "::1", TCP, "::1"},
		{"vsock", "3", "vsock/3", Vsock, "3"},
		{"", "vsock/local", "vsock/local", Vsock, "local"},
		{"unix", "/run/cpud", "unix//run/cpud", Unix, "/run/cpud"},
		{"unix", "vsock/3", "vsock/3", Vsock, "3"},
		{"unix-vsock", "/vm.sock", "vsock-mux//vm.sock", UnixVsock, "/vm.sock"},
	} {
		joined, err := Join(c.network, c.host)
		network, rest := Split(joined)
		if joined != c.joined || err != nil || network != c.split || rest != c.rest {
			t.Errorf("%s %s: %s, %v, %s %s", c.network, c.host, joined, err, network, rest)
		}
	}
	if _, err := Join("udp", "x"); err == nil {
		t.Error("udp is a network")
	}
	for _, host := range []string{"vsock/x", "vsock/", "vsock/4294967295", "vsock/-1"} {
		if _, err := Dial(context.Background(), "tcp", "", host, "1"); err == nil {
			t.Errorf("%s: dialled", host)
		}
	}
	for _, address := range []string{"vsock/1", "vsock/:x", "vsock-mux//x", "unix//none/there"} {
		if l, err := Listen(address); err == nil {
			l.Close()
			t.Errorf("%s: listened", address)
		}
	}
}

// TestUnix: a stale socket is replaced, one in use is not, and neither is a file.
func TestUnix(t *testing.T) {
	path := t.TempDir() + "/s"
	first, err := Listen("unix/" + path)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := Listen("unix/" + path); err == nil {
		l.Close()
		t.Error("two listen at one socket")
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false)
	first.Close()
	second, err := Listen("unix/" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	go func() {
		c, err := second.Accept()
		if err == nil {
			io.WriteString(c, "hello")
			c.Close()
		}
	}()
	c, err := Dial(t.Context(), "tcp", "", "unix/"+path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if b, err := io.ReadAll(c); string(b) != "hello" {
		t.Errorf("read %q, %v", b, err)
	}
}

// TestMonitor is the hybrid socket of Firecracker and Cloud Hypervisor.
func TestMonitor(t *testing.T) {
	path := t.TempDir() + "/vm"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(c).ReadString('\n')
			switch line {
			case "CONNECT 17010\n":
				fmt.Fprint(c, "OK 1073741824\nhello")
			case "CONNECT 2\n":
				fmt.Fprint(c, "no\n")
			}
			c.Close()
		}
	}()
	c, err := Dial(t.Context(), "tcp", "", "vsock-mux/"+path, "17010")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); string(b) != "hello" {
		t.Errorf("read %q, %v", b, err)
	}
	c.Close()
	for port, want := range map[string]string{"1": "nobody listens", "2": `the monitor says "no"`, "x": "not a port"} {
		if _, err := Dial(t.Context(), "tcp", "", "vsock-mux/"+path, port); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("port %s: %v, want %s", port, err, want)
		}
	}
	g, err := Listen("vsock-mux/" + path + ":5")
	if err != nil || g.Addr().String() != path+"_5" {
		t.Errorf("listening for the machine: %v, %v", g, err)
	} else {
		g.Close()
	}
}
