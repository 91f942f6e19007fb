//go:build linux

package server

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// TestIdle: a connection over which nothing moves ends, with all that it runs, and keepalives do not keep it.
func TestIdle(t *testing.T) {
	r := newRig(t, "", func(_ *rig, c *Config) { c.Idle = 50 * time.Millisecond })
	client, err := r.dial(r.signer(t))
	must(t, err)
	defer client.Close()
	s, err := client.NewSession()
	must(t, err)
	must(t, s.Start("exec sleep 1000000"))
	asking := make(chan struct{})
	go func() {
		defer close(asking)
		for {
			if _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
				return
			}
		}
	}()
	client.Wait()
	<-asking
	if got := r.logged(t, 0); !strings.Contains(got, "msg=idle") {
		t.Errorf("the log has %q", got)
	}
}

// TestIdleWait: it is what moves last that counts.
func TestIdleWait(t *testing.T) {
	i := &idle{began: time.Now()}
	ch := watchedChannel{silent{}, i}
	for name, move := range map[string]func(){
		"read":   func() { ch.Read(nil) },
		"write":  func() { ch.Write(nil) },
		"stderr": func() { ch.Stderr().Write(nil) },
	} {
		before := i.last.Load()
		if move(); i.last.Load() <= before {
			t.Errorf("%s does not count", name)
		}
	}
	last := time.Now()
	i.touch()
	const limit = 20 * time.Millisecond
	if !i.wait(t.Context(), limit) || time.Since(last) < limit {
		t.Errorf("idle after %v", time.Since(last))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if i.wait(ctx, time.Hour) {
		t.Error("idle although it is over")
	}
}

// silent is a channel that says nothing.
type silent struct{ ssh.Channel }

func (silent) Read([]byte) (int, error)    { return 0, io.EOF }
func (silent) Write(p []byte) (int, error) { return len(p), nil }
func (silent) Stderr() io.ReadWriter       { return silent{} }
