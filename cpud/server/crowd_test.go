//go:build linux

package server

import (
	"context"
	"crypto/rand"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// crowd is how many clients of one kind there are.
const crowd = 1000

// TestCrowd: a thousand clients at another address that never log in, of each kind and again as soon as they are sent away, keep a good one from
// nothing.
func TestCrowd(t *testing.T) {
	for name, client := range map[string]func(ctx context.Context, c net.Conn){
		"half open": func(ctx context.Context, c net.Conn) {},
		"garbage": func(ctx context.Context, c net.Conn) {
			p := make([]byte, 1<<12)
			rand.Read(p)
			c.Write(p)
		},
		"garbage after the version": func(ctx context.Context, c net.Conn) {
			c.Write([]byte("SSH-2.0-crowd\r\n"))
			p := make([]byte, 1<<12)
			rand.Read(p)
			c.Write(p)
		},
		"a slow version": func(ctx context.Context, c net.Conn) { drip(ctx, c, "SSH-2.0-"+string(make([]byte, 200))) },
		"a slow exchange": func(ctx context.Context, c net.Conn) {
			drip(ctx, c, "SSH-2.0-crowd\r\n\x00\x00\x04\x00\x04\x14"+string(make([]byte, 1000)))
		},
		"an exchange and no more": func(ctx context.Context, c net.Conn) {
			ssh.NewClientConn(c, "", &ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()})
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "", func(_ *rig, c *Config) { c.Penalties = DefaultPenalties })
			alone := r.good(t)
			ctx, cancel := context.WithCancel(t.Context())
			var clients sync.WaitGroup
			defer clients.Wait()
			defer cancel()
			there := make(chan struct{}, crowd)
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
			for range crowd {
				clients.Go(func() {
					for first := true; ctx.Err() == nil; first = false {
						c, err := d.DialContext(ctx, "tcp", "127.0.0.1:"+r.port)
						if first {
							there <- struct{}{}
						}
						if err != nil {
							return
						}
						stop := context.AfterFunc(ctx, func() { c.Close() })
						client(ctx, c)
						for p := make([]byte, 1<<10); ; {
							if _, err := c.Read(p); err != nil {
								break
							}
						}
						stop()
						c.Close()
						// Those who come back at once would take all of the machine's time, and are no other crowd than this.
						select {
						case <-ctx.Done():
						case <-time.After(time.Second):
						}
					}
				})
			}
			for range crowd {
				<-there
			}
			t.Logf("alone a login took %v; beside them %v, %v and %v", alone, r.good(t), r.good(t), r.good(t))
		})
	}
}

// good is a good client: how long it takes to log in.
func (r *rig) good(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	client, err := r.dial(r.signer(t))
	must(t, err)
	defer client.Close()
	return time.Since(began).Round(time.Millisecond)
}

// drip writes a byte at a time until ctx is done or the server has had enough.
func drip(ctx context.Context, c net.Conn, text string) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := range len(text) {
		if _, err := c.Write([]byte{text[i]}); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
