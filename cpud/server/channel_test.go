//go:build linux

package server

import (
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"cpu/cpud/session"
	"cpu/ctlfs"

	"golang.org/x/crypto/ssh"
)

// TestEnvLimits: what a client may set on a channel is bounded in number and in size.
func TestEnvLimits(t *testing.T) {
	for name, value := range map[string]string{"number": "", "size": strings.Repeat("x", 1<<10)} {
		c := &channel{link: &link{}}
		refused := false
		for range 2 * maxEnv {
			if _, ok := c.setEnv(ssh.Marshal(struct{ Name, Value string }{"LC_X", value})); !ok {
				refused = true
			}
		}
		if !refused || len(c.env) == 0 || len(c.env) > maxEnv || len(strings.Join(c.env, "")) > maxEnvSize+len(c.env) {
			t.Errorf("%s: %d variables were taken", name, len(c.env))
		}
	}
}

// kinds are the types of requests, in an order of their own for the fuzzer.
var kinds = []string{"env", "pty-req", "window-change", "signal", "shell", "exec", "subsystem"}

// FuzzRequests: two requests of a client in a row, of whatever types and payloads, do no harm, and set nothing that a client may not set. They are
// carried out on a table of sessions; what they would run is not.
func FuzzRequests(f *testing.F) {
	table := session.NewTable(session.Config{})
	f.Cleanup(func() { table.Close() })
	host := limitedHost{table, &keyRights{env: []string{"OF_THE_KEY=1"}}}
	f.Fuzz(func(t *testing.T, first byte, payload []byte, second byte, then []byte) {
		user := ctlfs.User{Name: "me", UID: uint32(os.Getuid()), Shell: "/bin/sh"}
		s, err := table.New(user)
		must(t, err)
		s.Hold()
		defer s.Release()
		l := &link{server: &Server{Config: Config{Table: table}}, login: &login{user: user}, host: host, log: slog.New(slog.DiscardHandler), conn: noConn,
			ctx: t.Context()}
		c := &channel{link: l, ctx: t.Context()}
		for _, r := range []struct {
			kind    byte
			payload []byte
		}{{first, payload}, {second, then}} {
			kind := kinds[int(r.kind)%len(kinds)]
			var m struct{ Name string }
			if kind == "subsystem" && ssh.Unmarshal(r.payload, &m) == nil && m.Name == "exportfs" {
				continue // it would start a process
			}
			if kind == "window-change" || kind == "signal" {
				old := c.command
				c.command = &command{c, s} // these are for one that runs
				requests[kind](c, r.payload)
				c.command = old
				continue
			}
			before := c.command
			run, ok := requests[kind](c, r.payload)
			if run != nil && !ok {
				t.Errorf("%s %q was refused, and runs", kind, r.payload)
			}
			if c.command != before {
				if got := c.command.session.Env(); !slices.Contains(got, "OF_THE_KEY=1") {
					t.Errorf("the session has %q", got)
				}
				c.command.session.Release()
			}
			c.busy = c.busy || run != nil
		}
		for _, e := range c.env {
			if name, _, _ := strings.Cut(e, "="); !acceptEnv(name) || strings.ContainsRune(e, 0) {
				t.Errorf("%q was set", e)
			}
		}
	})
}

// noConn is a connection that comes from no network.
var noConn = &ssh.ServerConn{Conn: addressless{}}

type addressless struct{ ssh.Conn }

func (addressless) RemoteAddr() net.Addr { return &net.UnixAddr{Name: "@", Net: "unix"} }
