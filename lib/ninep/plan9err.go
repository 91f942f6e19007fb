package ninep

import (
	"errors"
	"strings"
	"sync"
	"unicode"

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

// plan9Errnos are what servers say besides: Plan 9's kernels and disk file systems, lib9p and what is made with it, the programs of
// plan9port, and Go's.
var plan9Errnos = map[string]linux.Errno{
	"directory entry not found": linux.ENOENT,
	"file not found":            linux.ENOENT,
	"no such file":              linux.ENOENT,
	"not found":                 linux.ENOENT,

	"create/wstat -- file exists": linux.EEXIST,

	"access permission denied":               linux.EACCES,
	"authentication failed":                  linux.EACCES,
	"authentication required":                linux.EACCES,
	"mount/attach disallowed":                linux.EACCES,
	"not open for read":                      linux.EBADF,
	"not open for write":                     linux.EBADF,
	"bad use of fid":                         linux.EBADF,
	"fid not open":                           linux.EBADF,
	"file not open":                          linux.EBADF,
	"inappropriate use of fid":               linux.EBADF,
	"unknown fid":                            linux.EBADF,
	"clone of open fid":                      linux.EBUSY,
	"device or object in use":                linux.EBUSY,
	"already in use":                         linux.EBUSY,
	"exclusive lock":                         linux.EBUSY,
	"exclusive use file":                     linux.EBUSY,
	"file in use":                            linux.EBUSY,
	"file is in use":                         linux.EBUSY,
	"file already open":                      linux.EBUSY,
	"open/create -- file is locked":          linux.EBUSY,
	"exclusive use file already open":        linux.EBUSY,
	"exclusive-use file already open":        linux.EBUSY,
	"create in non-directory":                linux.ENOTDIR,
	"create -- in a non-directory":           linux.ENOTDIR,
	"walk in non-directory":                  linux.ENOTDIR,
	"walk -- in a non-directory":             linux.ENOTDIR,
	"file is a directory":                    linux.EISDIR,
	"directory not empty":                    linux.ENOTEMPTY,
	"remove -- directory not empty":          linux.ENOTEMPTY,
	"create prohibited":                      linux.EPERM,
	"mounted directory forbids creation":     linux.EPERM,
	"not owner":                              linux.EPERM,
	"read prohibited":                        linux.EPERM,
	"remove prohibited":                      linux.EPERM,
	"stat prohibited":                        linux.EPERM,
	"walk prohibited":                        linux.EPERM,
	"write prohibited":                       linux.EPERM,
	"wstat -- not in group":                  linux.EPERM,
	"wstat -- not owner":                     linux.EPERM,
	"wstat prohibited":                       linux.EPERM,
	"file system read only":                  linux.EROFS,
	"read-only file system":                  linux.EROFS,
	"device is full":                         linux.ENOSPC,
	"file system full":                       linux.ENOSPC,
	"no free disk space":                     linux.ENOSPC,
	"file too big":                           linux.EFBIG,
	"file name too long":                     linux.ENAMETOOLONG,
	"name too long":                          linux.ENAMETOOLONG,
	"bad arg in system call":                 linux.EINVAL,
	"bad character in file name":             linux.EINVAL,
	"bad control message":                    linux.EINVAL,
	"bad count":                              linux.EINVAL,
	"bad offset":                             linux.EINVAL,
	"bad process or channel control request": linux.EINVAL,
	"file name syntax":                       linux.EINVAL,
	"ill-formed control message":             linux.EINVAL,
	"read/write -- offset negative":          linux.EINVAL,
	"unknown control request":                linux.EINVAL,
	"illegal name":                           linux.EINVAL,
	"unknown specifier in attach":            linux.ENOENT,
	"attach -- bad specifier":                linux.ENOENT,
	"no living children":                     linux.ECHILD,
	"no such process":                        linux.ESRCH,
	"process exited":                         linux.ESRCH,
	"no free memory":                         linux.ENOMEM,
	"out of memory":                          linux.ENOMEM,
	"not implemented":                        linux.ENOSYS,
	"not supported":                          linux.EOPNOTSUPP,
	"inconsistent mount":                     linux.EINVAL,
	"hungup channel":                         linux.EPIPE,
	"i/o on hungup channel":                  linux.EPIPE,
	"write to hungup stream":                 linux.EPIPE,
	"connection timed out":                   linux.ETIMEDOUT,
	"interrupted":                            linux.EINTR,
}

// lastErrno is the highest of Linux' error numbers.
const lastErrno = linux.Errno(133)

// errnoWords is the number for each text that is known, in lower case: those of the tables above, and strerror(3)'s.
var errnoWords = sync.OnceValue(func() map[string]linux.Errno {
	all := map[string]linux.Errno{}
	for n := range lastErrno {
		all[strings.ToLower((n + 1).Error())] = n + 1
	}
	for text, n := range plan9Errnos {
		all[text] = n
	}
	for n, text := range plan9Words {
		all[text] = n
	}
	return all
})

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

// plan9Error is the error that Rerror tells of: the server's text, fit to be printed, and the number that it stands for.
func plan9Error(text string) error {
	text = strings.ToValidUTF8(text[:min(len(text), maxError)], "")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
	return &Error{textErrno(text), text}
}

// textErrno is the number for a text: one that is known, perhaps with a file's name or an operation before it or after it, as in
// "open x: file does not exist" and "'x' file does not exist". It is EIO for any other.
func textErrno(text string) linux.Errno {
	text = strings.ToLower(strings.TrimSpace(text))
	parts := []string{text}
	if i := strings.LastIndex(text, ": "); i >= 0 {
		before, _, _ := strings.Cut(text, ": ")
		parts = append(parts, text[i+2:], before)
	}
	if i := strings.LastIndexAny(text, `'"`); i >= 0 {
		parts = append(parts, text[i+1:], text[:strings.IndexAny(text, `'"`)])
	}
	all := errnoWords()
	for _, p := range parts {
		if n, ok := all[strings.TrimSpace(p)]; ok {
			return n
		}
	}
	return linux.EIO
}
