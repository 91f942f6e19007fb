package dial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"cpu/cpu/dial/sshconfig"
	"cpu/lib/transport"
)

// connect makes the connection that SSH is spoken on.
func (c *Config) connect(ctx context.Context, h *Host) (net.Conn, error) {
	switch {
	case h.ProxyCommand != "":
		return c.command(h.ProxyCommand)
	case len(h.ProxyJump) > 0:
		return c.jump(ctx, h)
	}
	if len(h.Addresses) > 0 {
		return dialFirst(ctx, h.network, h.Addresses, h.Port)
	}
	for attempt := 1; ; attempt++ {
		conn, err := transport.Dial(ctx, h.network, h.BindAddress, h.HostName, h.Port)
		if err == nil || attempt >= h.Attempts || ctx.Err() != nil {
			return conn, err
		}
		c.log().Info("no connection", "attempt", attempt, "err", err)
		select {
		case <-time.After(attemptPause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// attemptPause is between two attempts to connect, as with ssh.
const attemptPause = time.Second

// maxJumps is how many hosts a connection may go through, for a configuration can lead in a circle.
const maxJumps = 16

// jump goes to the host by way of others, each of which is dialled through the one before. What the user said on the command line is about
// the host alone, and the others are sshd's, on port 22.
func (c *Config) jump(ctx context.Context, h *Host) (net.Conn, error) {
	if c.jumps >= maxJumps {
		return nil, fmt.Errorf("ProxyJump: more than %d hosts, or a circle", maxJumps)
	}
	via := *c
	via.User, via.Port, via.Network, via.Options, via.IdentityFiles = "", "", "", nil, nil
	via.Command = ""
	via.fallbackPort, via.jumps = "22", c.jumps+1
	last := len(h.ProxyJump) - 1
	if last > 0 {
		via.Options = []string{"ProxyJump=" + strings.Join(h.ProxyJump[:last], ",")}
	}
	target := strings.TrimPrefix(h.ProxyJump[last], "ssh://")
	if i := strings.LastIndexByte(target, ':'); i > strings.LastIndexAny(target, "]@") && strings.Count(target, ":") == 1 || i > 0 && target[i-1] == ']' {
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

// command starts a ProxyCommand, and speaks with its standard input and output.
func (c *Config) command(line string) (net.Conn, error) {
	if runtime.GOOS != "windows" && runtime.GOOS != "plan9" {
		line = "exec " + line // the shell is not left behind when the command is killed
	}
	cmd := sshconfig.ShellCommand(context.Background(), c.Getenv, line)
	cmd.Stderr = c.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	return &proxied{Reader: out, WriteCloser: in, cmd: cmd}, nil
}

// proxied is the connection to a ProxyCommand. It has no deadlines: who wants to end it closes it.
type proxied struct {
	io.Reader
	io.WriteCloser
	cmd  *exec.Cmd
	once sync.Once
}

// Close ends the command and waits for it.
func (p *proxied) Close() error {
	p.once.Do(func() {
		p.WriteCloser.Close()
		p.cmd.Process.Kill()
		p.cmd.Wait() // that it was killed is no news
	})
	return nil
}

func (*proxied) LocalAddr() net.Addr              { return proxyAddr{} }
func (*proxied) RemoteAddr() net.Addr             { return proxyAddr{} }
func (*proxied) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (*proxied) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (*proxied) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

// proxyAddr is the address at either end of a ProxyCommand, which nobody knows.
type proxyAddr struct{}

func (proxyAddr) Network() string { return "proxy" }
func (proxyAddr) String() string  { return "proxy" }
