package dial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// DefaultPort is that of a cpu server.
const DefaultPort = "17010"

// Config is what the user has said, and what the terminal knows of him.
type Config struct {
	User          string   // "": as configured, else LocalUser
	Port          string   // "": as configured, else DefaultPort
	IdentityFiles []string // tried before those configured
	ConfigFile    string   // in place of the user's and the system's; "none" is no configuration
	Options       []string // Key=value each, before all configuration; see ssh_config(5)

	Home, LocalUser string
	AgentSocket     string // "" is no agent, unless IdentityAgent gives one

	// Prompt asks the user a question, and does not show the answer if it is secret. nil: there is nobody to ask.
	Prompt func(ctx context.Context, question string, secret bool) (string, error)
	Log    *slog.Logger // how the connection comes about; nil: not told
}

// Dial connects to host, a name, user@name, or an alias of the configuration, and logs in. The caller closes the client.
// Errors begin with the host.
func (c *Config) Dial(ctx context.Context, host string) (*ssh.Client, error) {
	h, err := c.Resolve(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", host, err)
	}
	c.log().Debug("resolved", "host", host, "address", net.JoinHostPort(h.HostName, h.Port), "user", h.User)
	if h.ConnectTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, h.ConnectTimeout, errors.New("connection timed out"))
		defer cancel()
	}
	conn, err := c.connect(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.Name, plain(ctx, err))
	}
	client, err := c.Handshake(ctx, conn, h)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("%s: %w", h.Name, plain(ctx, err))
	}
	return client, nil
}

// plain is the reason alone: why ctx ended if it did, and without the addresses that the net package repeats.
func plain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil {
		return fmt.Errorf("%s %s: %w", op.Op, op.Addr, op.Err)
	}
	return err
}

func (c *Config) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// connect makes the connection that SSH is spoken on.
func (c *Config) connect(ctx context.Context, h *Host) (net.Conn, error) {
	switch {
	case h.ProxyCommand != "":
		return dialCommand(h.ProxyCommand)
	case len(h.ProxyJump) > 0:
		return c.jump(ctx, h)
	}
	var d net.Dialer
	return d.DialContext(ctx, h.network, net.JoinHostPort(h.HostName, h.Port))
}

// jump goes to the host by way of others, each of which is dialled through the one before.
func (c *Config) jump(ctx context.Context, h *Host) (net.Conn, error) {
	last := len(h.ProxyJump) - 1
	via := *c
	via.User, via.Port, via.Options = "", "22", nil
	if last > 0 {
		via.Options = []string{"ProxyJump=" + strings.Join(h.ProxyJump[:last], ",")}
	}
	target := strings.TrimPrefix(h.ProxyJump[last], "ssh://")
	if i := strings.LastIndexByte(target, ':'); i > strings.LastIndexByte(target, ']') && i > strings.LastIndexByte(target, '@') {
		target, via.Port = target[:i], target[i+1:]
	}
	client, err := via.Dial(ctx, target)
	if err != nil {
		return nil, err
	}
	conn, err := client.DialContext(ctx, "tcp", net.JoinHostPort(h.HostName, h.Port))
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("%s: %w", target, err)
	}
	return &jumped{conn, client}, nil
}

// jumped is a connection that takes the one it goes through with it when it is closed.
type jumped struct {
	net.Conn
	via io.Closer
}

func (j *jumped) Close() error { return errors.Join(j.Conn.Close(), j.via.Close()) }

// dialCommand starts a ProxyCommand and speaks with its standard input and output.
func dialCommand(command string) (net.Conn, error) {
	cmd := exec.Command("/bin/sh", "-c", "exec "+command)
	here, there := net.Pipe()
	cmd.Stdin, cmd.Stdout = there, there
	if err := cmd.Start(); err != nil {
		here.Close()
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	p := &proxied{Conn: here, cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		cmd.Wait()
		there.Close()
	}()
	return p, nil
}

type proxied struct {
	net.Conn
	cmd  *exec.Cmd
	done chan struct{}
}

// Close ends the command and waits for it.
func (p *proxied) Close() error {
	err := p.Conn.Close()
	p.cmd.Process.Kill()
	<-p.done
	return err
}

// Handshake logs in to h over conn, which it owns if it succeeds.
func (c *Config) Handshake(ctx context.Context, conn net.Conn, h *Host) (*ssh.Client, error) {
	known, err := c.knownHosts(ctx, h)
	if err != nil {
		return nil, err
	}
	keys := c.newKeys(ctx, h)
	defer keys.close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	sshConn, channels, requests, err := ssh.NewClientConn(conn, net.JoinHostPort(h.HostName, h.Port), &ssh.ClientConfig{
		Config:            ssh.Config{Ciphers: ciphers},
		User:              h.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeysCallback(keys.signers)},
		HostKeyCallback:   known.check,
		HostKeyAlgorithms: known.algorithms(),
		ClientVersion:     "SSH-2.0-cpu",
	})
	switch {
	case err == nil:
		return ssh.NewClient(sshConn, channels, requests), nil
	case known.err != nil:
		return nil, known.err
	case keys.err != nil:
		return nil, keys.err
	case strings.Contains(err.Error(), "unable to authenticate"):
		return nil, keys.denied(h.User)
	}
	return nil, err
}

// ciphers has AES-GCM first, for it is by far the fastest where processors have AES.
var ciphers = []string{"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr"}
