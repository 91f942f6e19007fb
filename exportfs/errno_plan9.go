package exportfs

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/hugelgupf/p9/linux"
)

// errno makes a system call's error, which is a text, one of 9P's.
func errno(err error) error {
	var l linux.Errno
	if err == nil || errors.As(err, &l) {
		return err
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
	for text, l := range errnos {
		if strings.Contains(err.Error(), text) {
			return l
		}
	}
	return err
}

// errnos are known by what the file servers of Plan 9 say.
var errnos = map[string]linux.Errno{
	"not a directory":     linux.ENOTDIR,
	"is a directory":      linux.EISDIR,
	"not empty":           linux.ENOTEMPTY,
	"read only":           linux.EROFS,
	"file system full":    linux.ENOSPC,
	"file name too long":  linux.ENAMETOOLONG,
	"illegal offset":      linux.EINVAL,
	"too many open files": linux.EMFILE,
	"cross-device":        linux.EXDEV,
}
