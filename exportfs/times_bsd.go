//go:build darwin || freebsd

package exportfs

import "syscall"

func timesOf(s *syscall.Stat_t) times {
	return times{access: s.Atimespec, modification: s.Mtimespec, change: s.Ctimespec, birth: &s.Birthtimespec}
}
