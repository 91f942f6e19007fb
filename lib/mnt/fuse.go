//go:build linux

package mnt

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const fuseDevice = "/dev/fuse"

// OpenFUSE opens /dev/fuse and mounts it on the directory dir, nosuid and nodev, open to every user of the namespace; no permission is
// checked here but by the side that has the files, unless the options say so. It runs in the mount namespace where the mount is to be, as root or as the root of a
// user namespace. Until [ServeFUSE] serves the file, whoever touches dir waits; once every copy of the file is closed they get an error,
// so a process that sends it on must close its own. Unmounting is the caller's.
func OpenFUSE(dir string, o Options) (*os.File, error) {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Open(fuseDevice, unix.O_RDWR|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: fuseDevice, Err: err}
	}
	data := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d", fd, unix.Geteuid(), unix.Getegid())
	if !o.private {
		data += ",allow_other"
	}
	if o.CheckModes {
		data += ",default_permissions"
	}
	if err := unix.Mount(o.source(), dir, "fuse.9p", o.flags(), data); err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "mount", Path: dir, Err: err}
	}
	return os.NewFile(uintptr(fd), fuseDevice), nil
}

func (o *Options) source() string {
	if o.FSName == "" {
		return "9p"
	}
	return strings.ReplaceAll(o.FSName, "\x00", "")
}

func (o *Options) flags() uintptr {
	f := uintptr(unix.MS_NOSUID | unix.MS_NODEV)
	if o.ReadOnly {
		f |= unix.MS_RDONLY
	}
	return f
}

// again runs op until a signal does not interrupt it.
func again(op func() error) error {
	for {
		if err := op(); err != unix.EINTR {
			return err
		}
	}
}
