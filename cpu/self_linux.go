package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"sync"

	"cpu/cpu/client"
	"cpu/cpud/server"
	"cpu/cpud/session"

	"golang.org/x/crypto/ssh"
)

// selfMain does the work of a helper process of the embedded server, where this process was started as one.
func selfMain() { server.Main() }

// self is a cpu server in this process, with one connection, over a pipe and with keys made for the run.
type self struct {
	client.Opener
	table  *session.Table
	cancel context.CancelFunc
	served sync.WaitGroup
}

// openSelf starts it. Closing it ends its sessions.
func openSelf(ctx context.Context, user string, log *slog.Logger) (client.Opener, error) {
	hostKey, err := newSigner()
	if err != nil {
		return nil, err
	}
	userKey, err := newSigner()
	if err != nil {
		return nil, err
	}
	s := &self{table: session.NewTable(session.Config{Log: log, Version: version()})}
	srv, err := server.New(server.Config{HostKeys: []ssh.Signer{hostKey}, Keys: []ssh.PublicKey{userKey.PublicKey()}, Table: s.table, Log: log})
	if err != nil {
		return nil, fmt.Errorf("self: %w", err)
	}
	here, there := net.Pipe()
	serveCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.served.Go(func() { srv.ServeConn(serveCtx, there) })
	conn, channels, requests, err := ssh.NewClientConn(here, "self", &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(userKey)}, HostKeyCallback: ssh.FixedHostKey(hostKey.PublicKey()),
	})
	if err != nil {
		here.Close()
		s.end()
		return nil, fmt.Errorf("self: %w", err)
	}
	s.Opener = client.SSH(ssh.NewClient(conn, channels, requests))
	return s, nil
}

// Close ends the connection, its sessions and the server.
func (s *self) Close() error {
	err := s.Opener.Close()
	s.end()
	return err
}

func (s *self) end() {
	s.cancel()
	s.served.Wait()
	s.table.Close()
}

func newSigner() (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return ssh.NewSignerFromKey(key)
}
