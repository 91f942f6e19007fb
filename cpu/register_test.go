//go:build linux

package main_test

import (
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
)

// TestRegister: a controller is told once that cpud listens; without one cpud does not stay.
func TestRegister(t *testing.T) {
	controller, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer controller.Close()
	r := newRig(t, "-register", controller.Addr().String())
	c, err := controller.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); string(b) != "ok" || err != nil {
		t.Errorf("the controller is told %q, %v", b, err)
	}
	c.Close()
	if got := must(t, r.terminal(nil, "echo", "here")); got != "here\n" {
		t.Errorf("said %q", got)
	}

	path := t.TempDir() + "/controller"
	_, errs, status := run(t, exec.Command(programs+"/cpud", "-a", "127.0.0.1:0", "-hk", r.keys+"/hostkey", "-ak", r.keys+"/authorized", "-register", "unix/"+path))
	if status != 1 || !strings.Contains(errs, "cpud: register at unix/"+path+": dial unix "+path) {
		t.Errorf("exit status %d: %s", status, errs)
	}
}
