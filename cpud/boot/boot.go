//go:build linux

// Package boot is cpud as process 1, the whole user space of a board or a virtual machine: it makes what programs expect of a system, keeps the
// daemon running, reaps whoever has lost his parent, and turns the machine off.
//
// Cpud's main calls [Run] for -init. The daemon itself is a child, this executable again without the flag, so that its own children are not
// reaped behind its back, and so that its end is not the kernel's. The package never exits but by turning the machine off, and reads no
// configuration besides its Options.
package boot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what system to make.
type Options struct {
	Args     []string  // the daemon's arguments
	Hostname string    // "": what /etc/hostname says, if it is there
	Modules  string    // a file that names kernel modules by their paths, a line each; "": none
	DHCP     string    // a pattern of the names of interfaces to be configured by DHCP, as path.Match has it; "": none
	Log      io.Writer // what goes wrong, a line each; nothing of it keeps the machine from coming up
}

// Signals that process 1 gets to turn the machine off, as busybox's init understands them. The kernel sends SIGINT for ctrl-alt-del.
const (
	Reboot   = unix.SIGTERM
	Halt     = unix.SIGUSR1
	PowerOff = unix.SIGUSR2
)

// pause is how long the daemon is left alone before it is started again, lest one that cannot run does nothing but begin.
const pause = time.Second

// Run makes the system and runs the daemon until the machine is to be turned off. It returns only if that fails.
func Run(o Options) error {
	logf := func(format string, args ...any) { fmt.Fprintf(o.Log, format+"\n", args...) }
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, Reboot, Halt, PowerOff, unix.SIGINT, unix.SIGCHLD)
	unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF) // so that it is SIGINT
	for _, err := range Prepare(o) {
		logf("%v", err)
	}
	stop := keepNetwork(o.DHCP, logf)
	var again <-chan time.Time
	start := func() (pid int) {
		again = nil
		pid, err := daemon(o.Args)
		if err != nil {
			logf("%v", err)
			again = time.After(pause)
		}
		return pid
	}
	pid := start()
	for {
		select {
		case <-again:
			pid = start()
		case s := <-signals:
			if s != unix.SIGCHLD {
				stop()
				return turnOff(s.(syscall.Signal), signals)
			}
			if ended, how := reap(pid); ended {
				logf("the daemon has ended: %s", how)
				again = time.After(pause)
			}
		}
	}
}

// keepNetwork keeps interfaces configured until stop is called, which leaves them as they are.
func keepNetwork(pattern string, logf func(format string, args ...any)) (stop func()) {
	if pattern == "" {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &network{pattern: pattern, resolv: "/etc/resolv.conf", logf: logf}
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.run(ctx); ctx.Err() == nil {
			logf("dhcp: %v", err)
		}
	})
	return func() { cancel(); wg.Wait() }
}

// daemon starts the daemon, and gives its process.
func daemon(args []string) (pid int, err error) {
	self, err := os.Executable()
	if err != nil {
		self = "/proc/self/exe"
	}
	pid, err = syscall.ForkExec(self, append([]string{"cpud"}, args...), &syscall.ProcAttr{
		Env:   append(os.Environ(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start the daemon: %w", err)
	}
	return pid, nil
}

// reap takes all who have ended, and says whether pid was among them, and how it ended.
func reap(pid int) (ended bool, how string) {
	for {
		var ws unix.WaitStatus
		p, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || p <= 0 {
			return ended, how
		}
		if p == pid {
			ended, how = true, fmt.Sprintf("exit %d", ws.ExitStatus())
			if ws.Signaled() {
				how = fmt.Sprintf("signal %d", ws.Signal())
			}
		}
	}
}

// patience is how long processes get to end by themselves.
const patience = 3 * time.Second

// turnOff ends all processes, and turns the machine off when none is left or their time is up. Signals tells when one has ended.
func turnOff(s syscall.Signal, signals <-chan os.Signal) error {
	unix.Kill(-1, unix.SIGTERM)
	unix.Kill(-1, unix.SIGCONT)
	for end, over := time.After(patience), false; !over; {
		p, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if errors.Is(err, unix.ECHILD) {
			break
		}
		if p > 0 {
			continue
		}
		select {
		case <-end:
			unix.Kill(-1, unix.SIGKILL)
			over = true
		case <-signals:
		}
	}
	unix.Sync()
	how := uint32(unix.LINUX_REBOOT_CMD_RESTART)
	switch s {
	case PowerOff:
		how = unix.LINUX_REBOOT_CMD_POWER_OFF
	case Halt:
		how = unix.LINUX_REBOOT_CMD_HALT
	}
	return os.NewSyscallError("reboot", unix.Reboot(int(int32(how)))) // the number is 32 bits, whatever an int is
}

// Signal is what process 1 is to be sent for a word of the control tree: reboot, halt or poweroff.
func Signal(word string) (syscall.Signal, bool) {
	s, ok := map[string]syscall.Signal{"reboot": Reboot, "halt": Halt, "poweroff": PowerOff}[strings.TrimSpace(word)]
	return s, ok
}
