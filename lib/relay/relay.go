// Package relay joins an SSH channel with a connection, as forwarding does. Cpu/forward and cpud/server call it. It opens and accepts nothing
// itself.
package relay

import (
	"context"
	"io"
	"sync"

	"golang.org/x/crypto/ssh"
)

// A Conn is a connection one side of which can be ended alone.
type Conn interface {
	io.ReadWriteCloser
	CloseWrite() error
}

// Channel copies both ways between a channel, whose requests are refused, and conn, until both ways have ended, one has failed, the far side has
// closed the channel, or ctx is done. The end of one way is handed on, and leaves the other as it is. Both are closed, and all that was
// started has ended, when it returns; that takes the far side's closing of the channel, or the end of the connection.
func Channel(ctx context.Context, ch ssh.Channel, requests <-chan *ssh.Request, conn Conn) {
	end := func() {
		ch.Close()
		conn.Close()
	}
	defer context.AfterFunc(ctx, end)()
	var watch, copies sync.WaitGroup
	received := make(chan struct{})
	watch.Go(func() {
		ssh.DiscardRequests(requests)
		<-received // all that came before the channel was closed is handed on
		conn.Close()
	})
	copies.Go(func() {
		if _, err := io.Copy(ch, conn); err != nil {
			end()
			return
		}
		ch.CloseWrite()
	})
	copies.Go(func() {
		defer close(received)
		if _, err := io.Copy(conn, ch); err != nil {
			end()
			return
		}
		conn.CloseWrite()
	})
	copies.Wait()
	end()
	watch.Wait()
}
