//go:build linux

package server

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"

	"cpu/cpud/session"

	"golang.org/x/crypto/ssh"
)

// scarceListener has no descriptor for any connection.
type scarceListener struct {
	net.Listener
	asked  chan struct{} // a value for each Accept
	closed chan struct{}
	once   sync.Once
}

func (l *scarceListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (l *scarceListener) Accept() (net.Conn, error) {
	select {
	case l.asked <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
}

// TestScarce: a want of descriptors is no end of the server.
func TestScarce(t *testing.T) {
	key, err := HostKey(t.TempDir() + "/hostkey")
	must(t, err)
	table := session.NewTable(session.Config{})
	s, err := New(Config{HostKeys: []ssh.Signer{key}, Table: table})
	must(t, err)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := &scarceListener{Listener: inner, asked: make(chan struct{}), closed: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	for range 2 {
		select {
		case <-l.asked:
		case err := <-done:
			t.Fatalf("Serve ended: %v", err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	must(t, table.Close())
}
