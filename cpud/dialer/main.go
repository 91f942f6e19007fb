//go:build linux

package dialer

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"cpu/cpud/wire"

	"golang.org/x/sys/unix"
)

// helperName is what the helper is started as; helperFD is its end of the socket.
const (
	helperName = "cpud-dialer"
	helperFD   = 3
)

// Main makes the process a Dialer's helper, and never returns, if that is what it was started for.
func Main() {
	if len(os.Args) == 0 || os.Args[0] != helperName {
		return
	}
	if err := helperMain(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", helperName, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// helperMain does what it is asked until nobody asks any more.
func helperMain() error {
	w, err := wire.New(os.NewFile(helperFD, "cpud"), maxMessage)
	if err != nil {
		return err
	}
	unix.Umask(0o177)
	h := &helper{wire: w, made: map[int]made{}}
	for {
		var r request
		files, err := w.Get(&r)
		if err != nil {
			break
		}
		wire.CloseAll(files)
		if r.Do == doRemove {
			h.remove(r.ID)
			continue
		}
		go h.do(r) // a dial may take long; what is not done at the end is not wanted
	}
	h.removeAll()
	return nil
}

type helper struct {
	wire *wire.Conn

	mu   sync.Mutex
	made map[int]made
	over bool
}

// made is a socket in the file system: where it was put, and which file that was, for another may have been put there since.
type made struct {
	path string
	info os.FileInfo
}

// do carries a request out and answers it.
func (h *helper) do(r request) {
	var f *os.File
	var err error
	switch r.Do {
	case doDial:
		f, err = dial(r.Network, r.Address)
	case doListen:
		f, err = h.listen(r)
	default:
		err = fmt.Errorf("%s: not known", r.Do)
	}
	a := &reply{ID: r.ID}
	if err != nil {
		a.Err = reason(err).Error()
		h.wire.Put(a)
		return
	}
	defer f.Close()
	h.wire.Put(a, f)
}

// reason is the error alone: who asked knows the address.
func reason(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

func dial(network, address string) (*os.File, error) {
	c, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return file(c)
}

// file is a descriptor of a connection or a listener.
func file(c any) (*os.File, error) {
	f, ok := c.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, errors.New("not a stream")
	}
	return f.File()
}

func (h *helper) listen(r request) (*os.File, error) {
	l, err := net.Listen(r.Network, r.Address)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false)
		info, err := os.Lstat(r.Address)
		if err != nil {
			return nil, err
		}
		h.mu.Lock()
		h.made[r.ID] = made{r.Address, info}
		over := h.over
		h.mu.Unlock()
		if over {
			h.remove(r.ID)
		}
	}
	return file(l)
}

// remove takes a socket away that is still the one that was made.
func (h *helper) remove(id int) {
	h.mu.Lock()
	m, ok := h.made[id]
	delete(h.made, id)
	h.mu.Unlock()
	if !ok {
		return
	}
	if info, err := os.Lstat(m.path); err == nil && os.SameFile(info, m.info) {
		os.Remove(m.path) // there is nobody who could do more about it
	}
}

func (h *helper) removeAll() {
	h.mu.Lock()
	h.over = true
	var all []int
	for id := range h.made {
		all = append(all, id)
	}
	h.mu.Unlock()
	for _, id := range all {
		h.remove(id)
	}
}
