package exportfs

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/hugelgupf/p9/linux"
	"golang.org/x/sys/windows"
)

// errno makes a system call's error one of 9P's.
func errno(err error) error {
	var l linux.Errno
	if err == nil || errors.As(err, &l) {
		return err
	}
	var e syscall.Errno
	if errors.As(err, &e) {
		if l, ok := errnos[e]; ok {
			return l
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return linux.ENOENT
	case errors.Is(err, fs.ErrExist):
		return linux.EEXIST
	case errors.Is(err, fs.ErrPermission):
		return linux.EACCES
	case errors.Is(err, errors.ErrUnsupported):
		return linux.EOPNOTSUPP
	}
	return err
}

var errnos = map[syscall.Errno]linux.Errno{
	windows.ERROR_DIRECTORY:            linux.ENOTDIR,
	windows.ERROR_DIR_NOT_EMPTY:        linux.ENOTEMPTY,
	windows.ERROR_DISK_FULL:            linux.ENOSPC,
	windows.ERROR_HANDLE_DISK_FULL:     linux.ENOSPC,
	windows.ERROR_FILENAME_EXCED_RANGE: linux.ENAMETOOLONG,
	windows.ERROR_INVALID_HANDLE:       linux.EBADF,
	windows.ERROR_INVALID_NAME:         linux.EINVAL,
	windows.ERROR_INVALID_PARAMETER:    linux.EINVAL,
	windows.ERROR_LOCK_VIOLATION:       linux.EAGAIN,
	windows.ERROR_NOT_SAME_DEVICE:      linux.EXDEV,
	windows.ERROR_PRIVILEGE_NOT_HELD:   linux.EPERM,
	windows.ERROR_SHARING_VIOLATION:    linux.EBUSY,
	windows.ERROR_WRITE_PROTECT:        linux.EROFS,
	syscall.EISDIR:                     linux.EISDIR,
	syscall.ELOOP:                      linux.ELOOP,
	syscall.ENOTDIR:                    linux.ENOTDIR,
	syscall.EWINDOWS:                   linux.EOPNOTSUPP,
}
