//go:build linux

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cpu/ctlfs"
	"cpu/lib/ninep"
)

// subsystems is what each name of a subsystem opens. The function it gives serves the stream until its end.
var subsystems = map[string]func(c *channel, words string) (run func(), err error){
	"ctlfs":    (*channel).control,
	"exportfs": (*channel).export,
	"srv":      (*channel).post,
	"dial":     (*channel).dial,
}

var errWords = errors.New("no words are wanted after the name")

// control serves the control tree as the user sees it.
func (c *channel) control(words string) (func(), error) {
	if words != "" {
		return nil, errWords
	}
	tree := ctlfs.New(c.link.host, c.link.user())
	srv := &ninep.Server{Attacher: tree, Log: c.link.log, Stats: c.link.server.Table.Served()}
	return func() { srv.Serve(c.ctx, stream{c.ch}) }, nil
}

// post makes the stream, at whose other end the terminal serves 9P, available as /srv/NAME in session N. The name is taken before
// the request is answered, so that whatever comes after the answer finds it.
func (c *channel) post(words string) (func(), error) {
	n, name, err := parsePost(words)
	if err != nil {
		return nil, err
	}
	posting, err := c.link.server.Table.Announce(c.link.user(), n, name)
	if err != nil {
		return nil, fmt.Errorf("/srv/%s: %w", name, err)
	}
	return func() {
		if err := posting.Serve(c.ctx, stream{c.ch}); err != nil && c.ctx.Err() == nil {
			c.link.log.Info("service ended", "session", n, "name", name, "err", err)
		}
	}, nil
}

// dial connects to the socket that a program has made as /srv/NAME in session N.
func (c *channel) dial(words string) (func(), error) {
	n, name, err := parsePost(words)
	if err != nil {
		return nil, err
	}
	conn, err := c.link.server.Table.Dial(c.ctx, c.link.user(), n, name)
	if err != nil {
		return nil, fmt.Errorf("/srv/%s: %w", name, err)
	}
	return func() {
		defer context.AfterFunc(c.ctx, func() { conn.Close() })()
		c.link.running.Go(func() {
			io.Copy(conn, c.ch)
			conn.CloseWrite()
		})
		io.Copy(c.ch, conn)
		conn.Close()
	}, nil
}

// parsePost reads `N NAME`.
func parsePost(words string) (n int, name string, err error) {
	number, name, ok := strings.Cut(words, " ")
	if !ok || name == "" {
		return 0, "", fmt.Errorf("srv %q: want a session and a name", words)
	}
	n, err = strconv.Atoi(number)
	if err != nil || n < 0 || strconv.Itoa(n) != number {
		return 0, "", fmt.Errorf("srv %q: not a session", words)
	}
	return n, name, nil
}
