package dial

import (
	"context"

	"cpu/lib/alive"

	"golang.org/x/crypto/ssh"
)

// watched is a connection whose other end is asked whether it is there, until it is closed.
type watched struct {
	ssh.Conn
	cancel context.CancelFunc
	done   chan struct{} // closed when nobody asks any more
}

// watch has the host asked as ServerAliveInterval says.
func watch(conn ssh.Conn, h *Host) ssh.Conn {
	if h.AliveInterval <= 0 {
		return conn
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &watched{conn, cancel, make(chan struct{})}
	go func() {
		defer close(w.done)
		alive.Watch(ctx, conn, h.AliveInterval, h.AliveCount)
	}()
	return w
}

// Close closes the connection, and waits until nobody asks any more.
func (w *watched) Close() error {
	w.cancel()
	err := w.Conn.Close()
	<-w.done
	return err
}
