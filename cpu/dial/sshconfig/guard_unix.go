//go:build unix

package sshconfig

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// guarded fails for a file that others than its reader and root can write to, for what it says may run programs. The group that has the
// user's own name is his alone, as Debian has it.
func guarded(name string, info fs.FileInfo) error {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	perm := info.Mode().Perm()
	if perm&0o020 != 0 && ownGroup(s.Gid) {
		perm &^= 0o020
	}
	if s.Uid != 0 && s.Uid != uint32(os.Getuid()) || perm&0o022 != 0 {
		return fmt.Errorf("%s: others than its user can write to it", name)
	}
	return nil
}

// ownGroup says whether a group has the name of the user whose process this is.
func ownGroup(gid uint32) bool {
	u, err := user.LookupId(strconv.Itoa(os.Getuid()))
	if err != nil {
		return false
	}
	g, err := user.LookupGroupId(strconv.FormatUint(uint64(gid), 10))
	return err == nil && g.Name == u.Username
}
