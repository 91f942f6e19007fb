package dial

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// TestUnreachable: what cannot be reached is said in one line that begins with the host.
func TestUnreachable(t *testing.T) {
	closed := listen(t, func(conn net.Conn) {})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, refused, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	silent := listen(t, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	for _, c := range []struct {
		name, port string
		options    []string
		want       string
	}{
		{"refused", refused, nil, "127.0.0.1: dial 127.0.0.1:PORT: connect: connection refused"},
		{"closed", closed, nil, "127.0.0.1: the host closed the connection before it said who it is"},
		{"silent", silent, []string{"ConnectTimeout=1"}, "127.0.0.1: connection timed out"},
		{"ProxyCommand that fails", "1", []string{"ProxyCommand=exit 1"}, "127.0.0.1: the host closed the connection before it said who it is"},
		{"ProxyCommand that is silent", "1", []string{"ProxyCommand=sh -c 'cat >&2; :'", "ConnectTimeout=1"}, "127.0.0.1: connection timed out"},
		{"ProxyJump that is not there", "1", []string{"ProxyJump=127.0.0.1:" + refused},
			"127.0.0.1: 127.0.0.1: dial 127.0.0.1:" + refused + ": connect: connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := testConfig(t)
			config.Options = c.options
			want := strings.ReplaceAll(c.want, "PORT", c.port)
			if got := strings.ReplaceAll(try(t, config, c.port), "PORT", c.port); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestCancel: a context that ends ends the dialling, wherever that is.
func TestCancel(t *testing.T) {
	reached := make(chan struct{}, 1)
	port := listen(t, func(conn net.Conn) {
		// The client has said who it is, so it waits for an answer.
		conn.Read(make([]byte, 1))
		reached <- struct{}{}
		io.Copy(io.Discard, conn)
	})
	for _, options := range [][]string{nil, {"ProxyCommand=sh -c 'cat >&2; :'"}} {
		c := testConfig(t)
		c.ConfigFile, c.Port, c.Options = "none", port, options
		r, w := io.Pipe()
		c.Stderr = w
		go func() {
			if n, _ := r.Read(make([]byte, 1)); n > 0 {
				reached <- struct{}{}
			}
			io.Copy(io.Discard, r)
		}()
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-reached
			cancel(errors.New("given up"))
		}()
		if _, err := c.Dial(ctx, "127.0.0.1"); err == nil || err.Error() != "127.0.0.1: given up" {
			t.Errorf("%q: got %v", options, err)
		}
		w.Close()
	}
}
