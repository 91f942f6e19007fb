package main

import (
	"context"
	"io"
	"log/slog"
	"os"

	"cpu/cpu/client"
	"cpu/cpu/dial"
)

// network is how hosts are reached: as ssh would, with this user's configuration and keys.
type network struct {
	dialer dial.Config // without what is said of one host alone
	trace  io.Writer   // of 9P; nil: none
	log    *slog.Logger
}

func newNetwork(f *flags, term terminal, trace io.Writer) *network {
	log := slog.New(slog.DiscardHandler)
	if f.verbose || f.debug {
		level := slog.LevelInfo
		if f.debug {
			level = slog.LevelDebug
		}
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	}
	return &network{
		dialer: dial.Config{
			IdentityFiles: f.identities, ConfigFile: f.config, Options: f.options,
			Home: term.home, LocalUser: term.user, Getenv: os.Getenv, Prompt: prompter(), Stderr: os.Stderr, Log: log,
		},
		trace: trace, log: log,
	}
}

// connect connects to the host of the command line, or with -self to this very process.
func (n *network) connect(ctx context.Context, f *flags) (*client.Conn, error) {
	if f.self {
		o, err := openSelf(ctx, n.dialer.LocalUser, n.log)
		if err != nil {
			return nil, err
		}
		return client.New("self", o, n.trace), nil
	}
	d := n.dialer
	d.User, d.Port = f.user, f.port
	return n.dial(ctx, &d, f.host)
}

// other connects to another host.
func (n *network) other(ctx context.Context, host string) (*client.Conn, error) {
	return n.dial(ctx, &n.dialer, host)
}

func (n *network) dial(ctx context.Context, d *dial.Config, host string) (*client.Conn, error) {
	s, err := d.Dial(ctx, host)
	if err != nil {
		return nil, err
	}
	return client.New(host, client.SSH(s), n.trace), nil
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
	return do(ctx, conn)
}
