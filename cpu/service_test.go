//go:build linux

package main_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestServices is about 9P services of the terminal in a session, and of a session at the terminal.
func TestServices(t *testing.T) {
	r := newRig(t)
	diod := needs(t, "/usr/sbin/diod", "diod")
	tree := t.TempDir()
	write(t, tree+"/file", []byte("diod's\n"), 0o644)
	c := r.terminal([]string{"-srv", "disk=!exec " + diod + " -f -n -N -r 0 -w 1 -c /dev/null -L stderr -e " + tree, "-n", "default", "-n", "-"},
		"sh", "-c", "cat /mnt/disk/file; echo new > /mnt/disk/new; ls /srv")
	c.Stdin = strings.NewReader("mount /srv/disk /mnt/disk " + tree + "\n")
	if got := must(t, c); got != "diod's\ncpu\ndisk\nterm\n" {
		t.Errorf("said %q", got)
	}
	if got := must(t, exec.Command("cat", tree+"/new")); got != "new\n" {
		t.Errorf("written: %q", got)
	}
	for _, test := range []struct{ srv, err string }{
		{"disk=acme", "cpu: -srv disk: dial unix /tmp/ns.glenda._x_:7/acme: connect: no such file or directory\n"},
		{"disk", "cpu: invalid value \"disk\" for flag -srv: -srv disk: want name=addr\n"},
		{"disk=/none/there", "cpu: -srv disk: dial unix /none/there: connect: no such file or directory\n"},
		{"disk=udp!x", "cpu: -srv disk: udp!x: want unix!path or tcp!host!port\n"},
		{"disk=plumb", "cpu: -srv disk: dial unix /ns/plumb: connect: no such file or directory\n"},
	} {
		c := r.terminal([]string{"-srv", test.srv}, "true")
		c.Env = append(c.Environ(), "NAMESPACE=/ns")
		if test.srv == "disk=acme" {
			c.Env = append(c.Environ(), "NAMESPACE=", "USER=glenda", "DISPLAY=/x/:7.0")
		}
		if _, errs, status := run(t, c); errs != test.err || status != 255 {
			t.Errorf("-srv %s: %q, exit status %d", test.srv, errs, status)
		}
	}

	python := needs(t, "/usr/bin/python3", "python3")
	session := r.terminal([]string{"-n", "none"}, python, "-uc", `
import socket, os
s = socket.socket(socket.AF_UNIX)
s.bind("/srv/echo")
s.listen()
print("up")
c, _ = s.accept()
data = b""
while True:
	more = c.recv(100)
	if not more: break
	data += more
c.sendall(data.upper())
`)
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	defer session.Process.Kill()
	out.Read(make([]byte, 3))
	number, _, _ := strings.Cut(must(t, r.terminal([]string{"-ctl"}, "ls")), "/")
	dial := r.terminal([]string{"-ctl"}, "dial", number+"/echo")
	dial.Stdin = strings.NewReader("hello\n")
	if got := must(t, dial); got != "HELLO\n" {
		t.Errorf("through the socket: %q", got)
	}
	if err := session.Wait(); err != nil {
		t.Error(err)
	}
	if _, errs, status := run(t, r.terminal([]string{"-ctl"}, "dial", number+"/echo")); status != 255 || errs != "cpu: 127.0.0.1: the server has no dial "+number+" echo\n" {
		t.Errorf("after the end: %q, exit status %d", errs, status)
	}
}
