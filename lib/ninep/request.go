package ninep

import (
	"errors"
	"fmt"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// A request is one request from its frame to its reply. It is used again for another of the same type.
type request struct {
	c     *conn
	tag   uint16
	in    message
	out   message // the reply if there is no error; nil where handlers does not have the type
	run   func()  // r.serve, bound once
	small [256]byte
	dec   buffer // here, lest each message allocate one
	body  *block // the frame's body, if it is longer than small
	data  *block // the reply's data

	// The last fid that r, or a request before it, has used, and its view for ctx.
	viewed *fid
	view   p9.File

	// Guarded by c.mu.
	ctx      *requestContext // made when it is first asked for
	stopped  bool            // flushed or aborted: ctx is, or will be, done
	aborted  bool            // by Tversion or the connection's end: no reply
	waiting  bool            // in c.held
	limited  bool            // counts in c.running, and its body in c.bodies
	reserved int             // of c.reserved
	flushes  []*request      // Tflushes to be answered after this
	next     *request        // in c.held or c.free
}

// A handler does what a request asks for. It fills r.out, or fails.
type handler func(r *request) error

// on makes a handler of a function of the message and its reply.
func on[T, R message](f func(*request, T, R) error) handler {
	return func(r *request) error { return f(r, r.in.(T), r.out.(R)) }
}

// handlers is what is done for each type of request. Tversion, Tflush and Tclunkasync are not here: they are done as they are read.
var handlers = [256]handler{
	msgTauth:   on((*request).auth),
	msgTattach: on((*request).attach),
	msgTwalk:   on((*request).walk),
	msgTread:   on((*request).read),
	msgTwrite:  on((*request).write),
	msgTclunk:  on((*request).clunk),
	msgTremove: on((*request).remove),

	msgTstatfs:      on((*request).statfs),
	msgTlopen:       on((*request).lopen),
	msgTlcreate:     on((*request).lcreate),
	msgTsymlink:     on((*request).symlink),
	msgTmknod:       on((*request).mknod),
	msgTrename:      on((*request).rename),
	msgTreadlink:    on((*request).readlink),
	msgTgetattr:     on((*request).getattr),
	msgTsetattr:     on((*request).setattr),
	msgTxattrwalk:   on((*request).xattrwalk),
	msgTxattrcreate: on((*request).xattrcreate),
	msgTreaddir:     on((*request).readdir),
	msgTfsync:       on((*request).fsync),
	msgTlock:        on((*request).lock),
	msgTgetlock:     on((*request).getlock),
	msgTlink:        on((*request).link),
	msgTmkdir:       on((*request).mkdir),
	msgTrenameat:    on((*request).renameat),
	msgTunlinkat:    on((*request).unlinkat),

	msgTreaddirattr: on((*request).readdirattr),
	msgTwalkgetattr: on((*request).walkgetattr),
	msgTopenread:    on((*request).openread),

	msgTopen:   on((*request).open9),
	msgTcreate: on((*request).create9),
	msgTstat:   on((*request).stat9),
	msgTwstat:  on((*request).wstat9),
}

// newRequest returns a request for the frame that h begins.
func (c *conn) newRequest(h header) *request {
	c.mu.Lock()
	r := c.free[h.typ]
	if r != nil {
		c.free[h.typ] = r.next
		r.next = nil
	}
	c.mu.Unlock()
	if r == nil {
		r = &request{c: c, in: messages[h.typ].new()}
		if m := &messages[h.typ+1]; m.new != nil {
			r.out = m.new()
		}
		r.run = r.serve
	}
	r.tag = h.tag
	return r
}

// recycle gives r up.
func (c *conn) recycle(r *request) {
	r.drop()
	c.mu.Lock()
	c.put(r)
	c.mu.Unlock()
}

// drop gives up r's blocks.
func (r *request) drop() {
	if r.body != nil {
		r.c.srv.blocks.put(r.body)
		r.body = nil
	}
	if r.data != nil {
		r.c.srv.blocks.put(r.data)
		r.data = nil
	}
}

// put makes r, which has no blocks, ready for the next to use it. It is called with mu held.
func (c *conn) put(r *request) {
	c.reserved -= r.reserved
	r.reserved = 0
	r.release()
	r.stopped, r.aborted, r.limited = false, false, false
	r.flushes = r.flushes[:0]
	typ := r.in.typ()
	r.next = c.free[typ]
	c.free[typ] = r
}

// register notes that r's tag is in use. It is called with mu held.
func (c *conn) register(r *request) error {
	if c.tags[r.tag] != nil {
		return fmt.Errorf("%w: tag %d is in use", errFrame, r.tag)
	}
	c.tags[r.tag] = r
	return nil
}

// start runs r in a goroutine of its own: at once, or when as many as may run at once no longer do. Where too many wait already, it
// waits itself, and nothing is read meanwhile.
func (c *conn) start(r *request) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.register(r); err != nil {
		return err
	}
	c.stats.Pending.Add(1)
	if r.in.typ() != msgTclunk {
		if c.full() {
			r.waiting = true
			c.held.push(r)
			for c.held.n >= c.maxRequests || c.held.bytes > 4*c.msize {
				c.ended.Wait()
				if c.ctx.Err() != nil {
					return c.ctx.Err()
				}
			}
			return nil
		}
		c.admit(r)
	}
	c.active++
	go r.run()
	return nil
}

// full says that no request but a Tclunk is to be started. It is called with mu held, like admit.
func (c *conn) full() bool { return c.running >= c.maxRequests || c.bodies > MaxData }

// admit counts r among those that make the connection full.
func (c *conn) admit(r *request) {
	r.limited = true
	c.running++
	c.bodies += r.size()
}

// serve does what r asks for and answers it.
func (r *request) serve() {
	c := r.c
	err := handlers[r.in.typ()](r)
	c.mu.Lock()
	silent := r.aborted || r.stopped && err != nil && Errno(err) == linux.EINTR
	if silent {
		c.freeTag(r.tag) // as though it had never been sent: flush(9P)
	}
	c.mu.Unlock()
	if !silent {
		r.reply(err)
	}
	c.answerFlushes(r)

	size := r.size()
	r.drop()
	c.stats.Pending.Add(-1)
	c.mu.Lock()
	c.active--
	if r.limited {
		c.running--
		c.bodies -= size
		for c.held.n > 0 && !c.full() {
			next := c.held.pop()
			c.admit(next)
			c.active++
			go next.run()
		}
	}
	c.put(r)
	c.mu.Unlock()
	c.ended.Broadcast()
}

// reply sends r's reply. Where that is not possible the connection is closed, which its reader notices.
func (r *request) reply(err error) {
	c := r.c
	m := r.out
	if err != nil {
		m = errorMessage(c.dialect, err)
	}
	err = c.send(r.tag, m)
	if errors.Is(err, errFrame) {
		err = c.send(r.tag, errorMessage(c.dialect, linux.EMSGSIZE))
	}
	if err != nil {
		c.mu.Lock()
		if c.tags[r.tag] == r {
			c.freeTag(r.tag)
		}
		c.mu.Unlock()
		c.rwc.Close()
	}
}

// errorMessage is the reply that says err in a dialect.
func errorMessage(d dialect, err error) message {
	if d != dialect9P2000 {
		return &rlerror{errno: uint32(Errno(err))}
	}
	return &rerror{ename: errorText(err)}
}

// forget frees a tag, because its reply is about to be sent. The writer calls it, so that a Tflush which no longer finds the tag is
// answered after the reply.
func (c *conn) forget(tag uint16) {
	c.mu.Lock()
	c.freeTag(tag)
	c.mu.Unlock()
}

// A requestQueue is requests that wait to be started, first come first served.
type requestQueue struct {
	first, last *request
	n, bytes    int
}

func (q *requestQueue) push(r *request) {
	if q.last == nil {
		q.first = r
	} else {
		q.last.next = r
	}
	q.last = r
	q.n++
	q.bytes += r.size()
}

// pop takes the first off the queue; nil if there is none.
func (q *requestQueue) pop() *request {
	r := q.first
	if r != nil {
		q.remove(r, nil)
	}
	return r
}

// remove takes r, which prev stands before, off the queue.
func (q *requestQueue) remove(r, prev *request) {
	if prev == nil {
		q.first = r.next
	} else {
		prev.next = r.next
	}
	if q.last == r {
		q.last = prev
	}
	r.next, r.waiting = nil, false
	q.n--
	q.bytes -= r.size()
}

// take takes r off the queue, wherever it stands.
func (q *requestQueue) take(r *request) {
	var prev *request
	for p := q.first; p != r; p = p.next {
		prev = p
	}
	q.remove(r, prev)
}

func (r *request) size() int {
	n := len(r.small)
	if r.body != nil {
		n += cap(r.body.b)
	}
	return n
}
