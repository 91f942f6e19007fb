package ninep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/hugelgupf/p9/linux"
)

// Tags. A request has a tag below flushBit; the Tflush that cancels it has the same with flushBit set, so that there is always one.
const (
	flushBit = 0x8000
	maxTags  = flushBit - 1
)

type callState uint8

const (
	callWaiting   callState = iota // no reply yet
	callReceiving                  // a reply is coming in, or the connection has died
	callAbandoned                  // the caller has gone, Tflush is on its way; the tag is not free before Rflush
	callLate                       // as before, but the reply has come
	callDone                       // the reply is there
)

// A call is a request on its way. Its state is guarded by the Client's mu; all else belongs to the caller until it is started, to the
// reader until done, and then to the caller again.
type call struct {
	tag    uint16
	posted uint64 // the number that Twrite's data has with the frameWriter
	want   uint8  // type of the reply
	exempt bool   // from MaxRequests
	forget bool   // nobody waits for it: late is told of the reply, whatever it is. Guarded by mu as well
	state  callState
	reply  message    // decoded into; nil for Rread
	data   sync.Mutex // guards dst while the reader has the call
	dst    []byte     // where the data of Rread or Ropenread goes; nil when nobody wants it
	n      int        // bytes of it
	err    error
	late   func(typ uint8) // told what became of a call that was abandoned: the type of its reply, 0 for none
	done   chan struct{}   // one value when it is done

	// The requests and replies that are worth not being allocated.
	tread  tread
	twrite twrite
	rwrite rwrite
}

var callPool = sync.Pool{New: func() any { return &call{done: make(chan struct{}, 1)} }}

// newCall returns a call that put takes back.
func newCall() *call { return callPool.Get().(*call) }

// put gives back a call that is done, and was not abandoned.
func (cl *call) put() {
	*cl = call{done: cl.done}
	callPool.Put(cl)
}

// do sends t and waits for its reply, which is decoded into r. If ctx is done first it returns at once, the server is told, and late,
// unless nil, hears from the reader's goroutine what became of the request in the end. If do fails for another reason, late has been
// called with the type of the error reply, or with 0 for a request that did not get through.
func (c *Client) do(ctx context.Context, t, r message, late func(typ uint8)) error {
	cl := newCall()
	cl.reply = r
	cl.late = late
	if err := c.start(ctx, cl, t); err != nil {
		return err
	}
	err, mine := c.wait(ctx, cl)
	if mine {
		cl.put()
	}
	return err
}

// start sends a call. If it fails, the call has come to nothing and late has been told. A message that the dialect lacks is EOPNOTSUPP.
func (c *Client) start(ctx context.Context, cl *call, t message) error {
	cl.want = t.typ() + 1
	var err error
	if !messages[t.typ()].spokenIn(c.dialect) {
		err = linux.EOPNOTSUPP
	} else {
		err = c.takeTag(ctx, cl)
	}
	if err != nil {
		if cl.late != nil {
			cl.late(0)
		}
		cl.put()
		return err
	}
	posted, err := c.post(cl.tag, t)
	if posted != 0 {
		cl.posted = posted // a call without data may be gone by now
	}
	if !errors.Is(err, errFrame) {
		return nil // if the connection is dead wait sees it
	}
	c.mu.Lock()
	mine := cl.state == callWaiting
	if mine {
		cl.state = callReceiving
		c.releaseTag(cl) // the connection lives, or the call would have ended
	}
	c.mu.Unlock()
	if !mine {
		<-cl.done
	} else if cl.late != nil {
		cl.late(0)
	}
	cl.put()
	return linux.ENAMETOOLONG
}

// wanted is how much data the caller has room for; -1 if he wants none.
func (cl *call) wanted() int {
	cl.data.Lock()
	defer cl.data.Unlock()
	if cl.dst == nil {
		return -1
	}
	return len(cl.dst)
}

// take puts the next bytes of data where the caller wants them.
func (cl *call) take(p []byte) {
	cl.data.Lock()
	defer cl.data.Unlock()
	if cl.dst != nil {
		cl.n += copy(cl.dst[cl.n:], p)
	}
}

// unwanted lets the caller have his memory back.
func (cl *call) unwanted() {
	cl.data.Lock()
	defer cl.data.Unlock()
	cl.dst = nil
}

// wait waits for a call's reply, or until ctx is done: then the call is abandoned, and no longer the caller's.
func (c *Client) wait(ctx context.Context, cl *call) (err error, mine bool) {
	select {
	case <-cl.done:
		return cl.err, true
	case <-ctx.Done():
	}
	c.mu.Lock()
	switch {
	case cl.state == callReceiving && c.err == nil:
		cl.forget = true // the reply has begun to come in, so there is nothing to flush
		cl.unwanted()
		c.mu.Unlock()
		return ctx.Err(), false
	case cl.state != callWaiting:
		c.mu.Unlock()
		<-cl.done
		return cl.err, true
	}
	cl.state = callAbandoned
	cl.unwanted()
	c.mu.Unlock()
	c.post(cl.tag|flushBit, &tflush{oldtag: cl.tag})
	return ctx.Err(), false
}

// post traces and sends a message without waiting. It returns what withdraw wants to know. An error that does not wrap errFrame has ended
// the connection.
func (c *Client) post(tag uint16, t message) (uint64, error) {
	c.traceMessage(tag, t)
	posted, err := c.w.post(tag, t)
	if err != nil && !errors.Is(err, errFrame) {
		c.fail(err)
	}
	return posted, err
}

// writePosted is the goroutine that writes what was posted.
func (c *Client) writePosted() {
	defer c.running.Done()
	if err := c.w.writePosted(); err != nil {
		c.fail(err)
	}
}

// takeTag enters a call into the table, once there is room for one more.
func (c *Client) takeTag(ctx context.Context, cl *call) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	for c.err == nil && (c.inFlight >= MaxRequests && !cl.exempt || len(c.free) == 0 && len(c.calls) == maxTags) {
		if cl.exempt { // such as the reader's goroutine sends, which cannot wait
			c.mu.Unlock()
			c.fail(fmt.Errorf("%d requests are not answered", maxTags))
			return errDead
		}
		turn := make(chan struct{})
		c.queue = append(c.queue, turn)
		c.mu.Unlock()
		select {
		case <-turn:
		case <-c.died:
		case <-ctx.Done():
			c.mu.Lock()
			if i := slices.Index(c.queue, turn); i >= 0 {
				c.queue = slices.Delete(c.queue, i, i+1)
			} else {
				c.wakeNext() // it was this one's turn
			}
			c.mu.Unlock()
			return ctx.Err()
		}
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	if c.err != nil {
		return errDead
	}
	c.enter(cl)
	return nil
}

// enter gives cl a tag; there is one. It is called with mu held.
func (c *Client) enter(cl *call) {
	if n := len(c.free); n > 0 {
		cl.tag = c.free[n-1]
		c.free = c.free[:n-1]
	} else {
		cl.tag = uint16(len(c.calls))
		c.calls = append(c.calls, nil)
	}
	c.calls[cl.tag] = cl
	c.stats.Requests.Add(1)
	c.stats.Pending.Add(1)
	if !cl.exempt {
		c.inFlight++
	}
}

// releaseTag takes a call from the table. It is called with mu held.
func (c *Client) releaseTag(cl *call) {
	c.calls[cl.tag] = nil
	c.stats.Pending.Add(-1)
	c.free = append(c.free, cl.tag)
	if !cl.exempt {
		c.inFlight--
	}
	c.wakeNext()
}

// wakeNext lets the one who waits longest for a tag try again. It is called with mu held.
func (c *Client) wakeNext() {
	if len(c.queue) > 0 {
		close(c.queue[0])
		c.queue = c.queue[1:]
	}
}

// fail ends the connection: every call under way gives EIO now. Only the first reason counts.
func (c *Client) fail(err error) {
	c.w.fail(err) // so that no writer is started after this
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	var ended []*call
	for _, cl := range c.calls {
		if cl == nil {
			continue
		}
		c.stats.Pending.Add(-1)
		if cl.state == callWaiting {
			cl.state = callReceiving
			ended = append(ended, cl)
		}
	}
	c.calls, c.free = nil, nil
	close(c.died)
	c.mu.Unlock()
	for _, cl := range ended {
		cl.err = errDead
		cl.done <- struct{}{}
	}
	c.fids.end()
	c.conn.Close()
}
