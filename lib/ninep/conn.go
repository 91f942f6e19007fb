package ninep

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/hugelgupf/p9/linux"
)

// A conn is one connection of a server. One goroutine, Serve's, reads frames; each request is worked on in a goroutine of its own, so
// that none can keep a Tflush from being read.
type conn struct {
	srv   *Server
	rwc   io.ReadWriteCloser
	r     *bufio.Reader
	w     *frameWriter
	log   *slog.Logger
	stats *Stats
	ctx   context.Context // ends with the connection
	stop  context.CancelFunc
	fids  fidTable

	// What Tversion agrees upon. Changed by the reading goroutine, and only while no request is being worked on.
	dialect dialect
	msize   int

	mu          sync.Mutex
	ended       sync.Cond           // a request has ended
	tags        map[uint16]*request // those that have not been answered
	flushed     map[uint16]*request // those whose tag is free again, and whose Tflushes are being answered
	active      int                 // requests that have a goroutine
	running     int                 // those of them that count towards maxRequests
	bodies      int                 // bytes of the frames of those
	reserved    int                 // bytes of data of replies to come
	maxRequests int
	held        requestQueue // waiting for one of those to end
	free        [256]*request
}

func newConn(ctx context.Context, s *Server, rwc io.ReadWriteCloser) *conn {
	c := &conn{
		srv:         s,
		rwc:         rwc,
		r:           bufio.NewReaderSize(rwc, 64<<10),
		log:         s.Log,
		stats:       s.Stats,
		msize:       MinMsize,
		tags:        make(map[uint16]*request),
		flushed:     make(map[uint16]*request),
		maxRequests: cmp.Or(s.MaxRequests, MaxRequests),
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.stats == nil {
		c.stats = new(Stats)
	}
	c.ended.L = &c.mu
	c.ctx, c.stop = context.WithCancel(ctx)
	c.w = newFrameWriter(rwc, &c.stats.BytesOut)
	c.w.queued = c.forget
	c.fids.init(cmp.Or(s.MaxFids, MaxFids), &c.stats.Fids)
	return c
}

// read reads and starts requests until the connection ends.
func (c *conn) read() error {
	for {
		h, err := readHeader(c.r, c.msize)
		if err == nil {
			c.stats.BytesIn.Add(int64(h.size))
			err = c.frame(h)
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, errFrame):
			c.log.Warn("9P connection ended", "err", err)
		case err == io.EOF:
			return nil
		}
		return fmt.Errorf("9P: %w", err)
	}
}

// frame reads the body of the frame that h begins and starts the request. An error ends the connection.
func (c *conn) frame(h header) error {
	t := &messages[h.typ]
	if h.typ != msgTversion {
		if c.dialect == noDialect {
			return fmt.Errorf("%w: type %d before Tversion", errFrame, h.typ)
		}
		if h.typ%2 == 1 {
			return fmt.Errorf("%w: type %d is no request", errFrame, h.typ)
		}
		if !t.spokenIn(c.dialect) {
			return c.unknown(h)
		}
	}
	c.stats.Requests.Add(1)
	r := c.newRequest(h)
	n := h.size - headerLen
	body := r.small[:]
	if n > len(body) {
		r.body = c.srv.blocks.get(n)
		body = r.body.b
	}
	body = body[:n]
	if _, err := io.ReadFull(c.r, body); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if err := r.dec.decodeBody(r.in, body, c.dialect); err != nil {
		return err
	}
	c.trace(h.tag, r.in)
	switch m := r.in.(type) {
	case *tversion:
		return c.version(r, m)
	case *tclunkasync:
		// The fid is free for what comes next, so it is not left to a goroutine to take it off the table.
		if f := c.fids.remove(m.fid); f != nil {
			c.spawn(func() { f.clunk() })
		}
		c.recycle(r)
		return nil
	case *tflush:
		return c.flush(r, m)
	}
	return c.start(r)
}

// unknown answers a request of a type that the dialect does not have.
func (c *conn) unknown(h header) error {
	if _, err := c.r.Discard(h.size - headerLen); err != nil {
		return err
	}
	c.mu.Lock()
	used := c.tags[h.tag] != nil
	c.mu.Unlock()
	if used {
		return fmt.Errorf("%w: tag %d is in use", errFrame, h.tag)
	}
	return c.send(h.tag, errorMessage(c.dialect, linux.EOPNOTSUPP))
}

// send sends a reply. An error ends the connection.
func (c *conn) send(tag uint16, m message) error {
	c.trace(tag, m)
	return c.w.send(tag, m)
}

// spawn runs f in a goroutine that the end of the connection waits for.
func (c *conn) spawn(f func()) {
	c.mu.Lock()
	c.active++
	c.mu.Unlock()
	go func() {
		f()
		c.mu.Lock()
		c.active--
		c.mu.Unlock()
		c.ended.Broadcast()
	}()
}

// hangup ends the connection as its peer might.
func (c *conn) hangup() {
	c.rwc.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupt()
}

// interrupt cancels all requests. It is called with mu held.
func (c *conn) interrupt() {
	for _, r := range c.tags {
		r.interrupt()
	}
	c.ended.Broadcast()
}

// end cancels all requests, waits for them, and closes all files and the connection.
func (c *conn) end() {
	c.stop()
	c.w.fail(io.ErrClosedPipe)
	c.rwc.Close()
	c.abort()
	c.fids.abandon()
	c.fids.clear()
}

// abort cancels all requests, none of which will be answered any more, and waits for them.
func (c *conn) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.tags {
		r.aborted = true
	}
	c.interrupt()
	for r := c.held.pop(); r != nil; r = c.held.pop() {
		c.stats.Pending.Add(-1)
	}
	for c.active > 0 {
		c.ended.Wait()
	}
	clear(c.tags)
}

// version agrees on a dialect and an msize, and begins anew: version(9P).
func (c *conn) version(r *request, m *tversion) error {
	c.abort()
	c.fids.clear()
	d := negotiate(m.version, c.srv.versions())
	msize := min(int(min(m.msize, 1<<30)), int(cmp.Or(c.srv.Msize, DefaultMsize)))
	if msize < MinMsize {
		like := d
		if like == noDialect {
			like = dialect9P2000
		}
		c.dialect = noDialect
		c.w.speak(like, MinMsize)
		return c.send(r.tag, errorMessage(like, linux.EINVAL))
	}
	c.dialect, c.msize = d, msize
	c.w.speak(d, msize)
	return c.send(r.tag, &rversion{msize: uint32(msize), version: d.String()})
}

func (c *conn) trace(tag uint16, m message) {
	if c.srv.Trace != nil {
		traceMessage(c.srv.Trace, tag, m)
	}
}
