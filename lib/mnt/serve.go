//go:build linux

package mnt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// ServeFUSE serves root to the mount that dev, from [OpenFUSE], was made for. It owns dev and root and closes both. It returns nil once
// the mount is gone, or ctx's cause once ctx is done: requests under way are cancelled then, processes that wait get an error at once,
// and those that come later get ENOTCONN until the directory is unmounted. All its goroutines have ended when it returns.
func ServeFUSE(ctx context.Context, dev *os.File, root p9.File, o Options) error {
	d, err := pollable(dev)
	dev.Close()
	if err != nil {
		root.Close()
		return fmt.Errorf("serve %s: %w", o.FSName, err)
	}
	s := newServer(ctx, d, o)
	// Closing the device is what aborts the connection: the kernel fails every request that it still has.
	aborted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		d.Close()
		close(aborted)
	})
	err = s.start(root)
	if err == nil {
		err = s.loop()
	}
	if stop() {
		d.Close()
	} else {
		<-aborted
	}
	s.cancel()
	s.working.Wait()
	s.shut()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("serve %s: %w", o.FSName, err)
	}
	return nil
}

func newServer(ctx context.Context, dev *os.File, o Options) *server {
	s := &server{dev: dev, stats: o.Stats, ids: newIDs(o.IDs), pending: map[uint64]*request{}, handles: map[uint64]any{}}
	if s.stats == nil {
		s.stats = new(Stats)
	}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.clunks.ctx = ctx
	s.nodes.byID, s.nodes.byPath = map[uint64]*node{}, map[uint64]*node{}
	return s
}

// pollable makes a file of dev's descriptor that the runtime polls, so that closing it wakes its reader. The file that was opened cannot
// be used: /dev/fuse tells a poller nothing, ever, if it was asked first before the mount.
func pollable(dev *os.File) (*os.File, error) {
	c, err := dev.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	if cerr := c.Control(func(p uintptr) {
		if fd, err = unix.FcntlInt(p, unix.F_DUPFD_CLOEXEC, 3); err == nil {
			err = unix.SetNonblock(fd, true)
		}
	}); cerr != nil {
		err = cerr
	}
	if err != nil {
		if fd >= 0 {
			unix.Close(fd)
		}
		return nil, err
	}
	return os.NewFile(uintptr(fd), dev.Name()), nil
}

// server is one mount being served.
type server struct {
	dev    *os.File
	conn   syscall.RawConn
	ctx    context.Context // done: everything is to end
	cancel context.CancelFunc
	ids    ids
	stats  *Stats
	root   *node
	nodes  table
	tree   sync.Mutex // who is whose parent
	refs   sync.Mutex // counts of fids

	mu      sync.Mutex
	pending map[uint64]*request // what the kernel may interrupt, by unique
	handles map[uint64]any      // *handle and *dirHandle, by fh
	lastFH  uint64

	working sync.WaitGroup // requests, and what was sent ahead
	clunks  clunks
	idle    idle
	seers   seers
	ahead   budget
	held    atomic.Int64 // bytes written and not yet acknowledged
}

func (s *server) start(root p9.File) error {
	n := &node{id: rootID, fid: &fid{root, 1}, typ: unix.S_IFDIR}
	s.root = n
	s.nodes.last = rootID
	s.nodes.byID[rootID] = n
	at := time.Now()
	qid, _, a, err := view(root, s.ctx).GetAttr(attrMask)
	if err != nil {
		return err
	}
	n.qid = qid
	s.nodes.byPath[qid.Path] = n
	n.learn(qid, &a, 0, at)
	s.conn, err = s.dev.SyscallConn()
	return err
}

// shut closes every file that is left. No request is under way any more.
func (s *server) shut() {
	for _, h := range s.handles {
		switch h := h.(type) {
		case *handle:
			s.drop(h.fid)
		case *dirHandle:
			if h.fid != nil {
				s.drop(h.fid)
			}
		}
	}
	for _, n := range s.nodes.byID {
		s.unsee(n)
		if n.fid != nil {
			s.drop(n.fid)
		}
	}
	s.clunks.wait()
}

// loop takes requests from the kernel until the mount, or the device, is gone.
func (s *server) loop() error {
	for {
		buf, n, err := s.receive()
		switch {
		case err == nil:
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
			continue
		case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ECONNABORTED), errors.Is(err, os.ErrClosed):
			return nil
		default:
			return err
		}
		if err := s.take(buf, n); err != nil {
			return err
		}
	}
}

// receive waits for a message. While it waits it has no buffer: most mounts have nothing to do most of the time.
func (s *server) receive() (buf *[messageCap]byte, n int, err error) {
	read := func(fd uintptr) {
		buf = buffers.Get().(*[messageCap]byte)
		if n, err = unix.Read(int(fd), buf[:]); err != nil {
			recycle(buf)
			buf = nil
		}
	}
	cerr := s.conn.Read(func(fd uintptr) bool {
		read(fd)
		return err != unix.EAGAIN
	})
	if cerr != nil && !errors.Is(cerr, os.ErrClosed) {
		// The device told the poller of an error, as it does once the mount is gone. Which one, only a read says.
		cerr = s.conn.Control(read)
	}
	if cerr != nil {
		recycle(buf)
		return nil, 0, cerr
	}
	return buf, n, err
}

// A message is read into one of these.
var buffers = sync.Pool{New: func() any { return new([messageCap]byte) }}

func recycle(b *[messageCap]byte) {
	if b != nil {
		buffers.Put(b)
	}
}

// small is up to which size a message is copied out of its buffer, so that the buffer can be used again at once.
const small = 16 << 10

// take starts the work on one message.
func (s *server) take(buf *[messageCap]byte, size int) error {
	r := &request{s: s}
	var d decoder
	if size > small {
		r.buf, d.b = buf, buf[:size]
	} else {
		d.b = append([]byte(nil), buf[:size]...)
		recycle(buf)
	}
	length := d.u32()
	r.op, r.unique, r.node = opcode(d.u32()), d.u64(), d.u64()
	r.uid, r.gid, r.pid = d.u32(), d.u32(), d.u32()
	d.skip(4)
	if d.short || int(length) != size {
		return fmt.Errorf("short request from the kernel: %d bytes", size)
	}
	r.in = d
	switch r.op {
	case opInit:
		return r.agree()
	case opForget:
		s.forget(r.node, r.in.u64())
	case opBatchForget:
		count := r.in.u32()
		r.in.skip(4)
		for range count {
			id, n := r.in.u64(), r.in.u64()
			if r.in.short {
				break
			}
			s.forget(id, n)
		}
	case opInterrupt:
		s.interrupt(r.in.u64())
	case opNotifyReply, opDestroy:
	default:
		s.stats.Requests.Add(1)
		r.ctx, r.cancel = context.WithCancel(s.ctx)
		s.mu.Lock()
		s.pending[r.unique] = r
		s.mu.Unlock()
		s.working.Add(1)
		go r.work()
		return nil
	}
	recycle(r.buf)
	return nil
}
