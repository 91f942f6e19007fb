//go:build linux

package mnt

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"cpu/lib/ninep"

	"golang.org/x/sys/unix"
)

// v9fsMsize is the size of a message that the kernel is asked for. How much its socket transport takes depends on its version: it lowers
// it by itself.
const v9fsMsize = ninep.DefaultMsize

// HaveV9FS reports whether the running kernel has v9fs.
func HaveV9FS() bool {
	list, err := os.ReadFile("/proc/filesystems")
	return err == nil && bytes.Contains(list, []byte("\t9p\n"))
}

// MountV9FS mounts the tree aname that the 9P2000.L server at the other end of the connected socket conn serves on the directory dir,
// with the kernel's v9fs, nosuid and nodev. It needs root. Conn stays the caller's, who may close it: the kernel holds its own reference.
// Every user of the namespace gets in, as the one user whose connection it is; names and attributes are not cached, and neither is a
// file's content, except where it is mapped.
func MountV9FS(dir string, conn *os.File, o Options, aname string) error {
	if strings.ContainsAny(aname, ",\x00") {
		return &os.PathError{Op: "mount", Path: dir, Err: fmt.Errorf("aname %q: %w", aname, unix.EINVAL)}
	}
	c, err := conn.SyscallConn()
	if err != nil {
		return &os.PathError{Op: "mount", Path: dir, Err: err}
	}
	cerr := c.Control(func(fd uintptr) {
		// Mapped files want cache=mmap; access=any because the far side serves one user, whoever asks here.
		access := "any"
		if o.private {
			access = strconv.Itoa(unix.Geteuid())
		}
		data := fmt.Sprintf("trans=fd,rfdno=%d,wfdno=%d,version=9p2000.L,msize=%d,cache=mmap,access=%s,aname=%s", fd, fd, v9fsMsize, access, aname)
		err = unix.Mount(o.source(), dir, "9p", o.flags(), data)
	})
	if err == nil {
		err = cerr
	}
	if err != nil {
		return &os.PathError{Op: "mount", Path: dir, Err: err}
	}
	return nil
}
