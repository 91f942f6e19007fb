//go:build linux

package server

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestClosed: accounts that are locked, or have expired, and everybody's while there is nologin.
func TestClosed(t *testing.T) {
	dir := t.TempDir()
	if !withUsers(t, dir) {
		return
	}
	dir = os.Getenv(usersDir)
	users := "root:x:0:0::/root:/bin/sh\n"
	secrets := "root:*:1:0:99999:7:::\n"
	for name, password := range map[string]string{"open": "*", "locked": "!$6$x", "never": "!*", "expired": "*", "future": "*", "odd": "*"} {
		users += name + ":x:4711:4711::/:/bin/sh\n"
		secrets += name + ":" + password + ":1:0:99999:7::" + map[string]string{"expired": "19999", "future": "20001", "odd": "soon"}[name] + ":\n"
	}
	users += "old:!:4711:4711::/:/bin/sh\nsys:x:4711:4711::/:/usr/sbin/nologin\nfalse:x:4711:4711::/:/bin/false\n"
	must(t, os.WriteFile(dir+"/passwd", []byte(users), 0o644))
	must(t, os.WriteFile(dir+"/shadow", []byte(secrets), 0o600))
	must(t, unix.Mount(dir, "/etc", "", unix.MS_BIND, ""))
	must(t, unix.Mount("none", "/run", "tmpfs", 0, ""))
	now := time.Unix(0, 0).UTC().AddDate(0, 0, 20000).Add(time.Hour)
	check := func(when string, want map[string]string) {
		t.Helper()
		for name, words := range want {
			u, password, err := findUser(name)
			must(t, err)
			got := ""
			if err := closedTo(u, password, now); err != nil {
				got = err.Error()
			}
			if got == "" != (words == "") || !strings.Contains(got, words) {
				t.Errorf("%s: %s: %q, want %q", when, name, got, words)
			}
		}
	}
	check("always", map[string]string{"root": "", "open": "", "future": "", "locked": "account is locked", "never": "account is locked", "old": "account is locked",
		"expired": "account has expired", "odd": "/etc/shadow: odd", "sys": "no shell to log in with", "false": "no shell to log in with"})
	for _, name := range []string{"/etc/nologin", "/run/nologin"} {
		must(t, os.WriteFile(name, nil, 0o644))
		check(name, map[string]string{"root": "", "open": "only root may log in while there is " + name})
		must(t, os.Remove(name))
	}
	// On the day itself it has not expired yet.
	now = now.AddDate(0, 0, -1)
	check("the day", map[string]string{"expired": ""})
}
