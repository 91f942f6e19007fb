package ninep

import (
	"errors"
	"strings"

	"github.com/hugelgupf/p9/linux"
)

// maxError is the length in bytes beyond which the text of Rerror is cut off.
const maxError = 1024

// plan9Words are errors in the words of Plan 9's own file servers. Linux' v9fs knows them as well.
var plan9Words = map[linux.Errno]string{
	linux.ENOENT:    "file does not exist",
	linux.EIO:       "i/o error",
	linux.EBADF:     "fid unknown or out of range",
	linux.EACCES:    "permission denied",
	linux.EEXIST:    "file already exists",
	linux.ENOTDIR:   "not a directory",
	linux.ENOSPC:    "file system is full",
	linux.EROFS:     "read only file system",
	linux.ENOTEMPTY: "directory is not empty",
}

// errorText is err as Rerror says it: in its own words if it has any. Other errors are in Plan 9's words, or else in those of
// strerror(3), by which v9fs finds the number again, and so with a capital.
func errorText(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Text != "" {
		return strings.ToValidUTF8(e.Text[:min(len(e.Text), maxError)], "")
	}
	n := Errno(err)
	if s, ok := plan9Words[n]; ok {
		return s
	}
	s := n.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
