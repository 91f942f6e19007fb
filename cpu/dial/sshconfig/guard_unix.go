//go:build unix

package sshconfig

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// guarded fails for a file that others than its reader and root can write to, for what it says may run programs.
func guarded(name string, info fs.FileInfo) error {
	s, ok := info.Sys().(*syscall.Stat_t)
	if ok && (s.Uid != 0 && s.Uid != uint32(os.Getuid()) || info.Mode().Perm()&0o022 != 0) {
		return fmt.Errorf("%s: others than its user can write to it", name)
	}
	return nil
}
