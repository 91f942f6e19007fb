package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"cpu/lib/relay"
	"cpu/lib/transport"

	"golang.org/x/crypto/ssh"
)

// A Set is all that is forwarded over one connection.
type Set struct {
	// RemoteOpen is where clients of the server's may ask to be connected to, by SOCKS: host:port each, with * for any. nil is anywhere. It is set
	// before anything is forwarded.
	RemoteOpen []string

	client *ssh.Client
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	remote  map[Address]Address // what the server listens at, and where that leads
	serving map[string]bool     // types of channels that are waited for
}

// New makes a Set of nothing. Log is told what could not be forwarded. The caller closes the client, and then the Set.
func New(client *ssh.Client, log *slog.Logger) *Set {
	s := &Set{client: client, log: log, remote: map[Address]Address{}, serving: map[string]bool{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends all forwarding and waits for that. The client has been closed.
func (s *Set) Close() {
	s.cancel()
	s.work.Wait()
}

// Local listens at this end.
func (s *Set) Local(spec Spec) error {
	listeners, err := listen(spec.Listen)
	if err != nil {
		letter := "-L"
		if spec.Connect == anywhere {
			letter = "-D"
		}
		return fmt.Errorf("%s %s: %w", letter, spec.Listen, err)
	}
	for _, l := range listeners {
		s.work.Go(func() { s.accept(l, spec.Connect) })
	}
	return nil
}

// listen listens at an address; localhost is what there is of the loopback's two. A Unix socket is this user's alone.
func listen(a Address) ([]net.Listener, error) {
	if a.Path != "" {
		l, err := transport.Listen(transport.Unix + "/" + a.Path)
		if err != nil {
			return nil, err
		}
		if err := os.Chmod(a.Path, 0o600); err != nil {
			l.Close()
			return nil, err
		}
		return []net.Listener{l}, nil
	}
	hosts := []string{a.Host}
	if a.Host == "localhost" {
		hosts = []string{"127.0.0.1", "::1"}
	}
	var all []net.Listener
	var first error
	for _, host := range hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(a.Port)))
		if err == nil {
			all = append(all, l)
		} else if first == nil {
			first = err
		}
	}
	if all == nil {
		return nil, first
	}
	return all, nil
}

// accept connects whoever comes, until the Set is closed.
func (s *Set) accept(l net.Listener, to Address) {
	defer context.AfterFunc(s.ctx, func() { l.Close() })()
	for {
		c, err := l.Accept()
		if err != nil {
			if s.ctx.Err() == nil {
				s.log.Warn("no longer forwarded", "on", l.Addr().String(), "err", err)
			}
			l.Close()
			return
		}
		s.work.Go(func() { s.outward(c, to) })
	}
}

// outward connects c, which it owns, with an address at the server's end.
func (s *Set) outward(c net.Conn, to Address) {
	conn, ok := c.(relay.Conn)
	if !ok {
		c.Close()
		return
	}
	answer := func(bool) {}
	if to == anywhere {
		stop := context.AfterFunc(s.ctx, func() { c.Close() })
		var err error
		to, answer, err = asked(c)
		stop()
		if err != nil {
			s.log.Debug("not forwarded", "from", c.RemoteAddr().String(), "err", err)
			c.Close()
			return
		}
	}
	ch, requests, err := s.open(to, c.RemoteAddr())
	answer(err == nil)
	if err != nil {
		s.log.Warn("not forwarded", "to", to.String(), "err", err)
		c.Close()
		return
	}
	relay.Channel(s.ctx, ch, requests, conn)
}

// open opens a channel that leads to an address at the server's end.
func (s *Set) open(to Address, from net.Addr) (ssh.Channel, <-chan *ssh.Request, error) {
	if to.Path != "" {
		return s.client.OpenChannel("direct-streamlocal@openssh.com", ssh.Marshal(struct {
			Path      string
			Reserved  string
			Reserved2 uint32
		}{Path: to.Path}))
	}
	origin := net.TCPAddr{IP: net.IPv4zero}
	if t, ok := from.(*net.TCPAddr); ok {
		origin = *t
	}
	return s.client.OpenChannel("direct-tcpip", ssh.Marshal(struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}{to.Host, uint32(to.Port), origin.IP.String(), uint32(origin.Port)}))
}

// errRefused is all that a server says when it does not listen.
var errRefused = errors.New("the server refuses to listen there")

// Remote has the server listen, and gives the port at which it does: that of the spec, but where it is 0.
func (s *Set) Remote(spec Spec) (port int, err error) {
	at := spec.Listen
	if at.Path != "" {
		ok, _, err := s.client.SendRequest("streamlocal-forward@openssh.com", true, ssh.Marshal(struct{ Path string }{at.Path}))
		if err == nil && !ok {
			err = errRefused
		}
		if err != nil {
			return 0, fmt.Errorf("-R %s: %w", at, err)
		}
		s.serve(at, spec.Connect, "forwarded-streamlocal@openssh.com", s.inwardUnix)
		return 0, nil
	}
	ok, answer, err := s.client.SendRequest("tcpip-forward", true, ssh.Marshal(struct {
		Host string
		Port uint32
	}{at.Host, uint32(at.Port)}))
	if err == nil && !ok {
		err = errRefused
	}
	if err == nil && at.Port == 0 {
		var m struct{ Port uint32 }
		err = ssh.Unmarshal(answer, &m)
		at.Port = int(m.Port)
	}
	if err != nil {
		return 0, fmt.Errorf("-R %s: %w", spec.Listen, err)
	}
	s.serve(at, spec.Connect, "forwarded-tcpip", s.inwardTCP)
	return at.Port, nil
}

// serve notes where what the server listens at leads, and waits for channels of the type.
func (s *Set) serve(at, to Address, channelType string, where func(payload []byte) (Address, bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remote[at] = to
	s.wait(channelType, where)
}

// wait waits for channels of a type, each of which leads to where its payload says. The Set's mu is held.
func (s *Set) wait(channelType string, where func(payload []byte) (Address, bool)) {
	if s.serving[channelType] {
		return
	}
	s.serving[channelType] = true
	channels := s.client.HandleChannelOpen(channelType)
	s.work.Go(func() {
		for n := range channels {
			s.work.Go(func() {
				to, ok := where(n.ExtraData())
				if !ok {
					n.Reject(ssh.Prohibited, "that has not been asked for")
					return
				}
				s.inward(n, to)
			})
		}
	})
}

// inward connects a channel that the server opens with an address at this end.
func (s *Set) inward(n ssh.NewChannel, to Address) {
	if to == anywhere {
		s.inwardAnywhere(n)
		return
	}
	conn, err := s.connect(to)
	if err != nil {
		n.Reject(ssh.ConnectionFailed, "connection refused")
		return
	}
	ch, requests, err := n.Accept()
	if err != nil {
		conn.Close()
		return
	}
	relay.Channel(s.ctx, ch, requests, conn)
}

// inwardAnywhere connects a channel that the server opens with where its client asks to be connected to.
func (s *Set) inwardAnywhere(n ssh.NewChannel) {
	ch, requests, err := n.Accept()
	if err != nil {
		return
	}
	to, answer, err := asked(ch)
	if err != nil {
		s.log.Debug("not forwarded", "err", err)
	}
	var conn relay.Conn
	if err == nil {
		if err = s.permit(to); err == nil {
			conn, err = s.connect(to)
		}
		answer(err == nil)
	}
	if err != nil {
		ch.Close()
		ssh.DiscardRequests(requests) // until the server has closed it as well
		return
	}
	relay.Channel(s.ctx, ch, requests, conn)
}

// connect connects to an address at this end. If that fails the log is told.
func (s *Set) connect(to Address) (conn relay.Conn, err error) {
	network, address := "tcp", to.String()
	if to.Path != "" {
		network = "unix"
	}
	var d net.Dialer
	c, err := d.DialContext(s.ctx, network, address)
	if err == nil {
		var ok bool
		if conn, ok = c.(relay.Conn); !ok {
			c.Close()
			err = errors.New("not a stream")
		}
	}
	if err != nil {
		s.log.Warn("not forwarded", "to", address, "err", err)
	}
	return conn, err
}

// errNotPermitted is why the server's clients are not connected to where they ask.
var errNotPermitted = errors.New("not permitted by PermitRemoteOpen")

// permit fails if the server's clients may not ask for an address.
func (s *Set) permit(to Address) error {
	if s.RemoteOpen == nil {
		return nil
	}
	for _, p := range s.RemoteOpen {
		host, port, err := net.SplitHostPort(p)
		if err == nil && (host == "*" || strings.EqualFold(host, to.Host)) && (port == "*" || port == strconv.Itoa(to.Port)) {
			return nil
		}
	}
	s.log.Warn("not forwarded", "to", to.String(), "err", errNotPermitted)
	return errNotPermitted
}

// inwardTCP says where a port at the server leads.
func (s *Set) inwardTCP(payload []byte) (Address, bool) {
	var m struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	if ssh.Unmarshal(payload, &m) != nil {
		return Address{}, false
	}
	return s.leads(Address{Host: m.Host, Port: int(m.Port)})
}

// inwardUnix says where a Unix socket at the server leads.
func (s *Set) inwardUnix(payload []byte) (Address, bool) {
	var m struct{ Path, Reserved string }
	if ssh.Unmarshal(payload, &m) != nil {
		return Address{}, false
	}
	return s.leads(Address{Path: m.Path})
}

func (s *Set) leads(at Address) (Address, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to, ok := s.remote[at]
	return to, ok
}

// Agent lets the server connect to the user's agent, whose socket is given.
func (s *Set) Agent(socket string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait("auth-agent@openssh.com", func([]byte) (Address, bool) { return Address{Path: socket}, true })
}
