//go:build linux

package main

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSyslog: each record is a message of its severity, from the facility auth. The test runs again with mounts of its own, for a socket in the
// place of the machine's syslog.
func TestSyslog(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting wants root: run this test as root")
	}
	const again = "CPUD_TEST_SYSLOG"
	if os.Getenv(again) == "" {
		c := exec.Command("/proc/self/exe", "-test.run=^TestSyslog$", "-test.v")
		c.Env = append(os.Environ(), again+"=1")
		c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
		if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestSyslog") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	level := new(slog.LevelVar)
	if err := unix.Mount("none", "/run", "tmpfs", 0, ""); err != nil { // /var/run is here
		t.Fatal(err)
	}
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/run/syslog", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := unix.Mount("/run/syslog", "/dev/log", "", unix.MS_BIND, ""); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	log, err := openLog(&flags{syslog: true}, level)
	if err != nil {
		t.Fatal(err)
	}
	message := func() string {
		p := make([]byte, 1<<10)
		n, err := l.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		return string(p[:n])
	}
	log = log.With("user", "maria").WithGroup("g")
	for _, c := range []struct {
		say      func(string, ...any)
		priority string
	}{{log.Info, "<38>"}, {log.Warn, "<36>"}, {log.Error, "<35>"}} {
		c.say("login", "level", "x")
		got := message()
		if !strings.HasPrefix(got, c.priority) || !strings.Contains(got, " cpud[") || !strings.HasSuffix(got, ": msg=login user=maria g.level=x\n") {
			t.Errorf("got %q, want priority %s", got, c.priority)
		}
	}
	log.Debug("not said")
	level.Set(slog.LevelDebug)
	log.Debug("said")
	if got := message(); !strings.HasPrefix(got, "<39>") || !strings.Contains(got, "msg=said") {
		t.Errorf("got %q", got)
	}
}
