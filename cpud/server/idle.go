//go:build linux

package server

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// idle is how long nothing has moved over the channels of a connection. Keepalives do not count.
type idle struct {
	began time.Time
	last  atomic.Int64 // when something moved, as a time.Duration since began
}

func (i *idle) touch() { i.last.Store(int64(time.Since(i.began))) }

// wait returns true when nothing has moved for limit, and false when ctx is done.
func (i *idle) wait(ctx context.Context, limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
		}
		rest := limit - (time.Since(i.began) - time.Duration(i.last.Load()))
		if rest <= 0 {
			return true
		}
		t.Reset(rest)
	}
}

// watch is a channel that is going to be opened, which touches i whenever something moves over it.
func (i *idle) watch(n ssh.NewChannel) ssh.NewChannel { return watchedNewChannel{n, i} }

type watchedNewChannel struct {
	ssh.NewChannel
	idle *idle
}

func (n watchedNewChannel) Accept() (ssh.Channel, <-chan *ssh.Request, error) {
	n.idle.touch()
	ch, requests, err := n.NewChannel.Accept()
	if err != nil {
		return nil, nil, err
	}
	return watchedChannel{ch, n.idle}, requests, nil
}

type watchedChannel struct {
	ssh.Channel
	idle *idle
}

func (c watchedChannel) Read(p []byte) (int, error) {
	n, err := c.Channel.Read(p)
	c.idle.touch()
	return n, err
}

func (c watchedChannel) Write(p []byte) (int, error) {
	n, err := c.Channel.Write(p)
	c.idle.touch()
	return n, err
}

func (c watchedChannel) Stderr() io.ReadWriter { return watchedStream{c.Channel.Stderr(), c.idle} }

type watchedStream struct {
	io.ReadWriter
	idle *idle
}

func (s watchedStream) Write(p []byte) (int, error) {
	n, err := s.ReadWriter.Write(p)
	s.idle.touch()
	return n, err
}
