package ninep

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/hugelgupf/p9/linux"
)

const (
	// readBuffer is the size of the buffer that replies are read through.
	readBuffer = 64 << 10

	// directMin is how long a reply with data is for the data to be read straight to where it is wanted. The caller of such a request
	// has to wait once its reply has begun to arrive.
	directMin = 16 << 10
)

// maxErrno is the highest error that Linux' FUSE takes for one.
const maxErrno = 511

// A replyReader is what the reader's goroutine needs besides the Client.
type replyReader struct {
	c       *Client
	r       *bufio.Reader
	decoder buffer // here, lest each message allocate one
	long    []byte // for bodies that do not fit into r's buffer
}

// readReplies reads replies until the connection ends, or until the server says something that makes no sense, which ends it.
func (c *Client) readReplies(r *bufio.Reader) {
	rr := &replyReader{c: c, r: r}
	for {
		h, err := readHeader(r, int(c.msize))
		if err == nil {
			c.stats.BytesIn.Add(int64(h.size))
			err = rr.frame(h)
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// frame reads the body of one frame and ends the call it is for.
func (rr *replyReader) frame(h header) error {
	n := h.size - headerLen
	if n >= directMin && (h.typ == msgRread || h.typ == msgRopenread) {
		return rr.reply(h, nil)
	}
	// All of it is here before the call is looked for, so that its caller need not wait for the rest.
	var body []byte
	var err error
	if n <= rr.r.Size() {
		body, err = rr.r.Peek(n)
		defer rr.r.Discard(n)
	} else {
		if cap(rr.long) < n {
			rr.long = make([]byte, rr.c.msize)
		}
		body = rr.long[:n]
		_, err = io.ReadFull(rr.r, body)
	}
	if err != nil {
		return unexpected(err)
	}
	if h.tag&flushBit != 0 {
		return rr.flushed(h, body)
	}
	return rr.reply(h, body)
}

// reply ends the call that a frame is for. Where body is nil it has still to be read.
func (rr *replyReader) reply(h header, body []byte) error {
	c := rr.c
	c.mu.Lock()
	var cl *call
	if int(h.tag) < len(c.calls) {
		cl = c.calls[h.tag]
	}
	if cl == nil || cl.state != callWaiting && cl.state != callAbandoned {
		c.mu.Unlock()
		return fmt.Errorf("%w: %s for tag %d, which waits for none", errFrame, typeName(h.typ), h.tag)
	}
	if h.typ != cl.want && h.typ != c.dialect.errorType() {
		c.mu.Unlock()
		return fmt.Errorf("%w: %s where %s was due", errFrame, typeName(h.typ), typeName(cl.want))
	}
	abandoned := cl.state == callAbandoned
	if abandoned {
		cl.state = callLate
	} else {
		cl.state = callReceiving
		c.releaseTag(cl)
	}
	c.mu.Unlock()

	err := rr.receive(h, body, cl)
	c.mu.Lock()
	forget := cl.forget && !abandoned
	if !forget && !abandoned {
		cl.state = callDone
	}
	c.mu.Unlock()
	switch {
	case abandoned || forget:
		if err == nil && cl.late != nil {
			cl.late(h.typ)
		}
		if forget {
			cl.put()
		}
		return err
	case err != nil:
		cl.err = errDead
	case isError(h.typ) && cl.late != nil:
		cl.late(h.typ)
	}
	cl.done <- struct{}{}
	return err
}

// flushed takes note of an Rflush: the tag it is about is free.
func (rr *replyReader) flushed(h header, body []byte) error {
	var m message = new(rflush)
	if h.typ == rr.c.dialect.errorType() { // there should be none, but it says as much
		m = messages[h.typ].new()
	} else if h.typ != msgRflush {
		return fmt.Errorf("%w: %s where Rflush was due", errFrame, typeName(h.typ))
	}
	if err := rr.decode(m, h, body); err != nil {
		return err
	}
	c := rr.c
	c.mu.Lock()
	var cl *call
	if tag := int(h.tag &^ flushBit); tag < len(c.calls) {
		cl = c.calls[tag]
	}
	if cl == nil || cl.state != callAbandoned && cl.state != callLate {
		c.mu.Unlock()
		return fmt.Errorf("%w: Rflush for tag %d, which was not flushed", errFrame, h.tag&^flushBit)
	}
	answered := cl.state == callLate
	cl.state = callReceiving
	c.releaseTag(cl)
	c.mu.Unlock()
	if !answered && cl.late != nil {
		cl.late(0)
	}
	return nil
}

// receive takes a reply to cl to where it belongs. An error is final for the connection.
func (rr *replyReader) receive(h header, body []byte, cl *call) error {
	switch h.typ {
	case msgRlerror:
		var m rlerror
		if err := rr.decode(&m, h, body); err != nil {
			return err
		}
		if cl.err = linux.Errno(m.errno); m.errno == 0 || m.errno > maxErrno {
			cl.err = linux.EIO
		}
		return nil
	case msgRerror:
		var m rerror
		if err := rr.decode(&m, h, body); err != nil {
			return err
		}
		cl.err = plan9Error(m.ename)
		return nil
	case msgRread:
		return rr.data(h, body, cl, 4, nil)
	case msgRopenread:
		return rr.data(h, body, cl, 22, cl.reply.(*ropenread))
	}
	return rr.decode(cl.reply, h, body)
}

// data takes Rread, or Ropenread if m is not nil, with the data going to where the caller wants it. What the caller of an abandoned call
// wanted is forgotten. Before the data there are fixed bytes, the last of which count it.
func (rr *replyReader) data(h header, body []byte, cl *call, fixed int, m *ropenread) error {
	head := body
	if body == nil {
		var err error
		if head, err = rr.r.Peek(fixed); err != nil {
			return unexpected(err)
		}
	}
	if len(head) < fixed {
		return fmt.Errorf("%w: %s of %d bytes", errFrame, typeName(h.typ), h.size)
	}
	n := h.size - headerLen - fixed
	if count := binary.LittleEndian.Uint32(head[fixed-4:]); int64(count) != int64(n) {
		return fmt.Errorf("%w: %s of %d bytes has %d bytes of data", errFrame, typeName(h.typ), h.size, count)
	}
	if m != nil {
		b := buffer{b: head}
		m.qid, m.iounit, m.eof = b.getQID(), b.get32(), b.get8()
	}
	if wanted := cl.wanted(); wanted >= 0 && n > wanted {
		return fmt.Errorf("%w: %s of %d bytes where %d were wanted", errFrame, typeName(h.typ), n, wanted)
	}
	if body != nil {
		cl.take(body[fixed:])
	} else if err := rr.stream(cl, fixed, n); err != nil {
		return unexpected(err)
	}
	if rr.c.trace != nil {
		if m == nil {
			rr.c.traceMessage(h.tag, &rread{data: make([]byte, n)})
		} else {
			rr.c.traceMessage(h.tag, &ropenread{m.qid, m.iounit, m.eof, make([]byte, n)})
		}
	}
	return nil
}

// stream takes n bytes of data that come after skip others to cl as they arrive, so that a caller who gives up meanwhile need not wait for
// a server that has fallen silent in the middle.
func (rr *replyReader) stream(cl *call, skip, n int) error {
	if _, err := rr.r.Discard(skip); err != nil {
		return err
	}
	for n > 0 {
		if _, err := rr.r.Peek(1); err != nil {
			return err
		}
		p, err := rr.r.Peek(min(n, rr.r.Buffered()))
		if err != nil {
			return err
		}
		cl.take(p)
		n -= len(p)
		rr.r.Discard(len(p))
	}
	return nil
}

// decode takes a frame apart. Data in m is good until the next frame only.
func (rr *replyReader) decode(m message, h header, body []byte) error {
	if err := rr.decoder.decodeBody(m, body, rr.c.dialect); err != nil {
		return err
	}
	rr.c.traceMessage(h.tag, m)
	return nil
}

// typeName is a message type as it is written.
func typeName(typ uint8) string {
	if name := messages[typ].name; name != "" {
		return name
	}
	return fmt.Sprintf("type %d", typ)
}
