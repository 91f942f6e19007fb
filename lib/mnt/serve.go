//go:build linux

package mnt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
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
	s := &server{dev: d, ids: newIDs(o.IDs), name: o.FSName, pending: map[uint64]*request{}, handles: map[uint64]any{}}
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.clunks.ctx = ctx
	s.nodes.byID, s.nodes.byPath = map[uint64]*node{}, map[uint64]*node{}
	// Closing the device is what aborts the connection: the kernel fails every request that it still has.
	stop := context.AfterFunc(s.ctx, func() { d.Close() })
	err = s.start(root)
	if err == nil {
		err = s.loop()
	}
	s.cancel()
	stop()
	d.Close()
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
	name   string
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
	ahead   budget
	behind  budget
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
		buf := buffers.Get().(*[messageCap]byte)
		n, err := s.receive(buf[:])
		switch {
		case err == nil:
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
			recycle(buf)
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

func (s *server) receive(buf []byte) (n int, err error) {
	if cerr := s.conn.Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), buf)
		return err != unix.EAGAIN
	}); cerr != nil {
		return 0, cerr
	}
	return n, err
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

// agree settles with the kernel how to go on.
func (r *request) agree() error {
	major, minor := r.in.u32(), r.in.u32()
	readahead, flags := r.in.u32(), uint64(r.in.u32())
	if len(r.in.b) >= 4 {
		flags |= uint64(r.in.u32()) << 32
	}
	if major < fuseMajor || major == fuseMajor && minor < fuseMinMinor {
		r.answer(linux.EPROTO)
		return fmt.Errorf("FUSE protocol %d.%d of the kernel: %w", major, minor, unix.EPROTO)
	}
	flags &= initAsyncRead | initPosixLocks | initAtomicTrunc | initBigWrites | initFlockLocks | initAutoInvalData | initReaddirplus |
		initAsyncDIO | initParallelDirops | initMaxPages | initCacheSymlinks | initKillprivV2 | initExt | initDirectAllowMmap
	e := &r.out
	e.u32(fuseMajor)
	e.u32(min(minor, fuseMinor))
	e.u32(readahead)
	e.u32(uint32(flags))
	e.u16(128) // requests in the background: readahead and the like
	e.u16(96)
	e.u32(maxWrite)
	e.u32(1) // ns
	e.u16(uint16(maxWrite / os.Getpagesize()))
	e.u16(0)
	e.u32(uint32(flags >> 32))
	e.zero(28)
	err := r.answer(nil)
	recycle(r.buf)
	if errors.Is(err, os.ErrClosed) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
