//go:build !portable

package exportfs

import (
	"strings"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

func (o object) setXattr(name string, data []byte, flags p9.XattrFlags) error {
	return again(func() error { return unix.Setxattr(o.path(), name, data, int(flags)) })
}

func (o object) getXattr(name string) ([]byte, error) {
	return sized(func(buf []byte) (int, error) { return unix.Getxattr(o.path(), name, buf) })
}

func (o object) listXattrs() ([]string, error) {
	b, err := sized(func(buf []byte) (int, error) { return unix.Listxattr(o.path(), buf) })
	if err != nil || len(b) == 0 {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00"), nil
}

func (o object) removeXattr(name string) error {
	return again(func() error { return unix.Removexattr(o.path(), name) })
}

// sized calls get with a buffer large enough for what it gives. A value may grow between two calls.
func sized(get func(buf []byte) (int, error)) ([]byte, error) {
	for range 100 {
		n, err := get(nil)
		if err == nil && n > 0 {
			buf := make([]byte, n)
			n, err = get(buf)
			if err == nil {
				return buf[:n], nil
			}
		}
		if err != unix.ERANGE && err != unix.EINTR {
			return nil, errno(err)
		}
	}
	return nil, linux.EIO
}
