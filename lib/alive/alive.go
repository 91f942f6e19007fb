// Package alive finds out whether the other end of an SSH connection is still there. Cpu/dial asks servers, as ServerAliveInterval says, and
// cpud/server clients. It sends nothing but OpenSSH's keepalive requests, and reads nothing.
package alive

import (
	"context"
	"time"

	"golang.org/x/crypto/ssh"
)

// Watch asks the other end every interval whether it is there, and closes the connection when it has left count questions unanswered. It
// returns when ctx is done or the connection is closed; a question under way ends with the connection.
func Watch(ctx context.Context, conn ssh.Conn, interval time.Duration, count int) {
	answers := make(chan bool, 1)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	asked := false
	for missed := 0; ; {
		select {
		case <-ctx.Done():
			return
		case there := <-answers:
			if !there {
				return
			}
			missed, asked = 0, false
		case <-tick.C:
			if missed++; missed > count {
				conn.Close()
				return
			}
			if asked { // one question at a time: an answer is waited for without end
				continue
			}
			asked = true
			go func() {
				_, _, err := conn.SendRequest("keepalive@openssh.com", true, nil)
				answers <- err == nil
			}()
		}
	}
}
