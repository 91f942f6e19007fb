package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"sync"

	"cpu/cpu/client"
	"cpu/cpu/dial"
	"cpu/ctlfs"
	"cpu/nsfile"

	"github.com/hugelgupf/p9/p9"
)

// runSession runs the one session that the flags ask for.
func runSession(f *flags) error {
	term := localTerminal()
	ops, err := readNamespace(f.namespaces, term.home, os.Stdin)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := catchSignals(cancel)
	defer signals.stop()
	defer outlivePipes()()

	trace, err := openTrace(f.trace)
	if err != nil {
		return err
	}
	defer trace.Close()
	var services map[string]p9.Attacher
	if !f.noFiles() {
		files, err := exportTree(f)
		if err != nil {
			return err
		}
		defer files.Close()
		services = map[string]p9.Attacher{"term": files}
	}

	n := newNetwork(f, term, trace.writer())
	s := setup{flags: f, network: n, term: term, ops: ops, services: services, signals: signals, cancel: cancel,
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	switch {
	case f.hosts != 0:
		return s.runOnHosts(ctx)
	case f.query != nil:
		return s.runFound(ctx)
	}
	conn, err := n.connect(ctx, f)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer conn.Close()
	return linger(ctx, conn.Conn, s.run(ctx, conn))
}

// A setup is what the flags and the terminal make of a session, before there is a connection for it.
type setup struct {
	flags    *flags
	network  *network
	term     terminal
	ops      []nsfile.Op
	services map[string]p9.Attacher // posted in the session; they outlive it
	stdin    io.Reader              // nil: an empty input
	stdout   io.Writer
	stderr   io.Writer
	env      []string // besides what the flags say
	signals  *signals
	cancel   context.CancelCauseFunc // gives the session up
}

// run runs a session over conn, from its setup to its end.
func (s *setup) run(ctx context.Context, conn hostConn) error {
	f := s.flags
	begun := false
	defer func() {
		if !begun {
			s.signals.giveUp()
		}
	}()
	// A session that is given up does not wait for a server that may not answer.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if f.controlDir != "" {
		_, unmount, err := mountControl(ctx, conn.Conn, f.controlDir, f.mount)
		if err != nil {
			return interrupted(ctx, err)
		}
		defer unmount()
	}
	c := conn.reserved
	if c == nil {
		c = conn.Command(command(f.command)...)
	}
	configured := conn.host
	if configured == nil { // with -self there is no host
		configured = &dial.Host{EscapeChar: '~'}
	}
	c.Env = append(environment(os.Environ(), f, configured.SendEnv, configured.SetEnv), s.env...)
	c.Namespace = nsfile.Format(s.ops)
	c.Vars = s.term.vars(f.root)
	c.Services = s.services
	imported, err := importAll(ctx, s.ops, c.Getenv, s.network.other)
	if err != nil {
		return interrupted(ctx, notStarted(err))
	}
	defer imported.close()
	c.Streams, err = dialServices(ctx, f.services, os.Getenv)
	if err != nil {
		return interrupted(ctx, err)
	}
	maps.Copy(c.Streams, imported.streams)
	if configured.ForwardAgent != "" {
		c.Agent = true
		c.Env = append(c.Env, "SSH_AUTH_SOCK="+client.AgentSocket)
	}
	c.Stdin = s.stdin

	tty := newTTY(f, configured.RequestTTY, os.Stdin, os.Getenv("TERM"))
	ready := make(chan struct{})
	release := sync.OnceFunc(func() { close(ready) })
	defer release()
	// Who has seen what the command writes may send it a note, and it is to have it.
	c.Stdout, c.Stderr = heldWriter{s.stdout, ready}, heldWriter{s.stderr, ready}
	if tty != nil {
		c.TTY = tty.size()
		if tty.real {
			e := newEscapes(heldReader{os.Stdin, ready}, os.Stderr, func() { s.cancel(errDisconnected) })
			e.char = configured.EscapeChar
			if canStop {
				e.suspend = func() { tty.suspend(ctx, c) }
			}
			e.sendBreak = func() { c.Break(ctx) } // a session that has ended meanwhile needs none
			c.Stdin = e
		}
	}
	if f.attach > 0 {
		err = c.Attach(ctx, f.attach)
		if c.TTY == nil {
			tty = nil
		}
	} else {
		err = c.Start(ctx)
	}
	if err != nil {
		return interrupted(ctx, err)
	}
	if f.debug {
		describe(ctx, c, os.Stderr)
	}
	begun = true
	defer s.signals.deliver(ctx, c)()
	if tty != nil {
		if err := tty.raw(); err != nil {
			return err
		}
		defer tty.restore()
		defer tty.follow(ctx, c)()
	}
	release()
	return interrupted(ctx, c.Wait())
}

// errDisconnected is the end of a session by the escape ~.
var errDisconnected = errors.New("disconnected")

// interrupted is the reason why the session was given up, where it was, and err otherwise.
func interrupted(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// notStarted is the end of a session by a mistake in its namespace, which is found at the terminal as it might be on the server.
func notStarted(err error) error {
	return &client.StartError{Err: err, Status: ctlfs.Status{State: ctlfs.Ended, Exit: "exit 1", Code: 1}}
}

// describe shows with -d what the session has been given.
func describe(ctx context.Context, c *client.Cmd, to io.Writer) {
	text, err := c.Built(ctx)
	if err != nil {
		text = err.Error() + "\n"
	}
	fmt.Fprintf(to, "cpu: session %d\n%s", c.Session(), text)
	ops, _ := nsfile.Parse("ns", strings.NewReader(text))
	if dir := c.Vars["dir"]; len(ops) > 0 && ops[len(ops)-1].String() == "cd "+nsfile.Text("/mnt/term"+dir).String() {
		fmt.Fprintf(to, "cpu: %s is not in the name space; the session starts in /mnt/term%[1]s\n", dir)
	}
}
