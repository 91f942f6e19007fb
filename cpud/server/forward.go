//go:build linux

package server

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
	"time"

	"cpu/cpud/dialer"
	"cpu/lib/relay"

	"golang.org/x/crypto/ssh"
)

// channelTypes is what is done with each type of channel that a client opens. The function returns when the channel is closed.
var channelTypes = map[string]func(l *link, n ssh.NewChannel){
	"session":                        (*link).channel,
	"direct-tcpip":                   (*link).directTCP,  // RFC 4254, section 7.2
	"direct-streamlocal@openssh.com": (*link).directUnix, // PROTOCOL in OpenSSH's source, section 2.4
}

// network is the process that connects and listens as the user, started when it is first wanted.
func (l *link) network() (*dialer.Dialer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dialer != nil {
		return l.dialer, nil
	}
	if l.ctx.Err() != nil {
		return nil, l.ctx.Err()
	}
	var cred *syscall.Credential
	if u := l.user(); l.server.uid == 0 && u.UID != 0 {
		cred = &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}
	}
	d, err := dialer.Start(cred)
	l.dialer = d
	return d, err
}

// endNetwork ends it.
func (l *link) endNetwork() {
	l.mu.Lock()
	d := l.dialer
	l.mu.Unlock()
	if d != nil {
		d.Close()
	}
}

const errForwarding = "the key that was used does not allow that to be forwarded"

// directTCP connects to a host and a port.
func (l *link) directTCP(n ssh.NewChannel) {
	var m struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	switch {
	case ssh.Unmarshal(n.ExtraData(), &m) != nil || m.Port == 0 || m.Port > maxPort:
		n.Reject(ssh.ConnectionFailed, "not a host and a port")
	case !l.login.rights.mayConnect(m.Host, m.Port):
		n.Reject(ssh.Prohibited, errForwarding)
	default:
		l.direct(n, "tcp", net.JoinHostPort(m.Host, strconv.Itoa(int(m.Port))))
	}
}

const maxPort = 1<<16 - 1

// directUnix connects to a Unix socket of the server's own files.
func (l *link) directUnix(n ssh.NewChannel) {
	var m struct {
		Path      string
		Reserved  string
		Reserved2 uint32
	}
	switch {
	case ssh.Unmarshal(n.ExtraData(), &m) != nil || m.Path == "":
		n.Reject(ssh.ConnectionFailed, "not a path")
	case !l.login.rights.mayForwardSockets():
		n.Reject(ssh.Prohibited, errForwarding)
	default:
		l.direct(n, "unix", m.Path)
	}
}

func (l *link) direct(n ssh.NewChannel, network, address string) {
	d, err := l.network()
	var conn dialer.Conn
	if err == nil {
		conn, err = d.Dial(l.ctx, network, address)
	}
	if err != nil {
		l.log.Debug("not connected", "to", address, "err", err)
		n.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	ch, requests, err := n.Accept()
	if err != nil {
		conn.Close()
		return
	}
	l.log.Debug("connected", "to", address)
	relay.Channel(l.ctx, ch, requests, conn)
}

// forward opens a channel to the client for a connection that has come in, which it owns, and returns at once: what it starts ends with the
// connection, or when ctx or the link does.
func (l *link) forward(ctx context.Context, c net.Conn, channelType string, payload []byte) {
	conn, ok := c.(dialer.Conn)
	if !ok {
		c.Close()
		return
	}
	select {
	case l.open <- struct{}{}:
	default:
		l.log.Info("not forwarded", "type", channelType, "err", "too many channels")
		c.Close()
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(l.ctx, cancel)
	l.running.Go(func() {
		defer func() { <-l.open; stop(); cancel() }()
		ch, requests, err := l.conn.OpenChannel(channelType, payload)
		if err != nil {
			l.log.Debug("not forwarded", "type", channelType, "err", err)
			conn.Close()
			return
		}
		relay.Channel(ctx, watchedChannel{ch, l.idle}, requests, conn)
	})
}

// accept hands connections to forward until the listener is closed, which the link's end does.
func (l *link) accept(listener net.Listener, channelType string, payload func(net.Conn) []byte) {
	defer context.AfterFunc(l.ctx, func() { listener.Close() })()
	for {
		c, err := listener.Accept()
		switch {
		case err == nil:
			l.forward(l.ctx, c, channelType, payload(c))
		case scarce(err):
			select {
			case <-l.ctx.Done():
			case <-time.After(acceptPause):
			}
		default:
			if !errors.Is(err, net.ErrClosed) {
				l.log.Info("no longer forwarded", "on", listener.Addr().String(), "err", err)
			}
			listener.Close()
			return
		}
	}
}
