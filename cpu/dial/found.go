package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// nextAddress is how long an address is waited for before the next is dialled as well; section 5 of RFC 8305.
const nextAddress = 250 * time.Millisecond

// dialFirst dials addresses, each a little after the one before, or at once when that has failed, and keeps the connection that is there
// first.
func dialFirst(ctx context.Context, network string, addresses []string, port string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	started, ended := 0, 0
	start := func() {
		a := addresses[started]
		started++
		go func() {
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, net.JoinHostPort(a, port))
			results <- result{conn, err}
		}()
	}
	start()
	var first net.Conn
	var failed error
	for ended < started {
		var next <-chan time.Time
		if first == nil && started < len(addresses) {
			next = time.After(nextAddress)
		}
		select {
		case r := <-results:
			ended++
			switch {
			case r.err != nil:
				failed = errors.Join(failed, r.err)
				if next != nil && ctx.Err() == nil {
					start()
				}
			case first != nil:
				r.conn.Close()
			default:
				first = r.conn
				cancel()
			}
		case <-next:
			start()
		}
	}
	if first != nil {
		return first, nil
	}
	return nil, failed
}

// announced holds a key to what was announced of it. That is asked before the lists are, and never in place of them: whoever announces
// another's fingerprint cannot show the key, and whoever announces his own is not known.
func (k *known) announced(key ssh.PublicKey) error {
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	if f := ssh.FingerprintSHA256(key); k.host.Fingerprint != "" && f != k.host.Fingerprint {
		return fmt.Errorf("the host key is %s, and not %s as it was announced", f, k.host.Fingerprint)
	}
	return nil
}
