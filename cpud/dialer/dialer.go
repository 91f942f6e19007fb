//go:build linux

// Package dialer connects and listens with a user's rights, though its caller is root: by a process that has become the user, and hands the
// sockets over.
//
// Cpud/server calls it for what is forwarded over a connection, with one [Dialer] for each. Programs that embed it call [Main] first thing. It
// moves no bytes, knows nothing of SSH, and does not decide who may connect where.
package dialer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"cpu/cpud/wire"
)

// maxMessage bounds a message in bytes: a host's name, a path or an error.
const maxMessage = 64 << 10

// What a request asks for.
const (
	doDial   = "dial"
	doListen = "listen"
	doRemove = "remove" // the socket that the listen of that number has made
)

// request is what the helper is asked, and reply what it answers: with a descriptor, or the error.
type (
	request struct {
		ID               int
		Do               string
		Network, Address string
	}
	reply struct {
		ID  int
		Err string
	}
)

func (r *request) Fields(c *wire.Coder) {
	wire.Number(c, &r.ID)
	c.Text(&r.Do)
	c.Text(&r.Network)
	c.Text(&r.Address)
}

func (r *reply) Fields(c *wire.Coder) {
	wire.Number(c, &r.ID)
	c.Text(&r.Err)
}

// A Dialer is a process that connects and listens as one user.
type Dialer struct {
	helper  *exec.Cmd
	wire    *wire.Conn
	reading chan struct{} // closed when nothing more is answered

	mu      sync.Mutex
	lastID  int
	waiting map[int]chan answer
	over    bool
}

type answer struct {
	file *os.File
	err  error
}

var errOver = errors.New("the helper that connects is gone")

// Start starts the process, as the user of cred, or where that is nil as this process's own. The caller closes the Dialer.
func Start(cred *syscall.Credential) (*Dialer, error) {
	w, theirs, err := wire.Pair(maxMessage)
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	helper := exec.Command("/proc/self/exe")
	helper.Args = []string{helperName}
	helper.Dir = "/"
	helper.Env = []string{}
	helper.Stderr = os.Stderr
	helper.ExtraFiles = []*os.File{theirs}
	helper.SysProcAttr = &syscall.SysProcAttr{Credential: cred, Setsid: true}
	if err := helper.Start(); err != nil {
		w.Close()
		return nil, fmt.Errorf("dialer: %w", err)
	}
	d := &Dialer{helper: helper, wire: w, reading: make(chan struct{}), waiting: map[int]chan answer{}}
	go d.read()
	return d, nil
}

// grace is how long the process may take to remove its sockets at the end.
const grace = 2 * time.Second

// Close ends the process, with the Unix sockets that it listens at, and waits for that. Connections that were handed over stay.
func (d *Dialer) Close() {
	d.wire.CloseWrite()
	late := time.AfterFunc(grace, func() { d.helper.Process.Kill() })
	<-d.reading
	d.helper.Wait() // how it ended is of no interest: all it did is over
	late.Stop()
	d.wire.Close()
}

// read hands out answers. What the process says is its user's to forge, and harms nobody else.
func (d *Dialer) read() {
	defer close(d.reading)
	for {
		var r reply
		files, err := d.wire.Get(&r)
		if err != nil {
			break
		}
		a := answer{}
		if r.Err != "" {
			a.err = errors.New(r.Err)
		} else if len(files) > 0 {
			a.file, files = files[0], files[1:]
		} else {
			a.err = io.ErrUnexpectedEOF
		}
		wire.CloseAll(files)
		d.mu.Lock()
		to := d.waiting[r.ID]
		delete(d.waiting, r.ID)
		d.mu.Unlock()
		if to != nil {
			to <- a
		} else if a.file != nil {
			a.file.Close()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	for _, to := range d.waiting {
		to <- answer{err: errOver}
	}
	clear(d.waiting)
}

// ask has something done, and gives its number and the socket that came of it.
func (d *Dialer) ask(ctx context.Context, do, network, address string) (id int, f *os.File, err error) {
	to := make(chan answer, 1)
	d.mu.Lock()
	if d.over {
		d.mu.Unlock()
		return 0, nil, errOver
	}
	d.lastID++
	id = d.lastID
	d.waiting[id] = to
	d.mu.Unlock()
	if err := d.wire.Put(&request{ID: id, Do: do, Network: network, Address: address}); err != nil {
		d.forget(id, to)
		return id, nil, err
	}
	select {
	case a := <-to:
		return id, a.file, a.err
	case <-ctx.Done():
		d.forget(id, to)
		return id, nil, context.Cause(ctx)
	}
}

// forget waits for an answer no longer.
func (d *Dialer) forget(id int, to chan answer) {
	d.mu.Lock()
	waits := d.waiting[id] != nil
	delete(d.waiting, id)
	d.mu.Unlock()
	if !waits { // it has been taken off, to be answered at once
		if a := <-to; a.file != nil {
			a.file.Close()
		}
	}
}

// Conn is a connection one side of which can be ended alone.
type Conn interface {
	net.Conn
	CloseWrite() error
}

// Dial connects, by the network tcp to a host and a port, or by unix to a path. It gives up when ctx is done.
func (d *Dialer) Dial(ctx context.Context, network, address string) (Conn, error) {
	_, f, err := d.ask(ctx, doDial, network, address)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	conn, ok := c.(Conn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("%s: not a stream", address)
	}
	return conn, nil
}

// Listen listens, by the network tcp at an address and a port, or by unix at a path where nothing may be yet; none but the user can connect to
// that. Closing the listener takes the socket away.
func (d *Dialer) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	id, f, err := d.ask(ctx, doListen, network, address)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	if network != "unix" {
		return l, nil
	}
	return &listener{Listener: l, dialer: d, id: id}, nil
}

// A listener has a socket that only its user may remove.
type listener struct {
	net.Listener
	dialer *Dialer
	id     int
	once   sync.Once
}

func (l *listener) Close() error {
	err := l.Listener.Close()
	l.once.Do(func() { l.dialer.wire.Put(&request{ID: l.id, Do: doRemove}) }) // a process that is gone has removed it
	return err
}
