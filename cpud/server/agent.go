//go:build linux

package server

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"cpu/cpud/session"
)

// agentService is the socket in a session's /srv that leads to the agent at the terminal.
const agentService = "ssh-agent"

// announceAgent takes the name of that socket in session n. Who connects to it is connected with the client's agent, see PROTOCOL.agent in
// OpenSSH's source.
func (l *link) announceAgent(n int) (*session.Posting, error) {
	posting, err := l.server.Table.AnnounceSocket(l.user(), n, agentService, func(ctx context.Context, c net.Conn) {
		l.forward(ctx, c, "auth-agent@openssh.com", nil)
	})
	if err != nil {
		return nil, fmt.Errorf("/srv/%s: %w", agentService, err)
	}
	return posting, nil
}

// agent is the subsystem `agent N`: while it is open the socket is there in session N.
func (c *channel) agent(words string) (func() error, error) {
	n, err := strconv.Atoi(words)
	if err != nil || strconv.Itoa(n) != words {
		return nil, fmt.Errorf("agent %q: not a session", words)
	}
	if !c.link.login.rights.mayForwardAgent() {
		return nil, fmt.Errorf("agent: %s", errForwarding)
	}
	posting, err := c.link.announceAgent(n)
	if err != nil {
		return nil, err
	}
	return func() error {
		posting.Hold(c.ctx)
		return nil
	}, nil
}

// wantAgent is stock ssh that offers its agent, for the command that is to come.
func (c *channel) wantAgent([]byte) (func(), bool) {
	if c.busy || !c.link.login.rights.mayForwardAgent() {
		return nil, false
	}
	c.agentWanted = true
	return nil, true
}
