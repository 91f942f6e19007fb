//go:build darwin || freebsd || portable

package exportfs

import (
	"errors"
	"syscall"

	"github.com/hugelgupf/p9/linux"
	"golang.org/x/sys/unix"
)

// errno makes a system call's error one of 9P's, which are Linux' own. Up to ERANGE most numbers are those of Unix everywhere.
func errno(err error) error {
	var e syscall.Errno
	if err == nil || !errors.As(err, &e) {
		return err
	}
	if l, ok := errnos[e]; ok {
		return l
	}
	if e <= unix.ERANGE {
		return linux.Errno(e)
	}
	return err
}

var errnos = map[syscall.Errno]linux.Errno{
	unix.EAGAIN:       linux.EAGAIN,
	unix.EDEADLK:      linux.EDEADLK,
	unix.EDQUOT:       linux.EDQUOT,
	unix.ELOOP:        linux.ELOOP,
	unix.ENAMETOOLONG: linux.ENAMETOOLONG,
	unix.ENOLCK:       linux.ENOLCK,
	unix.ENOSYS:       linux.ENOSYS,
	unix.ENOTEMPTY:    linux.ENOTEMPTY,
	unix.ENOTSUP:      linux.EOPNOTSUPP,
	unix.EOVERFLOW:    linux.EOVERFLOW,
	unix.ESTALE:       linux.ESTALE,
}
