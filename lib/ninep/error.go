package ninep

import (
	"context"
	"errors"
	"io"

	"github.com/hugelgupf/p9/linux"
)

// Error is an error number that comes with words of its own: 9P2000 carries the words, 9P2000.L the number.
type Error struct {
	Errno linux.Errno
	Text  string // as it is to be read, without a trailing period; "" stands for Errno's own words
}

func (e *Error) Error() string {
	if e.Text == "" {
		return e.Errno.Error()
	}
	return e.Text
}

func (e *Error) Unwrap() error { return e.Errno }

// Errno is the Linux error number for err, whatever system it arose on: EINTR for a context that is done, 0 for nil, and EIO where
// nothing better is known.
func Errno(err error) linux.Errno {
	var e linux.Errno
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return linux.EINTR
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
		return linux.EIO
	}
	return linux.ExtractErrno(err)
}
