//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// firstInherited is the first of the descriptors that are passed along, SD_LISTEN_FDS_START in sd_listen_fds(3).
const firstInherited = 3

// inherited is what a service manager listens at for this process, nil if it does not: sd_listen_fds(3).
func inherited(getenv func(string) string) (all []net.Listener, err error) {
	if pid, err := strconv.Atoi(getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil, nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 1 {
		return nil, nil
	}
	for fd := firstInherited; fd < firstInherited+n; fd++ {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "inherited "+strconv.Itoa(fd))
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			closeAll(all)
			return nil, fmt.Errorf("LISTEN_FDS: descriptor %d: %w", fd, err)
		}
		all = append(all, l)
	}
	return all, nil
}
