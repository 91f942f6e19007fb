//go:build linux

package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"cpu/cpud/wire"
	"cpu/ctlfs"

	"github.com/hugelgupf/p9/linux"
	"golang.org/x/sys/unix"
)

// grace is how long processes get to end after a hangup, and a helper to see to it that they have. What takes longer is made to.
const grace = 2 * time.Second

// start starts the helper and returns when the command runs, or with the reason why it does not.
func (s *Session) start(ctx context.Context) error {
	s.mu.Lock()
	if s.state != ctlfs.Idle {
		s.mu.Unlock()
		return words(linux.EBUSY, "the session has been started already")
	}
	if s.ctx.Err() != nil {
		s.mu.Unlock()
		return linux.EIO
	}
	for _, err := range s.partial {
		s.mu.Unlock()
		return err
	}
	s.state = ctlfs.Starting
	result := make(chan error, 1)
	err := s.launch(result)
	if err != nil {
		s.finish(ctlfs.Status{Exit: "exit 1", Code: 1})
		s.mu.Unlock()
		return err
	}
	s.mu.Unlock()
	select {
	case err = <-result:
		return err
	case <-ctx.Done():
		s.destroy()
		return ctx.Err()
	}
}

// launch starts the helper, and the goroutine that listens to it and then gives start its result. The session's mu is held.
func (s *Session) launch(result chan<- error) (err error) {
	set := s.setup()
	var theirs []*os.File
	if s.term == nil {
		if theirs, err = s.pipes(); err != nil {
			return err
		}
		defer func() { wire.CloseAll(theirs) }()
	}
	w, end, err := newPair()
	if err != nil {
		return err
	}
	defer end.Close()
	said := &tail{}
	c := &exec.Cmd{
		Path:        "/proc/self/exe",
		Args:        []string{helperName},
		Dir:         "/",
		Stderr:      said,
		ExtraFiles:  []*os.File{end},
		SysProcAttr: s.table.helperAttr(),
	}
	if err := c.Start(); err != nil {
		w.Close()
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("no namespace of its own for the session: %w", err)
		}
		return fmt.Errorf("session helper: %w", err)
	}
	s.wire, s.process = w, c.Process
	id, _ := namespaceOf(c.Process.Pid)
	s.attended = make(chan struct{})
	go s.attend(c, w, id, said, result)
	// A setup that does not arrive is a helper that is gone, which attend sees.
	w.put(&message{Kind: kindSetup, Setup: set}, theirs...)
	return nil
}

// helperAttr has the helper's namespaces.
func (t *Table) helperAttr() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWNS}
	if t.root {
		return a
	}
	// In its own user namespace the helper is the same user, with all rights over what is new there.
	uid, gid := os.Getuid(), os.Getgid()
	a.Cloneflags |= syscall.CLONE_NEWUSER
	a.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
	a.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	a.AmbientCaps = allCapabilities()
	return a
}

// setup gathers what the helper is to know. The session's mu is held.
func (s *Session) setup() *setup {
	u := s.owner
	set := &setup{
		Name: u.Name, UID: u.UID, GID: u.GID, Groups: u.Groups, Home: u.Home, Shell: u.Shell, Become: s.table.root,
		Args: s.args, Env: s.env, Dir: s.dir, Namespace: s.ns, Vars: s.variables(),
		Services: slices.Sorted(maps.Keys(s.services)), FUSE: s.table.fuse,
	}
	for _, svc := range s.services {
		svc.told = true
	}
	if s.term != nil {
		set.TTY, set.Term, set.Rows, set.Cols = true, s.term.name, s.term.rows, s.term.cols
	}
	return set
}

// pipeSize is how much output may wait for a reader, in bytes; the most that Linux gives an ordinary user by default.
const pipeSize = 1 << 20

// pipes makes the three pipes of a command without a terminal, and returns the command's ends. The session's mu is held.
func (s *Session) pipes() (theirs []*os.File, err error) {
	streams := []**stream{&s.stdin, &s.stdout, &s.stderr}
	for i, name := range []string{"stdin", "stdout", "stderr"} {
		var p [2]int
		if err = unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			err = os.NewSyscallError("pipe", err)
			break
		}
		ours, their := p[0], p[1]
		if i == 0 {
			ours, their = p[1], p[0]
		}
		unix.FcntlInt(uintptr(ours), unix.F_SETPIPE_SZ, pipeSize) // where that is too much, what it has will do
		f := os.NewFile(uintptr(their), name)
		theirs = append(theirs, f)
		if s.table.root {
			f.Chown(int(s.owner.UID), int(s.owner.GID)) // the command may open /dev/stdout
		}
		if *streams[i], err = newStream(s.ended, ours, name); err != nil {
			break
		}
	}
	if err != nil {
		wire.CloseAll(theirs)
		return nil, err
	}
	return theirs, nil
}

// attend does what the helper asks for, and takes down what it tells, until it is gone; then it sees that nothing of it is left. Id is the
// helper's mount namespace.
func (s *Session) attend(c *exec.Cmd, w *socket, id string, said *tail, result chan<- error) {
	defer close(s.attended)
	for {
		m, err := w.get()
		if err != nil {
			break
		}
		s.handle(w, m, result)
	}
	w.Close()
	err := c.Wait()
	if err != nil {
		sweep(id) // nobody has killed what it left behind
	}
	if said.Len() > 0 {
		s.table.log.Warn("session helper", "session", s.number, "err", err, "said", said.String())
	}
	s.mu.Lock()
	s.wire = nil
	for _, d := range s.dialling {
		d <- dialled{err: linux.ENOENT}
	}
	clear(s.dialling)
	if s.state != ctlfs.Ended {
		why := fmt.Errorf("the session's helper is gone: %v", c.ProcessState)
		s.fail(why)
		select {
		case result <- why:
		default:
		}
		st := s.status
		st.Exit, st.Code = "signal 9", 128+9
		s.finish(st)
	}
	s.mu.Unlock()
	s.expire()
}

// handle is one message from the helper.
func (s *Session) handle(w *socket, m *message, result chan<- error) {
	take := func() *os.File {
		if len(m.files) == 0 {
			return nil
		}
		f := m.files[0]
		m.files = m.files[1:]
		return f
	}
	defer func() { wire.CloseAll(m.files) }()
	switch m.Kind {
	case kindPosted:
		if f := take(); f != nil {
			s.listen(m.Name, f)
		}
	case kindAttach:
		conn := take()
		s.work.Go(func() { answer(w)(s.attachTree(m.Name, m.Spec, conn)) })
	case kindFUSE:
		answer(w)(0, s.serveFUSE(m.Tree, m.Name, take()))
	case kindV9FS:
		answer(w)(0, s.serveV9FS(m.Tree, take()))
	case kindDrop:
		if t := s.takeTree(m.Tree); t != nil {
			t.close()
		}
	case kindDialled:
		s.answerDial(m.Tree, m.Err.err(), take())
	case kindStarted:
		err := s.running(m, take())
		if err != nil {
			s.destroy()
		}
		result <- err
	case kindFailed:
		s.mu.Lock()
		s.finish(ctlfs.Status{Exit: fmt.Sprintf("exit %d", m.Err.Status), Code: m.Err.Status})
		s.mu.Unlock()
		result <- m.Err.err()
	case kindStopped, kindRunning:
		s.mu.Lock()
		if s.state == ctlfs.Running || s.state == ctlfs.Stopped {
			s.state = ctlfs.Running
			if m.Kind == kindStopped {
				s.state = ctlfs.Stopped
			}
			close(s.turn)
			s.turn = make(chan struct{})
		}
		s.mu.Unlock()
	case kindExit:
		s.mu.Lock()
		st := ctlfs.Status{PID: s.status.PID, User: m.Exit.User, Sys: m.Exit.Sys, Real: m.Exit.Since}
		switch {
		case m.Exit.Signal != 0:
			st.Exit, st.Code = fmt.Sprintf("signal %d", m.Exit.Signal), 128+m.Exit.Signal
		case m.Exit.Code != 0:
			st.Exit, st.Code = fmt.Sprintf("exit %d", m.Exit.Code), m.Exit.Code
		}
		s.finish(st)
		s.mu.Unlock()
		s.expire()
	}
}

// answer replies to the helper's question. A helper that is gone does not mind.
func answer(w *socket) func(tree int, err error) {
	return func(tree int, err error) { w.put(&message{Kind: kindReply, Tree: tree, Err: newFailure(err, 0)}) }
}

// running takes down that the command runs.
func (s *Session) running(m *message, master *os.File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.term != nil {
		if master == nil {
			return errors.New("session helper: no terminal")
		}
		fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 3)
		master.Close()
		if err != nil {
			return os.NewSyscallError("fcntl", err)
		}
		t, err := newStream(s.ended, fd, "terminal")
		if err != nil {
			return err
		}
		s.stdin, s.stdout = t, t
		t.winsize(s.term.rows, s.term.cols) // it may have changed since
	} else if s.eof {
		s.stdin.f.Close()
	}
	s.state = ctlfs.Running
	s.status.PID = m.PID
	s.started = time.Now()
	s.ns = m.Text
	for _, svc := range s.services {
		if !svc.told {
			svc.told = true
			s.wire.put(&message{Kind: kindPost, Name: svc.name})
		}
	}
	if s.keep {
		s.spoolOutputs()
	}
	s.table.started.Add(1)
	s.table.event(s, "started")
	s.begin()
	return nil
}

// finish takes down how the command ended. The session's mu is held.
func (s *Session) finish(st ctlfs.Status) {
	if s.state == ctlfs.Starting {
		s.table.failed.Add(1)
	}
	s.state = ctlfs.Ended
	s.status = st
	s.begin()
	s.end()
	s.table.event(s, "ended")
}

// destroy ends the session, without waiting for that.
func (s *Session) destroy() {
	s.down.Do(func() { s.table.work.Go(s.takeDown) })
}

// takeDown ends the command if it still runs, the helper with all processes, what is mounted, the streams; in this order, for a process
// that waits for a file of the terminal ends only when that wait does.
func (s *Session) takeDown() {
	s.mu.Lock()
	w, p, done := s.wire, s.process, s.attended
	running := s.state == ctlfs.Running || s.state == ctlfs.Stopped
	starting := s.state == ctlfs.Starting
	s.mu.Unlock()
	if running && w != nil {
		w.put(&message{Kind: kindNote, Note: int(unix.SIGHUP), Group: true})
		w.put(&message{Kind: kindNote, Note: int(unix.SIGCONT), Group: true})
		within(grace, s.ended.Done())
	}
	if w != nil {
		if starting {
			p.Kill()
		}
		w.CloseWrite()
		if !within(grace, done) {
			s.cancel()
			if !within(grace, done) {
				p.Kill()
			}
		}
	}
	if done != nil {
		<-done
	}
	s.cancel()
	s.work.Wait()
	s.mu.Lock()
	if s.state != ctlfs.Ended {
		s.state = ctlfs.Ended
	}
	for _, st := range []*stream{s.stdin, s.stdout, s.stderr} {
		if st != nil {
			st.f.Close()
		}
	}
	for _, t := range s.trees {
		t.close()
	}
	s.trees = nil
	s.mu.Unlock()
	s.table.remove(s)
	close(s.gone)
}

// within waits for done, up to d.
func within(d time.Duration, done <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// maxSaid bounds what is kept of a helper's standard error, in bytes. It says something there only when it has broken down.
const maxSaid = 8 << 10

// tail keeps the first that is written to it.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	t.Buffer.Write(p[:min(len(p), maxSaid-t.Len())])
	return len(p), nil
}
