//go:build linux

package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"time"

	"cpu/cpud/wire"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// helperName is what a helper is started as; helperFD is its end of the socket.
const (
	helperName = "cpud-session"
	helperFD   = 3
)

// Main makes the process a session's helper, and never returns, if that is what it was started for. Programs that have a [Table] call it
// first in main, on the main goroutine.
func Main() {
	if len(os.Args) > 4 && os.Args[0] == unionName {
		if err := unionMain(os.Args[1:]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", unionName, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if len(os.Args) == 0 || os.Args[0] != helperName {
		return
	}
	// The thread's file system ids and capabilities change, and the command is bound to its life.
	runtime.LockOSThread()
	if err := helperMain(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", helperName, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// helperMain is one session's life in the helper. The errors it returns are about cpud, not about the session.
func helperMain() error {
	if err := closeOnExec(); err != nil {
		return err
	}
	w, err := newSocket(os.NewFile(helperFD, "cpud"))
	if err != nil {
		return err
	}
	// Caught signals, unlike ignored ones, are back at their defaults in the command, whatever cpud was started with.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGPIPE)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	if err := passNoCapabilities(); err != nil {
		return err
	}
	m, err := w.get()
	if err != nil {
		return err
	}
	h := &helper{wire: w, setup: m.Setup}
	err = h.begin(m.files)
	wire.CloseAll(m.files)
	if err != nil {
		return w.put(&message{Kind: kindFailed, Err: newFailure(err, statusOf(err))})
	}
	h.attend()
	return nil
}

// closeOnExec keeps from the command what is open beyond standard error: the socket, and whatever cpud was started with.
func closeOnExec() error {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range fds {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// helper is one session, from within.
type helper struct {
	wire   *socket
	setup  *setup
	root   *root
	user   *user
	reaper *reaper
}

// begin builds the namespace and starts the command; stdio are its ends of the pipes where it has no terminal.
func (h *helper) begin(stdio []*os.File) error {
	s := h.setup
	h.user = &user{uid: s.UID, gid: s.GID, groups: s.Groups, become: s.Become}
	var files []*os.File // to send
	if s.TTY {
		// The server's own, while it is in sight.
		master, slave, err := h.terminal()
		if err != nil {
			return fmt.Errorf("terminal: %w", err)
		}
		defer master.Close()
		defer slave.Close()
		files, stdio = []*os.File{master}, []*os.File{slave, slave, slave}
	}
	if len(stdio) != 3 {
		return fmt.Errorf("setup: %d descriptors for the command", len(stdio))
	}
	unix.Umask(0o022)
	var err error
	if h.root, err = newRoot(h.user); err != nil {
		return err
	}
	for _, name := range s.Services {
		if err := h.post(name); err != nil {
			return err
		}
	}
	b := newBuilder(h.root, h.user, s, h.ask)
	began, pid, pidfd := time.Time{}, 0, -1
	err = b.build(context.Background())
	if err == nil {
		err = b.enterDir()
	}
	if err == nil {
		began = time.Now()
		pid, pidfd, err = b.start([3]*os.File(stdio))
	}
	if err != nil {
		for _, u := range b.unions() {
			u.end()
		}
		return err
	}
	h.reaper = newReaper(h.root.proc, pid, pidfd, began)
	for _, u := range b.unions() {
		h.reaper.spare(u.server.Pid)
	}
	h.tell(&message{Kind: kindStarted, PID: pid, Text: b.String()}, files...)
	return unix.Chdir("/")
}

// terminal makes the command's terminal, the user's from the start.
func (h *helper) terminal() (master, slave *os.File, err error) {
	master, slave, err = pty.Open()
	if err != nil {
		return nil, nil, err
	}
	err = pty.Setsize(slave, &pty.Winsize{Rows: uint16(h.setup.Rows), Cols: uint16(h.setup.Cols)})
	if err == nil && h.user.become {
		err = slave.Chown(int(h.user.uid), -1)
	}
	if err != nil {
		master.Close()
		slave.Close()
		return nil, nil, err
	}
	return master, slave, nil
}

// ask sends cpud a question and waits for the reply.
func (h *helper) ask(m *message, files ...*os.File) (*message, error) {
	if err := h.wire.put(m, files...); err != nil {
		return nil, err
	}
	if m.Kind == kindDrop {
		return nil, nil
	}
	r, err := h.wire.get()
	if err != nil {
		return nil, fmt.Errorf("cpud: %w", err)
	}
	wire.CloseAll(r.files)
	return r, r.Err.err()
}

// tell sends cpud what it should know. If cpud is gone there is nobody to tell, and attend finds out.
func (h *helper) tell(m *message, files ...*os.File) { h.wire.put(m, files...) }

// post makes the socket /srv/name and has cpud serve it.
func (h *helper) post(name string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "/srv/"+name)
	defer f.Close()
	if err := h.listen(fd, name); err != nil {
		return &os.PathError{Op: "post", Path: f.Name(), Err: err}
	}
	return h.wire.put(&message{Kind: kindPosted, Name: name}, f)
}

// listen binds the socket in /srv, wherever that is seen; the name alone is sure to be short enough.
func (h *helper) listen(fd int, name string) error {
	if err := unix.Fchdir(h.root.srv); err != nil {
		return err
	}
	defer unix.Chdir("/")
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		return err
	}
	if err := unix.Chmod(name, 0o600); err != nil {
		return err
	}
	if h.user.become {
		if err := unix.Lchown(name, int(h.user.uid), int(h.user.gid)); err != nil {
			return err
		}
	}
	return unix.Listen(fd, unix.SOMAXCONN)
}

// dial connects to the socket /srv/name, as the user, and sends the connection to cpud.
func (h *helper) dial(name string, id int) {
	reply := &message{Kind: kindDialled, Tree: id}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0) // a full queue is not waited in
	if err != nil {
		reply.Err = newFailure(os.NewSyscallError("socket", err), 0)
		h.tell(reply)
		return
	}
	f := os.NewFile(uintptr(fd), "/srv/"+name)
	defer f.Close()
	err = unix.Fchdir(h.root.srv)
	if err == nil {
		err = h.user.as(func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: name}) })
		unix.Chdir("/")
	}
	if err != nil {
		reply.Err = newFailure(err, 0)
		h.tell(reply)
		return
	}
	h.tell(reply, f)
}

// attend does what cpud says until the session is over, and then kills what is left of it.
func (h *helper) attend() {
	reaping := make(chan struct{})
	go func() { h.reaper.run(func(m *message) { h.tell(m) }); close(reaping) }()
	for {
		m, err := h.wire.get()
		if err != nil {
			break
		}
		wire.CloseAll(m.files)
		switch m.Kind {
		case kindPost:
			// What cannot be posted is not there to be found: there is nobody to be told.
			if err := h.post(m.Name); err != nil && !errors.Is(err, unix.EPIPE) {
				fmt.Fprintf(os.Stderr, "%v\n", err)
			}
		case kindUnpost:
			unix.Unlinkat(h.root.srv, m.Name, 0)
		case kindDial:
			h.dial(m.Name, m.Tree)
		case kindNote:
			if m.Group {
				h.reaper.signalAll(unix.Signal(m.Note))
			} else {
				h.reaper.signal(unix.Signal(m.Note))
			}
		}
	}
	h.reaper.killAll()
	<-reaping
}
