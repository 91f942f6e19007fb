package dial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// DefaultPort is that of a cpu server.
const DefaultPort = "17010"

// Config is what the user has said, and what the terminal knows of him.
type Config struct {
	User          string   // "": as configured, else LocalUser
	Port          string   // "": as configured, else DefaultPort
	IdentityFiles []string // tried before those configured; each has to be there
	Network       string   // of hosts that name none: tcp, unix, vsock, unix-vsock; "" is tcp
	ConfigFile    string   // in place of the user's and the system's; "none" is no configuration
	Options       []string // Keyword=value each, before all configuration; see ssh_config(5)
	Command       string   // what is to be run there, for Match command; "" is a shell

	Home, LocalUser string

	// Getenv is asked for SSH_AUTH_SOCK and for what ssh_config names as ${NAME}; nil: nothing is set.
	Getenv func(name string) string
	// Prompt asks the user a question, and does not show the answer if it is secret. nil: there is nobody to ask.
	Prompt func(ctx context.Context, question string, secret bool) (string, error)
	Stderr io.Writer    // for what a ProxyCommand says; nil: nowhere
	Log    *slog.Logger // how the connection comes about; nil: not told

	fallbackPort string // in place of DefaultPort; "" is DefaultPort
	jumps        int    // how many hosts the connection has been asked to go through so far
}

// Dial connects to host, a name, user@name, or an alias of the configuration, and logs in. The caller closes the client.
// Errors begin with the host.
func (c *Config) Dial(ctx context.Context, host string) (*ssh.Client, error) {
	h, err := c.Resolve(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", host, plain(ctx, err))
	}
	return c.DialHost(ctx, h)
}

// DialHost is Dial for a host that Resolve has given.
func (c *Config) DialHost(ctx context.Context, h *Host) (*ssh.Client, error) {
	client, err := c.dial(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.Name, plain(ctx, err))
	}
	return client, nil
}

// dial connects and logs in, and gives the host until its timeout to prove its key.
func (c *Config) dial(ctx context.Context, h *Host) (*ssh.Client, error) {
	c.log().Debug("dial", "host", h.Name, "address", net.JoinHostPort(h.HostName, h.Port), "user", h.User)
	known, err := c.knownHosts(ctx, h)
	if err != nil {
		return nil, err
	}
	connectCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A host gone through has a time of its own, and may have the user asked something.
	if len(h.ProxyJump) == 0 {
		known.limit(h.ConnectTimeout, cancel)
	}
	conn, err := c.connect(connectCtx, h)
	if err != nil {
		return nil, plain(connectCtx, err)
	}
	if len(h.ProxyJump) > 0 {
		known.limit(h.ConnectTimeout, cancel)
	}
	client, err := c.handshake(connectCtx, conn, h, known)
	if err != nil {
		conn.Close()
		return nil, plain(connectCtx, err)
	}
	c.log().Info("logged in", "host", h.Name, "address", conn.RemoteAddr().String(), "user", h.User)
	return client, nil
}

// plain is the reason alone: why ctx ended if it did, and without the addresses that the net package repeats.
func plain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" && op.Addr != nil {
		return fmt.Errorf("dial %s: %w", op.Addr, op.Err)
	}
	return err
}

func (c *Config) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

func (c *Config) getenv(name string) string {
	if c.Getenv == nil {
		return ""
	}
	return c.Getenv(name)
}

func (c *Config) defaultPort() string { return cmp.Or(c.fallbackPort, DefaultPort) }

// handshake logs in to h over conn, which the client owns if that succeeds.
func (c *Config) handshake(ctx context.Context, conn net.Conn, h *Host, known *known) (*ssh.Client, error) {
	line := &line{Conn: conn}
	keys := &keys{ctx: ctx, config: c, host: h, line: line}
	defer keys.close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	cipherList := h.Ciphers
	if cipherList == nil {
		cipherList = ciphers
	}
	sshConn, channels, requests, err := ssh.NewClientConn(line, net.JoinHostPort(h.HostName, h.Port), &ssh.ClientConfig{
		Config:            ssh.Config{Ciphers: cipherList, KeyExchanges: h.KeyExchanges, MACs: h.MACs},
		User:              h.User,
		AuthCallback:      keys.next,
		HostKeyCallback:   known.check,
		HostKeyAlgorithms: known.algorithms(),
		ClientVersion:     "SSH-2.0-cpu",
	})
	if !stop() {
		return nil, context.Cause(ctx)
	}
	var negotiation *ssh.AlgorithmNegotiationError
	var reset *net.OpError   // of a read or a write, as the connection is there
	var broken *fs.PathError // the same of a ProxyCommand's pipes
	switch {
	case err == nil:
		return ssh.NewClient(watch(sshConn, h), channels, requests), nil
	case known.err != nil:
		return nil, known.err
	case keys.err == errHungUp:
		return nil, fmt.Errorf("%w during the login of %s: %s", keys.err, h.User, keys.tried())
	case keys.begun:
		return nil, keys.denied(err)
	case errors.As(err, &negotiation) && negotiation.What == "host key" && len(known.entries) > 0:
		return nil, known.otherTypes(negotiation.RequestedAlgorithms)
	case errors.Is(err, io.EOF), errors.As(err, &reset), errors.As(err, &broken):
		return nil, errors.New("the host closed the connection before it said who it is")
	}
	return nil, err
}

// A line is a connection that knows whether it can still be read from: what ssh.NewClientConn says of a login that did not end is why it
// offered no more.
type line struct {
	net.Conn
	ended atomic.Bool
}

func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if err != nil {
		l.ended.Store(true)
	}
	return n, err
}
