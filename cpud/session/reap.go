//go:build linux

package session

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// reaper waits for the command and for all that it leaves behind.
type reaper struct {
	pid    int // the command's
	pidfd  int // the same, safe against being given away anew
	proc   int // the server's /proc
	began  time.Time
	reaped chan struct{} // has a token when a process has ended since one was taken
	none   chan struct{} // closed once there is no process left

	mu     sync.Mutex
	spared map[int]bool // servers of the session, which are told nothing but its end
}

func newReaper(proc, pid, pidfd int, began time.Time) *reaper {
	return &reaper{pid: pid, pidfd: pidfd, proc: proc, began: began, reaped: make(chan struct{}, 1), none: make(chan struct{}),
		spared: map[int]bool{}}
}

// spare keeps a process that is not the command's from its notes.
func (r *reaper) spare(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spared[pid] = true
}

// spares says whether a process is to be kept from a signal.
func (r *reaper) spares(pid int, sig unix.Signal) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spared[pid] && sig != unix.SIGKILL
}

// run reaps until no process is left. It tells what becomes of the command.
func (r *reaper) run(tell func(*message)) {
	defer close(r.none)
	for {
		var ws unix.WaitStatus
		var ru unix.Rusage
		pid, err := unix.Wait4(-1, &ws, unix.WUNTRACED|unix.WCONTINUED, &ru)
		if err == unix.EINTR {
			continue
		}
		if err == nil && (ws.Exited() || ws.Signaled()) {
			r.mu.Lock()
			delete(r.spared, pid)
			r.mu.Unlock()
		}
		if err != nil {
			return // ECHILD: whoever is born has its parent among those that have ended
		}
		switch ours := pid == r.pid; {
		case ws.Stopped():
			if ours {
				tell(&message{Kind: kindStopped})
			}
			continue
		case ws.Continued():
			if ours {
				tell(&message{Kind: kindRunning})
			}
			continue
		case ours:
			e := &exit{User: duration(ru.Utime), Sys: duration(ru.Stime), Since: time.Since(r.began)}
			if ws.Signaled() {
				e.Signal = int(ws.Signal())
			} else {
				e.Code = ws.ExitStatus()
			}
			tell(&message{Kind: kindExit, Exit: e})
		}
		select {
		case r.reaped <- struct{}{}:
		default:
		}
	}
}

func duration(t unix.Timeval) time.Duration { return time.Duration(t.Nano()) }

// signal sends a signal to the command alone.
func (r *reaper) signal(sig unix.Signal) { unix.PidfdSendSignal(r.pidfd, sig, nil, 0) }

// signalAll sends a signal to every process of the session.
func (r *reaper) signalAll(sig unix.Signal) {
	self := os.Getpid()
	for _, p := range descendants(r.proc, self) {
		if r.spares(p.pid, sig) {
			continue
		}
		// A directory of /proc stands for its process: what is done to one is never done to another that has got its number.
		fd, err := unix.Openat(r.proc, strconv.Itoa(p.pid), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		if parent, ok := parentOf(fd, "stat"); ok && (parent == p.parent || parent == self) {
			unix.PidfdSendSignal(fd, sig, nil, 0)
		}
		unix.Close(fd)
	}
}

// killAll ends every process and waits until they have been reaped. A process that was born out of sight shows itself when its parent is
// reaped, at the latest.
func (r *reaper) killAll() {
	for {
		select {
		case <-r.none:
			return
		default:
		}
		r.signalAll(unix.SIGKILL)
		select {
		case <-r.none:
			return
		case <-r.reaped:
		}
	}
}

// process is a process and its parent, as they were a moment ago.
type process struct{ pid, parent int }

// descendants lists the processes below pid, parents first.
func descendants(proc, pid int) (found []process) {
	names, err := list(proc)
	if err != nil {
		return nil
	}
	children := map[int][]process{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if parent, ok := parentOf(proc, name+"/stat"); ok {
			children[parent] = append(children[parent], process{pid, parent})
		}
	}
	found = children[pid]
	for i := 0; i < len(found); i++ {
		found = append(found, children[found[i].pid]...)
	}
	return found
}

// parentOf reads the parent's number from a process's stat file.
func parentOf(dir int, stat string) (int, bool) {
	fd, err := unix.Openat(dir, stat, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false
	}
	f := os.NewFile(uintptr(fd), stat)
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return 0, false
	}
	pid := statField(b, 4)
	return int(pid), pid >= 0
}

// statField is a number in a stat file, proc_pid_stat(5), whose fields count from 1; -1 where there is none. The second is the name in
// parentheses, which may hold anything.
func statField(stat []byte, n int) int64 {
	const afterName = 3
	words := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if n-afterName >= len(words) {
		return -1
	}
	v, err := strconv.ParseInt(string(words[n-afterName]), 10, 64)
	if err != nil {
		return -1
	}
	return v
}

// tick is what /proc counts processor time in.
const tick = time.Second / 100

// timesOf is the processor time that a process has used so far, with that of its children that it has waited for.
func timesOf(pid int) (user, sys time.Duration) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0
	}
	sum := func(a, b int64) time.Duration { return time.Duration(max(a, 0)+max(b, 0)) * tick }
	return sum(statField(b, 14), statField(b, 16)), sum(statField(b, 15), statField(b, 17))
}
