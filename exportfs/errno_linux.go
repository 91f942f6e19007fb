//go:build !portable

package exportfs

import (
	"github.com/hugelgupf/p9/linux"
	"golang.org/x/sys/unix"
)

// errno makes a system call's error one of 9P's, which are Linux' own. Nothing else knows EPERM from EACCES.
func errno(err error) error {
	if e, ok := err.(unix.Errno); ok {
		return linux.Errno(e)
	}
	return err
}

// again repeats a system call that a signal has interrupted; the Go runtime sends itself some.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return errno(err)
		}
	}
}
