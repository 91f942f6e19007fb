package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"

	"cpu/cpu/client"
	"cpu/cpud/server"
	"cpu/cpud/session"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
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
	here, there, err := connPair()
	if err != nil {
		return nil, fmt.Errorf("self: %w", err)
	}
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

// connPair is a connection of this process with itself. Both ends of SSH write before they read, so it has to have a buffer.
func connPair() (here, there net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	if here, err = fileConn(fds[0]); err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	if there, err = fileConn(fds[1]); err != nil {
		here.Close()
		return nil, nil, err
	}
	return here, there, nil
}

// fileConn makes a connection of a descriptor, which it takes over.
func fileConn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "self")
	defer f.Close()
	return net.FileConn(f)
}

func newSigner() (ssh.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return ssh.NewSignerFromKey(key)
}
