//go:build linux

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"cpu/ctlfs"

	"github.com/hugelgupf/p9/linux"
	"golang.org/x/crypto/ssh"
)

// A command is what stock ssh runs: a session without the terminal's files, driven by the channel as cpu drives its own by ctlfs.
type command struct {
	channel *channel
	session ctlfs.Session
}

// start makes the session for a command line, "" for a login shell, and gives the function that runs it to its end.
func (c *channel) start(line string) (run func(), ok bool) {
	if c.busy {
		return nil, false
	}
	s, err := c.link.host.New(c.link.user())
	if err != nil {
		c.link.log.Warn("no session", "err", err)
		return nil, false
	}
	s.Hold()
	k := &command{c, s}
	if err := k.setUp(line); err != nil {
		c.link.log.Warn("no session", "err", err)
		s.Release()
		return nil, false
	}
	c.command = k
	return k.run, true
}

func (k *command) setUp(line string) error {
	rights, user := k.channel.link.login.rights, k.channel.link.user()
	env := append(k.channel.env, k.channel.link.addresses()...)
	if rights.command != "" {
		if line != "" {
			env = append(env, "SSH_ORIGINAL_COMMAND="+line)
		}
		line = rights.command
	}
	if k.channel.agentWanted {
		posting, err := k.channel.link.announceAgent(k.session.Number())
		if err != nil {
			return err
		}
		k.channel.link.running.Go(func() { posting.Hold(k.channel.ctx) })
		env = append(env, "SSH_AUTH_SOCK=/srv/"+agentService)
	}
	var args []string
	if line != "" {
		args = []string{user.Shell, "-c", line}
	}
	if err := errors.Join(k.session.SetArgs(args), k.session.SetEnv(env)); err != nil {
		return err
	}
	if t := k.channel.tty; t != nil {
		return k.session.Ctl(k.channel.ctx, []string{"tty", t.Term, strconv.Itoa(int(t.Rows)), strconv.Itoa(int(t.Cols))})
	}
	return nil
}

// addresses are the variables that sshd tells the ends of the connection by.
func (l *link) addresses() []string {
	host, port, err := net.SplitHostPort(l.conn.RemoteAddr().String())
	if err != nil {
		return nil // no network in between
	}
	here, herePort, err := net.SplitHostPort(l.conn.LocalAddr().String())
	if err != nil {
		return nil
	}
	return []string{fmt.Sprintf("SSH_CLIENT=%s %s %s", host, port, herePort), fmt.Sprintf("SSH_CONNECTION=%s %s %s %s", host, port, here, herePort)}
}

// run starts the command, moves its streams, and tells the client how it ended.
func (k *command) run() {
	s, ch, ctx := k.session, k.channel.ch, k.channel.ctx
	defer s.Release()
	// From here on this channel is the one writer of the command's input.
	s.OpenStdin()
	if err := s.Ctl(ctx, []string{"start"}); err != nil {
		fmt.Fprintf(ch.Stderr(), "cpud: %v\n", err)
		k.exit(s.Status())
		return
	}
	k.channel.link.running.Go(func() {
		io.Copy(input{ctx, s}, ch)
		s.CloseStdin(false)
	})
	var outputs sync.WaitGroup
	outputs.Go(func() { k.output(s.ReadStdout, ch) })
	if k.channel.tty == nil {
		outputs.Go(func() { k.output(s.ReadStderr, ch.Stderr()) })
	}
	st, err := s.Wait(ctx)
	outputs.Wait()
	if err != nil {
		return
	}
	ch.CloseWrite()
	k.exit(st)
}

// input is the command's standard input as an io.Writer.
type input struct {
	ctx     context.Context
	session ctlfs.Session
}

func (i input) Write(p []byte) (int, error) { return i.session.WriteStdin(i.ctx, p) }

// output moves one of the command's streams to the client, and hangs the command up when the client does not take it.
func (k *command) output(read func(context.Context, []byte) (int, error), to io.Writer) {
	p := make([]byte, 64<<10)
	for {
		n, err := read(k.channel.ctx, p)
		if n > 0 {
			if _, err := to.Write(p[:n]); err != nil {
				k.session.Note("hangup", true)
				return
			}
		}
		// EIO is how a terminal says that nobody has it open any more.
		if err != nil || n == 0 {
			if !errors.Is(err, io.EOF) && !errors.Is(err, linux.EIO) && err != nil && k.channel.ctx.Err() == nil {
				k.channel.link.log.Debug("output ended", "session", k.session.Number(), "err", err)
			}
			return
		}
	}
}

// exit sends exit-status or exit-signal, RFC 4254, section 6.10.
func (k *command) exit(st ctlfs.Status) {
	if number, ok := strings.CutPrefix(st.Exit, "signal "); ok {
		n, _ := strconv.Atoi(number)
		if name := signalName(n); name != "" {
			k.channel.ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
				Signal     string
				CoreDumped bool
				Message    string
				Language   string
			}{Signal: name}))
			return
		}
	}
	sendExitStatus(k.channel.ch, uint32(st.Code))
}

func (k *command) winsize(ctx context.Context, rows, cols uint32) error {
	return k.session.Ctl(ctx, []string{"winsize", strconv.Itoa(int(rows)), strconv.Itoa(int(cols))})
}
