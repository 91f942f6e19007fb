//go:build linux

package session

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// stream is cpud's end of a pipe of the command's, or of its terminal. Reads are one at a time, and so are writes; each waits no longer than
// its context.
type stream struct {
	f       *os.File
	reading chan struct{} // has a token when nobody reads
	writing chan struct{}
	ended   context.Context // done when the command has ended
}

// newStream takes over the descriptor fd.
func newStream(ended context.Context, fd int, name string) (*stream, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	s := &stream{f: os.NewFile(uintptr(fd), name), reading: make(chan struct{}, 1), writing: make(chan struct{}, 1), ended: ended}
	s.reading <- struct{}{}
	s.writing <- struct{}{}
	return s, nil
}

// read reads what there is, or waits for it. It returns io.EOF when the command has closed its side, or has ended and nothing is left: what
// others who hold the other side may write later is not waited for.
func (s *stream) read(ctx context.Context, p []byte) (int, error) {
	if err := take(ctx, s.reading); err != nil {
		return 0, err
	}
	defer give(s.reading)
	if len(p) == 0 {
		return 0, nil
	}
	n, err := s.bounded(ctx, s.f.SetReadDeadline, func() (int, error) { return s.f.Read(p) })
	switch {
	case err == nil, err == io.EOF:
		return n, err
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return s.drain(p)
	case errors.Is(err, os.ErrClosed):
		return 0, io.EOF
	case errors.Is(err, unix.EIO): // a terminal that nobody has open now
		select {
		case <-s.ended.Done():
			return 0, io.EOF
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return n, err
}

// drain reads what is left after the command's end.
func (s *stream) drain(p []byte) (n int, err error) {
	c, err := s.f.SyscallConn()
	if err != nil {
		return 0, io.EOF
	}
	cerr := c.Control(func(fd uintptr) { n, err = unix.Read(int(fd), p) })
	if cerr != nil || err != nil || n <= 0 {
		return 0, io.EOF
	}
	return n, nil
}

// write writes all of p, or as much as the command takes before it ends or ctx does.
func (s *stream) write(ctx context.Context, p []byte) (int, error) {
	if err := take(ctx, s.writing); err != nil {
		return 0, err
	}
	defer give(s.writing)
	n, err := s.bounded(ctx, s.f.SetWriteDeadline, func() (int, error) { return s.f.Write(p) })
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
		return n, ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed), errors.Is(err, unix.EIO):
		return n, unix.EPIPE
	}
	return n, err
}

// closeWrite closes a pipe to the command, after whoever writes to it now.
func (s *stream) closeWrite(ctx context.Context) error {
	if err := take(ctx, s.writing); err != nil {
		return err
	}
	defer give(s.writing)
	return s.f.Close()
}

// past is a deadline that has gone by.
var past = time.Unix(1, 0)

// bounded runs op, which ends at the deadline, until ctx or the command ends.
func (s *stream) bounded(ctx context.Context, deadline func(time.Time) error, op func() (int, error)) (int, error) {
	var waits []func()
	for _, c := range []context.Context{ctx, s.ended} {
		done := make(chan struct{})
		stop := context.AfterFunc(c, func() { deadline(past); close(done) })
		waits = append(waits, func() {
			if !stop() {
				<-done
			}
		})
	}
	n, err := op()
	for _, wait := range waits {
		wait()
	}
	deadline(time.Time{})
	return n, err
}

func take(ctx context.Context, token chan struct{}) error {
	select {
	case <-token:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func give(token chan struct{}) { token <- struct{}{} }
