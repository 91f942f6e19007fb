//go:build linux

package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"cpu/ctlfs"

	"golang.org/x/crypto/ssh"
)

// A login is one connection's way in: who came, with which key, and what that key allows.
type login struct {
	server      *Server
	user        ctlfs.User
	fingerprint string
	certificate string // what the log says of it; "" if a key came alone
	rights      keyRights

	ctx   context.Context // done when the login is over
	name  string          // that the client gave
	tried []string        // why each key was not accepted, for the log
	asked bool            // it has tried to log in, in whatever way
}

// accepted is what an accepted key leaves in the connection's permissions.
type accepted struct{}

// errGrace ends the connection of a client that has not logged in in time.
var errGrace = errors.New("the login took too long")

// logIn lets the client of c prove who it is, in time.
func (s *Server) logIn(ctx context.Context, c net.Conn) (*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, *login, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &login{server: s, ctx: ctx}
	config := s.ssh
	config.PublicKeyCallback = l.publicKey
	config.AuthLogCallback = func(_ ssh.ConnMetadata, _ string, err error) {
		if !errors.Is(err, ssh.ErrNoAuth) { // the question what ways there are
			l.asked = true
		}
	}
	grace := time.AfterFunc(s.LoginGrace, func() { c.Close() })
	conn, channels, requests, err := ssh.NewServerConn(c, &config)
	if !grace.Stop() {
		c.Close()
		return nil, nil, nil, l, errGrace
	}
	if err != nil {
		return nil, nil, nil, l, err
	}
	// Of the keys that were accepted, this one also proved to be the client's.
	won, ok := conn.Permissions.ExtraData[accepted{}].(login)
	if !ok {
		conn.Close()
		return nil, nil, nil, l, errors.New("no key")
	}
	return conn, channels, requests, &won, nil
}

// errNoKey is all that a client is told.
var errNoKey = errors.New("key not accepted")

// publicKey lets a key in that the user's list has. For a user who does not exist, or may not come in, it does the same work, and takes its
// time to say no.
func (l *login) publicKey(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	began := time.Now()
	l.name = conn.User()
	user, userErr := l.server.lookupUser(conn.User())
	rights, err := l.server.findKey(user, key, conn.RemoteAddr())
	fingerprint, certificate := describe(key)
	if userErr != nil {
		err = userErr
	}
	if err != nil {
		if certificate != "" {
			fingerprint += " " + certificate
		}
		l.tried = append(l.tried, fmt.Sprintf("%s: %v", fingerprint, err))
		l.server.refusals.wait(l.ctx, conn.User(), began)
		return nil, errNoKey
	}
	user.From, user.Key = conn.RemoteAddr().String(), fingerprint
	p := rights.permissions()
	p.ExtraData = map[any]any{accepted{}: login{server: l.server, user: user, fingerprint: fingerprint, certificate: certificate, rights: rights}}
	return p, nil
}

// won is what the log says of a login.
func (l *login) won() []any {
	all := []any{"user", l.user.Name, "key", l.fingerprint}
	if l.certificate != "" {
		all = append(all, "certificate", l.certificate)
	}
	return all
}

// about is what the log says of a login that failed.
func (l *login) about(err error) []any {
	var all []any
	if l.name != "" {
		all = append(all, "user", clip(l.name))
	}
	for _, t := range l.tried {
		all = append(all, "key", clip(t))
	}
	return append(all, "err", clip(err))
}

// penalty is what a login that failed costs.
func (l *login) penalty(p Penalties, err error) time.Duration {
	switch {
	case errors.Is(err, errGrace):
		return p.GraceExceeded
	case l.asked:
		return p.AuthFail
	}
	return p.NoAuth
}
