//go:build linux

package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// reach reads a file of the terminal's on the rig's server, which listens where host says.
func (r *rig) reach(host string, flags ...string) *exec.Cmd {
	write(r.t, r.dir+"/file", []byte("the terminal's\n"), 0o644)
	c := r.at(host, "cat", "file")
	i := len(c.Args) - 3 // of the host
	c.Args = slices.Insert(c.Args, i, flags...)
	return c
}

// at is a command for the rig's server, which listens where host says.
func (r *rig) at(host string, words ...string) *exec.Cmd {
	args := append([]string{"-F", "none", "-i", r.keys + "/key", "-o", "UserKnownHostsFile=" + r.keys + "/known_hosts", "-o", "HostKeyAlias=cputest",
		"-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "ControlMaster=no"}, r.flags...)
	c := exec.Command(programs+"/cpu", append(append(args, host), words...)...)
	c.Dir = r.dir
	return c
}

// listening is a rig whose cpud is started as given.
func listening(t *testing.T, argv func(keys string) *exec.Cmd) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), keys: t.TempDir()}
	newKeys(t, r.keys, "cputest")
	write(t, r.keys+"/here", []byte("cd /mnt/term/$dir\n"), 0o644)
	r.flags = []string{"-n", "default", "-n", r.keys + "/here"}
	r.start(argv(r.keys))
	return r
}

func TestUnixTransport(t *testing.T) {
	path := t.TempDir() + "/cpud"
	r := listening(t, func(keys string) *exec.Cmd {
		return exec.Command(programs+"/cpud", "-net", "unix", "-a", path, "-hk", keys+"/hostkey", "-ak", keys+"/authorized")
	})
	for _, c := range []*exec.Cmd{r.reach("unix/" + path), r.reach(path, "-net", "unix")} {
		if got := must(t, c); got != "the terminal's\n" {
			t.Errorf("said %q", got)
		}
	}
	if !strings.Contains(r.log.text(), fmt.Sprintf(`msg=login from="unix uid=%d pid=`, os.Getuid())) {
		t.Errorf("the log does not say who came:\n%s", r.log.text())
	}
}

// TestInherited is cpud as a service manager starts it, with sockets that listen already.
func TestInherited(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l.Close()
	r := listening(t, func(keys string) *exec.Cmd {
		c := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"`, "sh", programs+"/cpud", "-hk", keys+"/hostkey", "-ak", keys+"/authorized")
		c.ExtraFiles = []*os.File{f}
		return c
	})
	if r.addr != l.Addr().String() || strings.Count(r.log.text(), "listening") != 1 {
		t.Errorf("it listens at %s:\n%s", r.addr, r.log.text())
	}
	host, port, _ := strings.Cut(r.addr, ":")
	if got := must(t, r.reach(host, "-p", port)); got != "the terminal's\n" {
		t.Errorf("said %q", got)
	}
}

// TestThroughSSH reaches a cpud that nobody has started, through a stock sshd.
func TestThroughSSH(t *testing.T) {
	r := newRig(t)
	sshd := newSSHD(t, r)
	write(t, r.keys+"/cpud", []byte("#!/bin/sh\nexec "+programs+"/cpud -hk "+r.keys+"/hostkey2 -ak "+r.keys+"/authorized \"$@\"\n"), 0o755)
	port := sshd.flags[5]
	config := fmt.Sprintf("Host there\n\tHostName 127.0.0.1\n\tUserKnownHostsFile %s/known_hosts %[1]s/known2\n\tHostKeyAlias cputest\n\tIdentitiesOnly yes\n\tControlMaster no\n", r.keys)
	write(t, r.keys+"/config", []byte(config), 0o600)
	write(t, r.dir+"/file", []byte("the terminal's\n"), 0o644)
	for range 2 { // the second time the key is known
		c := exec.Command(programs+"/cpu", append(append([]string{"-ssh", "-F", r.keys + "/config", "-p", port, "-i", r.keys + "/key"}, r.flags...), "there", "cat", "file")...)
		c.Dir = r.dir
		if out, errs, status := run(t, c); out != "the terminal's\n" || errs != "" || status != 0 {
			t.Errorf("said %q and %q, exit status %d", out, errs, status)
		}
	}
	if b, err := os.ReadFile(r.keys + "/known_hosts"); err != nil || !strings.Contains(string(b), "cpud.there ") {
		t.Errorf("the key is not remembered: %q, %v", b, err)
	}
}
