//go:build linux

package session

import (
	"context"
	"net"
	"os"

	"cpu/ctlfs"

	"github.com/hugelgupf/p9/linux"
)

// dialled is what came of a dial: a connection, or the error.
type dialled struct {
	conn *net.UnixConn
	err  error
}

// Dial connects to the socket /srv/name that a program has made in session n, or to a posted service's. ENOENT where u sees no such session,
// or nothing runs in it, or it has no such socket. The caller closes the connection.
func (t *Table) Dial(ctx context.Context, u ctlfs.User, n int, name string) (*net.UnixConn, error) {
	s, err := t.session(u, n)
	if err != nil {
		return nil, err
	}
	if err := checkServiceName(name); err != nil {
		return nil, err
	}
	answer := make(chan dialled, 1)
	s.mu.Lock()
	if s.wire == nil || s.state != ctlfs.Running && s.state != ctlfs.Stopped {
		s.mu.Unlock()
		return nil, linux.ENOENT
	}
	s.lastTree++
	id := s.lastTree
	s.dialling[id] = answer
	err = s.wire.put(&message{Kind: kindDial, Name: name, Tree: id})
	s.mu.Unlock()
	if err == nil {
		select {
		case d := <-answer:
			return d.conn, d.err
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	s.mu.Lock()
	delete(s.dialling, id)
	s.mu.Unlock()
	select {
	case d := <-answer:
		if d.conn != nil {
			d.conn.Close()
		}
	default:
	}
	return nil, err
}

// answerDial is what the helper says of a dial.
func (s *Session) answerDial(id int, err error, f *os.File) {
	d := dialled{err: err}
	if err == nil && f == nil {
		d.err = linux.EIO
	} else if err == nil {
		var w *socket
		if w, d.err = newSocket(f); d.err == nil {
			d.conn = w.UnixConn
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := s.dialling[id]
	delete(s.dialling, id)
	if answer != nil {
		answer <- d
	} else if d.conn != nil {
		d.conn.Close()
	}
}
