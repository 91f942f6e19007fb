package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"cpu/cpu/client"
	"cpu/cpu/dial"
)

// network is how hosts are reached: as ssh would, with this user's configuration and keys, and through a connection that is there already.
type network struct {
	dialer  dial.Config // without what is said of one host alone
	trace   io.Writer   // of 9P; nil: none
	log     *slog.Logger
	level   *slog.LevelVar
	sockets string // the directory of shared connections; "" is none
}

func newNetwork(f *flags, term terminal, trace io.Writer) *network {
	level := &slog.LevelVar{}
	switch level.Set(slog.LevelError); {
	case f.debug:
		level.Set(slog.LevelDebug)
	case f.verbose:
		level.Set(slog.LevelInfo)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	return &network{
		dialer: dial.Config{
			IdentityFiles: f.identities, ConfigFile: f.config, Options: f.options,
			Home: term.home, LocalUser: term.user, Getenv: os.Getenv, Prompt: prompter(), Stderr: os.Stderr, Log: log,
		},
		trace: trace, log: log, level: level, sockets: term.sockets,
	}
}

// host is the host of the command line.
func (n *network) host(ctx context.Context, f *flags) (*dial.Host, error) {
	d := n.dialer
	d.User, d.Port, d.Network, d.Command = f.user, f.port, f.network, strings.Join(f.command, " ")
	if f.ssh {
		d.Port, d.Options = "", append(throughSSH(f), d.Options...)
	}
	h, err := d.Resolve(ctx, f.host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.host, err)
	}
	if !f.verbose && !f.debug {
		switch {
		case h.LogLevel == "VERBOSE":
			n.level.Set(slog.LevelInfo)
		case strings.HasPrefix(h.LogLevel, "DEBUG"):
			n.level.Set(slog.LevelDebug)
		}
	}
	return h, nil
}

// throughSSH are the options with which the connection is made by ssh, to a cpud that it starts at the host. Whose host that is ssh has found out;
// the key of the cpud there is remembered under a name of its own.
func throughSSH(f *flags) []string {
	words := []string{"ssh", "-q", "-T"}
	for _, flag := range [][2]string{{"-l", f.user}, {"-p", f.port}, {"-F", f.config}, {"-J", f.jump}} {
		if flag[1] != "" {
			words = append(words, flag[:]...)
		}
	}
	for _, i := range f.identities {
		words = append(words, "-i", i)
	}
	for _, o := range f.options {
		words = append(words, "-o", o)
	}
	var line strings.Builder
	for _, w := range append(words, "--", f.host, "cpud", "-i") {
		line.WriteString("'" + strings.NewReplacer("'", `'\''`, "%", "%%").Replace(w) + "' ")
	}
	name := f.host[strings.LastIndexByte(f.host, '@')+1:]
	return []string{"ProxyCommand=" + line.String(), "HostKeyAlias=cpud." + name, "StrictHostKeyChecking=accept-new", "ProxyJump=none"}
}

// A hostConn is a connection to a host.
type hostConn struct {
	*client.Conn
	host     *dial.Host  // as it is configured; nil with -self
	name     string      // of a host that was found: its instance
	reserved *client.Cmd // the command, for which the host has a session already; nil: it has none
}

// connect connects to the host of the command line, or with -self to this very process.
func (n *network) connect(ctx context.Context, f *flags) (hostConn, error) {
	if f.self {
		o, err := openSelf(ctx, n.dialer.LocalUser, n.log)
		if err != nil {
			return hostConn{}, err
		}
		return hostConn{Conn: client.New("self", o, n.trace)}, nil
	}
	if f.query != nil {
		all, err := n.connectFound(ctx, f, 1, false)
		if err != nil {
			return hostConn{}, err
		}
		return all[0], nil
	}
	h, err := n.host(ctx, f)
	if err != nil {
		return hostConn{}, err
	}
	c, err := n.reach(ctx, f, h)
	return hostConn{Conn: c, host: h}, err
}

// reach connects to a host, through a connection that is there already if there is one and it will do.
func (n *network) reach(ctx context.Context, f *flags, h *dial.Host) (*client.Conn, error) {
	if f.forwards(h) {
		return n.forwarding(ctx, h, f)
	}
	path := n.socket(h)
	if path == "" {
		return n.dial(ctx, h)
	}
	if o, err := client.Shared(ctx, path); err == nil {
		n.log.Info("shared connection", "host", h.Name, "socket", path)
		return client.New(h.Name, o, n.trace), nil
	}
	if h.ControlMaster && h.ControlPersist != 0 && canPost {
		if err := startPoster(ctx); err != nil {
			return nil, err
		}
		o, err := client.Shared(ctx, path)
		if err != nil {
			return nil, err
		}
		return client.New(h.Name, o, n.trace), nil
	}
	conn, err := n.dial(ctx, h)
	if err == nil && h.ControlMaster {
		if err := conn.Share(path); err != nil {
			n.log.Info("connection not shared", "err", err)
		}
	}
	return conn, err
}

// socket is where the connection to a host is shared: a name that tells it from those to other hosts, as other users, with other keys. It is
// "" where it is not to be.
func (n *network) socket(h *dial.Host) string {
	switch {
	case h.ControlPath == dial.NoControlPath:
		return ""
	case h.ControlPath != "":
		return h.ControlPath
	case n.sockets == "" || !h.ControlMaster:
		return ""
	}
	d := &n.dialer
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", []any{*h, d.IdentityFiles, d.ConfigFile, d.Options}))
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == filepath.Separator || r == ':' {
			return '_'
		}
		return r
	}, h.User+"@"+h.Name)
	return filepath.Join(n.sockets, fmt.Sprintf("%.40s-%s-%x", name, h.Port, sum[:4]))
}

// other connects to another host, of its own.
func (n *network) other(ctx context.Context, host string) (*client.Conn, error) {
	h, err := n.dialer.Resolve(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", host, err)
	}
	return n.dial(ctx, h)
}

func (n *network) dial(ctx context.Context, h *dial.Host) (*client.Conn, error) {
	s, err := n.dialer.DialHost(ctx, h)
	if err != nil {
		return nil, err
	}
	return client.New(h.Name, client.SSH(s), n.trace), nil
}

// connected does something with a connection to the host of the command line, until it is done or a signal ends it.
func connected(f *flags, do func(ctx context.Context, conn *client.Conn) error) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	defer catchSignals(cancel).stop()
	trace, err := openTrace(f.trace)
	if err != nil {
		return err
	}
	defer trace.Close()
	conn, err := newNetwork(f, localTerminal(), trace.writer()).connect(ctx, f)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer conn.Close()
	return linger(ctx, conn.Conn, do(ctx, conn.Conn))
}

// linger lets others who use the connection come to their ends, once this process has said all that it has to say, and is no part of a pipeline
// any more. It returns err, or that it has been reported.
func linger(ctx context.Context, conn *client.Conn, err error) error {
	conn.Linger(ctx, func() {
		err = reported(report(err))
		for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
			f.Close()
		}
	})
	return err
}

// reported is the exit status for an error that the user has been told.
type reported int

func (reported) Error() string { return "reported" }

// showConfiguration shows what is made of the host of the command line, as ssh -G does, by which git(1) knows an ssh.
func showConfiguration(f *flags, to io.Writer) error {
	h, err := newNetwork(f, localTerminal(), nil).host(context.Background(), f)
	if err != nil {
		return err
	}
	return h.Show(to)
}
