package ninep

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/hugelgupf/p9/p9"
)

// fidNumbers hands out numbers for fids. A number that was given back is handed out again before a new one.
type fidNumbers struct {
	mu    sync.Mutex
	next  uint32
	free  []uint32
	inUse *atomic.Int64 // those handed out; nil once the connection is dead
}

func (n *fidNumbers) take() uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count(1)
	if k := len(n.free); k > 0 {
		f := n.free[k-1]
		n.free = n.free[:k-1]
		return f
	}
	n.next++
	return n.next - 1
}

func (n *fidNumbers) give(f uint32) {
	n.mu.Lock()
	n.free = append(n.free, f)
	n.count(-1)
	n.mu.Unlock()
}

func (n *fidNumbers) count(by int64) {
	if n.inUse != nil {
		n.inUse.Add(by)
	}
}

// end is called once, when the connection dies, and all fids with it.
func (n *fidNumbers) end() {
	n.mu.Lock()
	n.count(int64(len(n.free)) - int64(n.next))
	n.inUse = nil
	n.mu.Unlock()
}

// A clientFid is a number that stands for a file at the server. The number is given back once the server has let go of it and no request
// that names it is about to be sent.
type clientFid struct {
	c      *Client
	number uint32
	qid    p9.QID       // as of the walk that led here
	refs   atomic.Int32 // the server's, and one for each request that names it
	closed atomic.Bool  // no request may name it any more

	user *plan9User // who attached; nil but in 9P2000
	dir  *p9.QID    // the directory that it was found in; nil where that is not known, and but in 9P2000

	open   atomic.Pointer[openFile] // nil before it is opened
	opener sync.Mutex               // held while it is opened
}

// newFid returns a fid that the server does not know yet. Whoever sends a request that makes it known gives establish as its late.
func (c *Client) newFid() *clientFid {
	f := &clientFid{c: c, number: c.fids.take()}
	f.refs.Store(1)
	return f
}

// use says that a request is to name f, until unuse. It is false for a fid that is closed.
func (f *clientFid) use() bool {
	for {
		n := f.refs.Load()
		if n == 0 {
			return false // the number may be another's
		}
		if f.refs.CompareAndSwap(n, n+1) {
			break
		}
	}
	if f.closed.Load() {
		f.unuse()
		return false
	}
	return true
}

func (f *clientFid) unuse() {
	if f.refs.Add(-1) == 0 {
		f.c.fids.give(f.number)
	}
}

// establish is told how a request ended that was to make f known to the server, where its caller does not use f: the server forgets it.
func (f *clientFid) establish(reply uint8) {
	if reply == 0 || isError(reply) {
		f.unuse()
		return
	}
	f.clunkNow()
}

// clunk lets the server forget f, and waits for its answer unless ctx is done. The caller has made sure that it is called once for a fid.
func (f *clientFid) clunk(ctx context.Context) error {
	c := f.c
	cl := f.newClunk()
	if err := c.start(context.Background(), cl, &tclunk{fid: f.number}); err != nil {
		return err
	}
	select {
	case <-cl.done:
	case <-ctx.Done():
		// A Tclunk is not flushed, lest the fid stay. The reader hears the answer.
		c.mu.Lock()
		if cl.state == callWaiting {
			cl.forget = true
			c.mu.Unlock()
			return ctx.Err()
		}
		c.mu.Unlock()
		<-cl.done
	}
	err := cl.err
	if err == nil {
		f.unuse() // of an error cl.late is told
	}
	cl.put()
	return err
}

func (f *clientFid) newClunk() *call {
	cl := newCall()
	cl.exempt = true
	cl.reply = new(rclunk)
	cl.late = func(uint8) { f.unuse() }
	return cl
}

// clunkNow lets the server forget f without waiting for its answer.
func (f *clientFid) clunkNow() {
	c := f.c
	if c.dialect == dialectCPU {
		c.post(noTag, &tclunkasync{fid: f.number})
		f.unuse()
		return
	}
	cl := f.newClunk()
	cl.forget = true
	c.start(context.Background(), cl, &tclunk{fid: f.number})
}
