//go:build linux

package server

import (
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
	rights      keyRights

	name  string   // that the client gave
	tried []string // why each key was not accepted, for the log
}

// accepted is what an accepted key leaves in the connection's permissions.
type accepted struct{}

// logIn lets the client of c prove who it is, in time.
func (s *Server) logIn(c net.Conn) (*ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request, *login, error) {
	l := &login{server: s}
	config := s.ssh
	config.PublicKeyCallback = l.publicKey
	grace := time.AfterFunc(s.LoginGrace, func() { c.Close() })
	conn, channels, requests, err := ssh.NewServerConn(c, &config)
	if !grace.Stop() {
		c.Close()
		return nil, nil, nil, l, errors.New("the login took too long")
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

// publicKey lets a key in that the user's list has. For a user who does not exist it does the same work.
func (l *login) publicKey(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	l.name = conn.User()
	user, userErr := l.server.lookupUser(conn.User())
	rights, err := l.server.findKey(user, key, conn.RemoteAddr())
	fingerprint := ssh.FingerprintSHA256(key)
	if err := errors.Join(userErr, err); err != nil {
		if userErr != nil {
			err = userErr
		}
		l.tried = append(l.tried, fmt.Sprintf("%s: %v", fingerprint, err))
		return nil, errNoKey
	}
	p := &ssh.Permissions{ExtraData: map[any]any{accepted{}: login{server: l.server, user: user, fingerprint: fingerprint, rights: rights}}}
	if rights.noTouch {
		p.Extensions = map[string]string{"no-touch-required": ""}
	}
	return p, nil
}

// about is what the log says of a login that failed.
func (l *login) about(err error) []any {
	var all []any
	if l.name != "" {
		all = append(all, "user", l.name)
	}
	for _, t := range l.tried {
		all = append(all, "key", t)
	}
	return append(all, "err", err)
}
