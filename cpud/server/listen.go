//go:build linux

package server

import (
	"net"
	"strconv"

	"golang.org/x/crypto/ssh"
)

// maxListening is how many addresses a connection may have its user listen at.
const maxListening = 128

// globalRequests is what is done for each request about the whole connection. The function says whether it succeeded, and what the answer has.
var globalRequests = map[string]func(l *link, payload []byte) (answer []byte, ok bool){
	"keepalive@openssh.com":                  (*link).keepAlive,
	"tcpip-forward":                          (*link).listenTCP, // RFC 4254, section 7.1
	"cancel-tcpip-forward":                   (*link).cancelTCP,
	"streamlocal-forward@openssh.com":        (*link).listenUnix, // PROTOCOL in OpenSSH's source, section 2.4
	"cancel-streamlocal-forward@openssh.com": (*link).cancelUnix,
}

// answer answers the requests of a whole connection, in order.
func (l *link) answer(requests <-chan *ssh.Request) {
	for r := range requests {
		var answer []byte
		ok := false
		if handler := globalRequests[r.Type]; handler != nil {
			answer, ok = handler(l, r.Payload)
		}
		if r.WantReply {
			r.Reply(ok, answer)
		}
	}
}

// keepAlive is a client that wants to hear that somebody is there.
func (l *link) keepAlive([]byte) ([]byte, bool) { return nil, true }

// An endpoint is where connections are waited for: in the words of the client, who can take it back in the same.
type endpoint struct {
	address string // or the path of a Unix socket
	port    uint32 // 0 for a Unix socket
}

// tcpForward is the payload of tcpip-forward and its cancellation.
type tcpForward struct {
	Address string
	Port    uint32
}

// listenTCP listens at an address and a port, or at one that is free where it is 0.
func (l *link) listenTCP(payload []byte) ([]byte, bool) {
	var m tcpForward
	if ssh.Unmarshal(payload, &m) != nil || m.Port > maxPort {
		return nil, false
	}
	if !l.login.rights.mayListen(m.Address, m.Port) {
		l.log.Info("not listening", "on", m.Address, "port", m.Port, "err", errForwarding)
		return nil, false
	}
	listeners, port, err := l.listenAll(l.server.binds(m.Address), m.Port)
	if err != nil {
		l.log.Info("not listening", "on", m.Address, "port", m.Port, "err", err)
		return nil, false
	}
	if !l.listening(endpoint{m.Address, port}, listeners, "forwarded-tcpip", func(c net.Conn) []byte {
		host, originPort, _ := net.SplitHostPort(c.RemoteAddr().String())
		n, _ := strconv.Atoi(originPort)
		return ssh.Marshal(struct {
			Address    string
			Port       uint32
			Origin     string
			OriginPort uint32
		}{m.Address, port, host, uint32(n)})
	}) {
		return nil, false
	}
	if m.Port != 0 {
		return nil, true
	}
	return ssh.Marshal(struct{ Port uint32 }{port}), true
}

// binds are the addresses that are listened at for one that a client asks for. Without GatewayPorts they are the loopback's.
func (s *Server) binds(address string) []string {
	switch {
	case address == "127.0.0.1" || address == "::1":
		return []string{address}
	case address == "localhost" || !s.GatewayPorts:
		return []string{"127.0.0.1", "::1"}
	case address == "*":
		return []string{""}
	}
	return []string{address}
}

// listenAll listens at a port of each of addresses that has it free, and fails where none has.
func (l *link) listenAll(addresses []string, port uint32) (all []net.Listener, got uint32, err error) {
	d, err := l.network()
	if err != nil {
		return nil, 0, err
	}
	for _, a := range addresses {
		listener, lerr := d.Listen(l.ctx, "tcp", net.JoinHostPort(a, strconv.Itoa(int(port))))
		if lerr != nil {
			err = lerr
			continue
		}
		all = append(all, listener)
		if t, ok := listener.Addr().(*net.TCPAddr); ok {
			port = uint32(t.Port)
		}
	}
	if all == nil {
		return nil, 0, err
	}
	return all, port, nil
}

// listening begins to accept, and says whether there is room for that.
func (l *link) listening(at endpoint, listeners []net.Listener, channelType string, payload func(net.Conn) []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.listeners) >= maxListening || l.listeners[at] != nil {
		for _, listener := range listeners {
			listener.Close()
		}
		return false
	}
	l.listeners[at] = listeners
	for _, listener := range listeners {
		l.log.Info("listening for the client", "on", listener.Addr().String())
		l.running.Go(func() { l.accept(listener, channelType, payload) })
	}
	return true
}

// cancel ends what listens at an endpoint.
func (l *link) cancel(at endpoint) bool {
	l.mu.Lock()
	listeners := l.listeners[at]
	delete(l.listeners, at)
	l.mu.Unlock()
	for _, listener := range listeners {
		listener.Close()
	}
	return listeners != nil
}

func (l *link) cancelTCP(payload []byte) ([]byte, bool) {
	var m tcpForward
	return nil, ssh.Unmarshal(payload, &m) == nil && l.cancel(endpoint{m.Address, m.Port})
}

// unixForward is the payload of streamlocal-forward@openssh.com and its cancellation.
type unixForward struct{ Path string }

// listenUnix listens at a Unix socket of the server's own files.
func (l *link) listenUnix(payload []byte) ([]byte, bool) {
	var m unixForward
	if ssh.Unmarshal(payload, &m) != nil || m.Path == "" {
		return nil, false
	}
	if !l.login.rights.mayForwardSockets() {
		l.log.Info("not listening", "on", m.Path, "err", errForwarding)
		return nil, false
	}
	d, err := l.network()
	var listener net.Listener
	if err == nil {
		listener, err = d.Listen(l.ctx, "unix", m.Path)
	}
	if err != nil {
		l.log.Info("not listening", "on", m.Path, "err", err)
		return nil, false
	}
	return nil, l.listening(endpoint{address: m.Path}, []net.Listener{listener}, "forwarded-streamlocal@openssh.com", func(net.Conn) []byte {
		return ssh.Marshal(struct{ Path, Reserved string }{m.Path, ""})
	})
}

func (l *link) cancelUnix(payload []byte) ([]byte, bool) {
	var m unixForward
	return nil, ssh.Unmarshal(payload, &m) == nil && l.cancel(endpoint{address: m.Path})
}
