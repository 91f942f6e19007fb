//go:build linux

package session

import (
	"os"

	"cpu/cpud/wire"
)

// maxMessage bounds a message in bytes. The largest is setup: a namespace file of 1 MiB, and the command's arguments and environment.
const maxMessage = 64 << 20

// socket is one end of the socket between cpud and a helper. Puts may come from many goroutines; gets come from one.
type socket struct{ *wire.Conn }

// newPair makes both ends. The second is a plain file, to be inherited.
func newPair() (*socket, *os.File, error) {
	c, theirs, err := wire.Pair(maxMessage)
	if err != nil {
		return nil, nil, err
	}
	return &socket{c}, theirs, nil
}

// newSocket takes over f, a connected Unix socket.
func newSocket(f *os.File) (*socket, error) {
	c, err := wire.New(f, maxMessage)
	if err != nil {
		return nil, err
	}
	return &socket{c}, nil
}

// put sends a message and the files with it, which stay the caller's.
func (s *socket) put(m *message, files ...*os.File) error { return s.Put(m, files...) }

// get receives a message. Its files are the caller's to close. The error is io.EOF when the other end is gone.
func (s *socket) get() (*message, error) {
	m := &message{}
	files, err := s.Get(m)
	if err != nil {
		return nil, err
	}
	m.files = files
	return m, nil
}
