package ninep

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/hugelgupf/p9/linux"
)

// readBuffer is the size of the buffer that replies are read through. Data for callers passes it by where it is longer.
const readBuffer = 64 << 10

// A replyReader is what the reader's goroutine needs besides the Client.
type replyReader struct {
	c    *Client
	r    *bufio.Reader
	body []byte // for bodies that do not fit into r's buffer
}

// readReplies reads replies until the connection ends, or until the server says something that makes no sense, which ends it.
func (c *Client) readReplies(r *bufio.Reader) {
	rr := &replyReader{c: c, r: r}
	for {
		h, err := readHeader(r, int(c.msize))
		if err == nil {
			c.stats.BytesIn.Add(int64(h.size))
			err = rr.reply(h)
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// reply reads the body of one frame and ends the call it is for.
func (rr *replyReader) reply(h header) error {
	c := rr.c
	if h.tag&flushBit != 0 {
		return rr.flushed(h)
	}
	c.mu.Lock()
	var cl *call
	if int(h.tag) < len(c.calls) {
		cl = c.calls[h.tag]
	}
	if cl == nil || cl.state != callWaiting && cl.state != callAbandoned {
		c.mu.Unlock()
		return fmt.Errorf("%w: %s for tag %d, which waits for none", errFrame, typeName(h.typ), h.tag)
	}
	if h.typ != cl.want && h.typ != msgRlerror {
		c.mu.Unlock()
		return fmt.Errorf("%w: %s where %s was due", errFrame, typeName(h.typ), typeName(cl.want))
	}
	abandoned, forget := cl.state == callAbandoned, cl.forget
	if abandoned {
		cl.state = callLate
	} else {
		cl.state = callReceiving
		c.releaseTag(cl)
	}
	c.mu.Unlock()

	err := rr.receive(h, cl)
	if abandoned || forget {
		if err == nil && cl.late != nil {
			cl.late(h.typ)
		}
		if forget {
			cl.put()
		}
		return err
	}
	if err != nil {
		cl.err = errDead
		cl.done <- struct{}{}
		return err
	}
	if h.typ == msgRlerror && cl.late != nil {
		cl.late(h.typ)
	}
	cl.done <- struct{}{}
	return nil
}

// flushed takes note of an Rflush: the tag it is about is free.
func (rr *replyReader) flushed(h header) error {
	c := rr.c
	if h.typ != msgRflush && h.typ != msgRlerror { // there should be no error, but it says as much
		return fmt.Errorf("%w: %s where Rflush was due", errFrame, typeName(h.typ))
	}
	c.mu.Lock()
	var cl *call
	if tag := int(h.tag &^ flushBit); tag < len(c.calls) {
		cl = c.calls[tag]
	}
	if cl == nil || cl.state != callAbandoned && cl.state != callLate {
		c.mu.Unlock()
		return fmt.Errorf("%w: Rflush for tag %d, which was not flushed", errFrame, h.tag)
	}
	answered := cl.state == callLate
	cl.state = callReceiving
	c.releaseTag(cl)
	c.mu.Unlock()

	if h.typ == msgRlerror {
		if err := rr.decode(new(rlerror), h); err != nil {
			return err
		}
	} else if err := rr.decode(new(rflush), h); err != nil {
		return err
	}
	if !answered && cl.late != nil {
		cl.late(0)
	}
	return nil
}

// receive reads the body of a reply to cl into where it belongs. An error is final for the connection.
func (rr *replyReader) receive(h header, cl *call) error {
	if h.typ == msgRlerror {
		var m rlerror
		if err := rr.decode(&m, h); err != nil {
			return err
		}
		if cl.err = linux.Errno(m.errno); m.errno == 0 {
			cl.err = linux.EIO
		}
		return nil
	}
	switch h.typ {
	case msgRread:
		return rr.receiveData(h, cl, nil)
	case msgRopenread:
		return rr.receiveData(h, cl, cl.reply.(*ropenread))
	}
	return rr.decode(cl.reply, h)
}

// receiveData reads Rread, or Ropenread if m is not nil, with the data going to where the caller wants it. What the caller of an abandoned
// call wanted is read and forgotten.
func (rr *replyReader) receiveData(h header, cl *call, m *ropenread) error {
	fixed := 4
	if m != nil {
		fixed = 22
	}
	p, err := rr.r.Peek(min(fixed, h.size-headerLen))
	if err != nil {
		return unexpected(err)
	}
	if len(p) < fixed {
		return fmt.Errorf("%w: %s of %d bytes", errFrame, typeName(h.typ), h.size)
	}
	n := int64(binary.LittleEndian.Uint32(p[fixed-4:]))
	if n != int64(h.size-headerLen-fixed) {
		return fmt.Errorf("%w: %s of %d bytes has %d bytes of data", errFrame, typeName(h.typ), h.size, n)
	}
	if m != nil {
		b := buffer{b: p}
		m.qid, m.iounit, m.eof = b.getQID(), b.get32(), b.get8()
	}
	rr.r.Discard(fixed)
	if cl.dst == nil {
		_, err = rr.r.Discard(int(n))
		return unexpected(err)
	}
	if n > int64(len(cl.dst)) {
		return fmt.Errorf("%w: %s of %d bytes where %d were wanted", errFrame, typeName(h.typ), n, len(cl.dst))
	}
	cl.n = int(n)
	if _, err = io.ReadFull(rr.r, cl.dst[:n]); err != nil {
		return unexpected(err)
	}
	if rr.c.trace != nil {
		if m == nil {
			rr.c.traceMessage(h.tag, &rread{data: cl.dst[:n]})
		} else {
			m.data = cl.dst[:n]
			rr.c.traceMessage(h.tag, m)
		}
	}
	return nil
}

// decode reads the rest of a frame into m. Data in m is good until the next frame only.
func (rr *replyReader) decode(m message, h header) error {
	n := h.size - headerLen
	var body []byte
	var err error
	if n <= rr.r.Size() {
		body, err = rr.r.Peek(n)
		defer rr.r.Discard(n)
	} else {
		if cap(rr.body) < n {
			rr.body = make([]byte, rr.c.msize)
		}
		body = rr.body[:n]
		_, err = io.ReadFull(rr.r, body)
	}
	if err != nil {
		return unexpected(err)
	}
	if err := decodeBody(m, body, rr.c.dialect); err != nil {
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
