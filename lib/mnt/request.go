//go:build linux

package mnt

import (
	"context"
	"errors"
	"time"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"golang.org/x/sys/unix"
)

// patience is how long an operation on a file of a disk goes on after a signal to the process that waits for it. Programs with timers and
// children get signals all the time and do not expect a read of a file to fail by them; a program that is to end must not wait for long.
const patience = time.Second

// interrupt ends the request that has the number unique, if it is still being worked on.
func (s *server) interrupt(unique uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.pending[unique]
	if r == nil || r.interrupted {
		return
	}
	r.interrupted = true
	if r.blocks {
		r.cancel()
	} else {
		r.timer = time.AfterFunc(patience, r.cancel)
	}
}

// request is one message from the kernel and the answer to it.
type request struct {
	s      *server
	op     opcode
	unique uint64
	node   uint64
	uid    uint32
	gid    uint32
	pid    uint32
	in     decoder
	buf    *[messageCap]byte // that in lies in, if it is to be recycled

	ctx         context.Context
	cancel      context.CancelFunc
	blocks      bool // may take for ever: a signal ends it at once
	interrupted bool
	timer       *time.Timer

	out  encoder
	data [][]byte // follows out
	done func()   // runs once the answer is written
	undo func()   // runs if the kernel did not take the answer
}

// block says that the request may rightly take for ever.
func (r *request) block() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.blocks = true
	if r.interrupted {
		r.cancel()
	}
}

func (r *request) work() {
	defer r.s.working.Done()
	err := r.handle()
	if r.in.short && err == nil {
		err = linux.EINVAL
	}
	s := r.s
	s.mu.Lock()
	delete(s.pending, r.unique)
	if r.timer != nil {
		r.timer.Stop()
	}
	s.mu.Unlock()
	r.cancel()
	if werr := r.answer(err); werr != nil && r.undo != nil {
		r.undo()
	}
	if r.done != nil {
		r.done()
	}
	recycle(r.buf)
}

// answer writes the reply. An error means that the kernel does not want it any more.
func (r *request) answer(err error) error {
	var e encoder
	size := outHeader + len(r.out)
	for _, p := range r.data {
		size += len(p)
	}
	number := int32(0)
	if err != nil {
		size = outHeader
		number = errorNumber(err)
	}
	e = make(encoder, 0, outHeader)
	e.u32(uint32(size))
	e.u32(uint32(number))
	e.u64(r.unique)
	iov := make([][]byte, 1, 2+len(r.data))
	iov[0] = e
	if err == nil {
		if len(r.out) > 0 {
			iov = append(iov, r.out)
		}
		iov = append(iov, r.data...)
	}
	return r.s.write(iov)
}

// errNoOp says that an operation is not one of ours: the kernel is not to ask for it again.
var errNoOp = errors.New("no such operation")

// errorNumber is the error as the kernel has it. ENOSYS of the far side must not become the kernel's, which would take it for all files.
func errorNumber(err error) int32 {
	if err == errNoOp {
		return -int32(unix.ENOSYS)
	}
	switch n := -int32(ninep.Errno(err)); {
	case n == -int32(unix.ENOSYS):
		return -int32(unix.EOPNOTSUPP)
	case n <= -512 || n >= 0:
		return -int32(unix.EIO)
	default:
		return n
	}
}

func (s *server) write(iov [][]byte) (err error) {
	if cerr := s.conn.Control(func(fd uintptr) {
		for {
			if _, err = unix.Writev(int(fd), iov); err != unix.EINTR {
				return
			}
		}
	}); cerr != nil {
		return cerr
	}
	return err
}

// staleAttr tells the kernel that what it knows of n's attributes does not hold any more.
func (s *server) staleAttr(n *node) {
	var e encoder
	e.u32(outHeader + 24)
	e.u32(notifyInvalInode)
	e.u64(0)
	e.u64(n.id)
	e.u64(^uint64(0)) // no pages: only the attributes
	e.u64(0)
	s.write([][]byte{e})
}
