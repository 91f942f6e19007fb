//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// stdio is the connection on standard input and output, as inetd or another program hands it over: one socket, or two pipes.
func stdio() (net.Conn, error) {
	if c, err := net.FileConn(os.Stdin); err == nil {
		return c, nil
	}
	// A read of a pipe that blocks in the kernel would not end with Close.
	for _, fd := range []int{0, 1} {
		if err := syscall.SetNonblock(fd, true); err != nil {
			return nil, fmt.Errorf("-i: %w", err)
		}
	}
	return &pipes{in: os.NewFile(0, "stdin"), out: os.NewFile(1, "stdout")}, nil
}

// pipes is standard input and output as a connection. It comes from no address and has no deadlines.
type pipes struct {
	in, out *os.File
	once    sync.Once
}

func (c *pipes) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *pipes) Write(p []byte) (int, error) { return c.out.Write(p) }

func (c *pipes) Close() (err error) {
	c.once.Do(func() { err = errors.Join(c.in.Close(), c.out.Close()) })
	return err
}

func (*pipes) LocalAddr() net.Addr              { return stdioAddr{} }
func (*pipes) RemoteAddr() net.Addr             { return stdioAddr{} }
func (*pipes) SetDeadline(time.Time) error      { return errors.ErrUnsupported }
func (*pipes) SetReadDeadline(time.Time) error  { return errors.ErrUnsupported }
func (*pipes) SetWriteDeadline(time.Time) error { return errors.ErrUnsupported }

type stdioAddr struct{}

func (stdioAddr) Network() string { return "stdio" }
func (stdioAddr) String() string  { return "stdio" }
