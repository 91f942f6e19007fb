//go:build linux

package server

import (
	"context"
	"strings"

	"golang.org/x/crypto/ssh"
)

// A channel is one session channel. What it is for, its requests say; the first that starts something settles it.
type channel struct {
	link *link
	ch   ssh.Channel
	ctx  context.Context // ends with the channel

	env     []string
	tty     *ptyRequest
	command *command // what stock ssh started; nil for a subsystem
	busy    bool     // something has been started

	agentWanted bool // the command is to reach the client's agent
}

// requests is what is done for each type of request of a channel, see RFC 4254, section 6. A handler says whether the request
// succeeded, and gives what is then to be run beside the channel's further requests.
var requests = map[string]func(c *channel, payload []byte) (run func(), ok bool){
	"env":           (*channel).setEnv,
	"pty-req":       (*channel).setTTY,
	"window-change": (*channel).windowChange,
	"signal":        (*channel).signal,
	"break":         (*channel).sendBreak, // RFC 4335
	"shell":         (*channel).shell,
	"exec":          (*channel).exec,
	"subsystem":     (*channel).subsystem,

	"auth-agent-req@openssh.com": (*channel).wantAgent,

	"eow@openssh.com": (*channel).endOfWrite, // PROTOCOL in OpenSSH's source, section 2.1
}

// channel serves a channel until it is closed, and waits for what it ran.
func (l *link) channel(n ssh.NewChannel) {
	ch, reqs, err := n.Accept()
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(l.ctx)
	c := &channel{link: l, ch: ch, ctx: ctx}
	done := make(chan struct{})
	close(done)
	for r := range reqs {
		handler := requests[r.Type]
		var run func()
		ok := false
		if handler != nil {
			run, ok = handler(c, r.Payload)
		}
		if r.WantReply {
			r.Reply(ok, nil)
		}
		if ok && run != nil {
			c.busy = true
			done = make(chan struct{})
			go func() {
				defer close(done)
				run()
				ch.Close()
			}()
		}
	}
	cancel()
	<-done
	ch.Close()
}

// subsystem opens one of the server's streams: a name, and for some of them words after it.
func (c *channel) subsystem(payload []byte) (run func(), ok bool) {
	var m struct{ Name string }
	if ssh.Unmarshal(payload, &m) != nil || c.busy || c.link.login.rights.command != "" {
		return nil, false
	}
	name, rest, _ := strings.Cut(m.Name, " ")
	open := subsystems[name]
	if open == nil {
		return nil, false
	}
	serve, err := open(c, rest)
	if err != nil {
		c.link.log.Info("subsystem refused", "name", m.Name, "err", err)
		return nil, false
	}
	return func() {
		status := uint32(0)
		if serve() != nil {
			status = 1
		}
		sendExitStatus(c.ch, status)
	}, true
}

// How many variables a client may set on a channel, and how many bytes they may have.
const maxEnv, maxEnvSize = 128, 64 << 10

func (c *channel) setEnv(payload []byte) (func(), bool) {
	var m struct{ Name, Value string }
	if ssh.Unmarshal(payload, &m) != nil || c.busy || !acceptEnv(m.Name) || strings.ContainsRune(m.Value, 0) {
		return nil, false
	}
	size := len(m.Name) + len(m.Value)
	for _, e := range c.env {
		size += len(e)
	}
	if len(c.env) == maxEnv || size > maxEnvSize {
		return nil, false
	}
	c.env = append(c.env, m.Name+"="+m.Value)
	return nil, true
}

// acceptEnv says which variables a client may set: those about languages, as is usual with sshd.
func acceptEnv(name string) bool {
	return name == "LANG" || name == "COLORTERM" || strings.HasPrefix(name, "LC_") && isName(name)
}

// ptyRequest is what pty-req asks for. The terminal's modes stay as the server makes them.
type ptyRequest struct {
	Term                      string
	Cols, Rows, Width, Height uint32
	Modes                     string
}

func (c *channel) setTTY(payload []byte) (func(), bool) {
	var m ptyRequest
	if ssh.Unmarshal(payload, &m) != nil || c.busy || c.link.login.rights.noTTY {
		return nil, false
	}
	c.tty = &m
	return nil, true
}

func (c *channel) windowChange(payload []byte) (func(), bool) {
	var m struct{ Cols, Rows, Width, Height uint32 }
	if ssh.Unmarshal(payload, &m) != nil || c.command == nil {
		return nil, false
	}
	return nil, c.command.winsize(c.ctx, m.Rows, m.Cols) == nil
}

func (c *channel) signal(payload []byte) (func(), bool) {
	var m struct{ Name string }
	if ssh.Unmarshal(payload, &m) != nil || c.command == nil {
		return nil, false
	}
	return nil, c.command.session.Note(m.Name, false) == nil
}

// sendBreak sends the terminal a BREAK, of the length that the terminal gives it.
func (c *channel) sendBreak(payload []byte) (func(), bool) {
	var m struct{ Milliseconds uint32 }
	if ssh.Unmarshal(payload, &m) != nil || c.command == nil {
		return nil, false
	}
	return nil, c.command.session.Ctl(c.ctx, []string{"break"}) == nil
}

// endOfWrite is a client that reads no more. The command gets what a local one would, a signal.
func (c *channel) endOfWrite([]byte) (func(), bool) {
	if c.command == nil {
		return nil, false
	}
	return nil, c.command.session.Note("PIPE", true) == nil
}

func (c *channel) shell(payload []byte) (func(), bool) { return c.start("") }

func (c *channel) exec(payload []byte) (func(), bool) {
	var m struct{ Command string }
	if ssh.Unmarshal(payload, &m) != nil {
		return nil, false
	}
	return c.start(m.Command)
}

// sendExitStatus tells the client how what ran on a channel has ended; RFC 4254, section 6.10.
func sendExitStatus(ch ssh.Channel, status uint32) {
	ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{status}))
}
