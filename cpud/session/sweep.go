//go:build linux

package session

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// namespaceOf names the mount namespace of a process, so that it can be compared.
func namespaceOf(pid int) (string, error) {
	return os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/mnt")
}

// sweep kills what is left in a mount namespace whose helper was killed and has killed nothing itself. It looks again until nothing that
// it has not killed is found, because what lives may have children. Whoever inherited them reaps them.
func sweep(namespace string) {
	if own, err := namespaceOf(os.Getpid()); err != nil || namespace == "" || namespace == own {
		return
	}
	killed := map[int]bool{}
	for again := true; again; {
		again = false
		dir, err := os.ReadDir("/proc")
		if err != nil {
			return
		}
		for _, e := range dir {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || killed[pid] {
				continue
			}
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				continue
			}
			if id, err := namespaceOf(pid); err == nil && id == namespace {
				killed[pid], again = true, true
				unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			}
			unix.Close(fd)
		}
	}
}
