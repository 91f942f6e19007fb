//go:build portable

package exportfs

import "syscall"

func timesOf(s *syscall.Stat_t) times {
	return times{access: s.Atim, modification: s.Mtim, change: s.Ctim}
}
