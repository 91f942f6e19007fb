//go:build linux

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"cpu/ctlfs"
	"cpu/lib/ninep"

	"golang.org/x/crypto/ssh"
)

// subsystems is what each name of a subsystem opens. The function it gives serves the stream until its end, and says whether that was a good one.
var subsystems = map[string]func(c *channel, words string) (serve func() error, err error){
	"ctlfs":    (*channel).control,
	"exportfs": (*channel).export,
	"srv":      (*channel).post,
	"dial":     (*channel).dial,
	"agent":    (*channel).agent,
}

var errWords = errors.New("no words are wanted after the name")

// control serves the control tree as the user sees it.
func (c *channel) control(words string) (func() error, error) {
	if words != "" {
		return nil, errWords
	}
	tree := ctlfs.New(c.link.host, c.link.user())
	srv := &ninep.Server{Attacher: tree, Log: c.link.log, Stats: c.link.server.Table.Served()}
	return func() error { return srv.Serve(c.ctx, &stream{Channel: c.ch}) }, nil
}

// post makes the stream, at whose other end the terminal serves 9P, available as /srv/NAME in session N. The name is taken before
// the request is answered, so that whatever comes after the answer finds it.
func (c *channel) post(words string) (func() error, error) {
	n, name, err := parsePost(words)
	if err != nil {
		return nil, err
	}
	posting, err := c.link.server.Table.Announce(c.link.user(), n, name)
	if err != nil {
		return nil, fmt.Errorf("/srv/%s: %w", name, err)
	}
	return func() error {
		err := posting.Serve(c.ctx, &stream{Channel: c.ch})
		if err != nil && c.ctx.Err() == nil {
			c.link.log.Info("service ended", "session", n, "name", name, "err", err)
		}
		return err
	}, nil
}

// dial connects to the socket that a program has made as /srv/NAME in session N.
func (c *channel) dial(words string) (func() error, error) {
	n, name, err := parsePost(words)
	if err != nil {
		return nil, err
	}
	conn, err := c.link.server.Table.Dial(c.ctx, c.link.user(), n, name)
	if err != nil {
		return nil, fmt.Errorf("/srv/%s: %w", name, err)
	}
	return func() error {
		defer context.AfterFunc(c.ctx, func() { conn.Close() })()
		c.link.running.Go(func() {
			io.Copy(conn, c.ch)
			conn.CloseWrite()
		})
		_, err := io.Copy(c.ch, conn)
		conn.Close()
		return err
	}, nil
}

// stream is a channel as a stream of bytes. Its Close ends a blocked Read or Write once the far side has answered it, or the connection ends.
// Where nothing is blocked it leaves the end of the channel to whoever knows how the stream ended, and tells the client.
type stream struct {
	ssh.Channel
	mu     sync.Mutex
	busy   int // Reads and Writes under way
	closed bool
}

var _ io.ReadWriteCloser = &stream{}

func (s *stream) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.busy++
	return true
}

func (s *stream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
}

func (s *stream) Read(p []byte) (int, error) {
	if !s.enter() {
		return 0, io.ErrClosedPipe
	}
	defer s.leave()
	return s.Channel.Read(p)
}

func (s *stream) Write(p []byte) (int, error) {
	if !s.enter() {
		return 0, io.ErrClosedPipe
	}
	defer s.leave()
	return s.Channel.Write(p)
}

func (s *stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.busy == 0 {
		s.closed = true
		return nil
	}
	s.closed = true
	sendExitStatus(s.Channel, 0) // it was good until now
	return s.Channel.Close()
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
