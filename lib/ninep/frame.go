package ninep

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
)

// headerLen is the length of what every frame begins with: size[4] type[1] tag[2].
const headerLen = 7

type header struct {
	size int // of the whole frame
	typ  uint8
	tag  uint16
}

// errFrame is what all errors about malformed frames wrap.
var errFrame = errors.New("bad frame")

// readHeader reads the header of the next frame, whose body of size-headerLen bytes the caller reads. A frame of more than max bytes
// is an error, and so is one without a header. The error is io.EOF only between frames.
func readHeader(r *bufio.Reader, max int) (header, error) {
	p, err := r.Peek(headerLen)
	if err != nil {
		if err == io.EOF && len(p) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return header{}, err
	}
	size := binary.LittleEndian.Uint32(p)
	h := header{typ: p[4], tag: binary.LittleEndian.Uint16(p[5:])}
	if size < headerLen || int64(size) > int64(max) {
		return h, fmt.Errorf("%w: size %d, msize is %d", errFrame, size, max)
	}
	h.size = int(size)
	r.Discard(headerLen)
	return h, nil
}

// decodeBody decodes a frame's body into m. Bytes that remain are an error, like bytes that lack.
func decodeBody(m message, body []byte, d dialect) error {
	var b buffer
	return b.decodeBody(m, body, d)
}

func (b *buffer) decodeBody(m message, body []byte, d dialect) error {
	*b = buffer{b: body, dialect: d}
	m.decode(b)
	if b.bad || len(b.b) > 0 {
		return fmt.Errorf("%w: %s of %d bytes", errFrame, messages[m.typ()].name, headerLen+len(body))
	}
	return nil
}

// appendFrame appends the frame of m but for the bytes of its payload, which its size counts.
// It fails with errFrame, and appends nothing, if m has a string that is too long.
func appendFrame(dst []byte, tag uint16, m message, d dialect) ([]byte, error) {
	b := buffer{b: dst, dialect: d}
	err := b.putFrame(tag, m)
	return b.b, err
}

func (b *buffer) putFrame(tag uint16, m message) error {
	start := len(b.b)
	b.b = append(b.b, 0, 0, 0, 0, m.typ(), byte(tag), byte(tag>>8))
	m.encode(b)
	if b.bad {
		b.b = b.b[:start]
		return fmt.Errorf("%w: string too long in %s", errFrame, messages[m.typ()].name)
	}
	size := len(b.b) - start
	if p, ok := m.(payloader); ok {
		size += len(p.payload())
	}
	binary.LittleEndian.PutUint32(b.b[start:], uint32(size))
	return nil
}

const (
	// queueMax is how many bytes of frames wait to be written before senders wait.
	queueMax = 256 << 10

	// Payloads of less than copyMax bytes are copied into the queue. Where the connection has no writev(2), each piece costs a write,
	// and an SSH packet too, so that larger ones are copied as well.
	copyMax         = 4 << 10
	copyMaxNoWritev = 128 << 10
)

// A frameWriter writes frames to a connection for any number of senders. Whoever finds nobody writing writes all that is queued, so that
// frames which come at the same time go out in one write.
type frameWriter struct {
	w       io.Writer
	written *atomic.Int64 // counts bytes if not nil
	copyMax int
	vector  bool

	// queued, if not nil, is called with the tag of each frame just before it is queued. Frames are written in the order of these calls.
	queued func(tag uint16)

	// spawn is called by post, with a lock held, to start a goroutine that calls writePosted.
	spawn func()

	mu      sync.Mutex
	dialect dialect
	max     int       // size of a frame; 0 is no limit
	encoder buffer    // here, lest each message allocate one
	cond    sync.Cond // a batch has been written, or the connection is broken
	filling *batch
	spare   *batch
	busy    bool   // somebody is writing
	filled  uint64 // number of the batch that is being filled
	writing uint64 // number of the batch that is being written, or 0
	done    uint64 // number of the last batch written
	err     error  // why nothing can be written any more
}

// A batch is frames that go out together: bytes, with payloads to be put in between.
type batch struct {
	b    []byte
	cuts []cut
	size int
	iov  [][]byte    // the pieces, in order
	rest net.Buffers // those of them still to be written
}

type cut struct {
	at      int // in b
	payload []byte
}

func newFrameWriter(w io.Writer, written *atomic.Int64) *frameWriter {
	fw := &frameWriter{w: w, written: written, copyMax: copyMaxNoWritev, filling: new(batch), spare: new(batch), filled: 1}
	fw.cond.L = &fw.mu
	switch w.(type) {
	case *net.TCPConn, *net.UnixConn:
		fw.copyMax, fw.vector = copyMax, true
	}
	return fw
}

// speak sets the dialect of frames sent from now on, and their greatest size.
func (w *frameWriter) speak(d dialect, msize int) {
	w.mu.Lock()
	w.dialect, w.max = d, msize
	w.mu.Unlock()
}

// send sends the frame of m. When it returns m and its payload are the caller's again; the frame is written, or queued behind frames
// that another sender is writing. An error is final for the connection, except one that wraps errFrame: then m cannot be sent.
func (w *frameWriter) send(tag uint16, m message) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.busy && w.filling.size > queueMax && w.err == nil {
		w.cond.Wait()
	}
	direct, err := w.enqueue(tag, m)
	if err != nil {
		return err
	}
	mine := w.filled
	if !w.busy {
		w.busy = true
		w.mu.Unlock()
		runtime.Gosched() // others who are about to send join the first batch
		w.mu.Lock()
		w.drain()
	} else if direct {
		for w.done < mine && (w.err == nil || w.writing == mine) {
			w.cond.Wait()
		}
	}
	if w.done < mine {
		return w.err // nil while another is writing
	}
	return nil
}

// post is send for those who must not wait, however slow the other end is: another goroutine writes. The payload is the caller's again
// after a call of withdraw with the number that post returns, or at once if that is 0.
func (w *frameWriter) post(tag uint16, m message) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	direct, err := w.enqueue(tag, m)
	if err != nil {
		return 0, err
	}
	if !w.busy {
		w.busy = true
		w.spawn()
	}
	if direct {
		return w.filled, nil
	}
	return 0, nil
}

// writePosted writes what was posted, and returns why nothing can be written any more, if so.
func (w *frameWriter) writePosted() error {
	runtime.Gosched() // as in send
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drain()
	return w.err
}

// withdraw returns once the payload of a frame that was posted is not looked at any more: at once unless it is being written, for if it
// waits still it is copied.
func (w *frameWriter) withdraw(posted uint64, payload []byte) {
	if posted == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if posted == w.filled {
		for i := range w.filling.cuts {
			if c := &w.filling.cuts[i]; &c.payload[0] == &payload[0] {
				c.payload = append([]byte(nil), payload...)
			}
		}
	}
	for w.writing == posted {
		w.cond.Wait()
	}
}

// enqueue puts the frame of m into the batch that is being filled. It says whether the payload is referred to there and not copied.
func (w *frameWriter) enqueue(tag uint16, m message) (direct bool, err error) {
	if w.err != nil {
		return false, w.err
	}
	var payload []byte
	if p, ok := m.(payloader); ok {
		payload = p.payload()
	}
	q := w.filling
	start := len(q.b)
	w.encoder = buffer{b: q.b, dialect: w.dialect}
	err = w.encoder.putFrame(tag, m)
	b := w.encoder.b
	size := len(b) - start + len(payload)
	if err == nil && w.max > 0 && size > w.max {
		err = fmt.Errorf("%w: %s of %d bytes, msize is %d", errFrame, messages[m.typ()].name, size, w.max)
	}
	if err != nil {
		q.b = b[:start]
		return false, err
	}
	if w.queued != nil {
		w.queued(tag)
	}
	q.b = b
	direct = len(payload) >= w.copyMax || len(payload) >= copyMax && q.size > queueMax
	q.size += size
	if direct {
		q.cuts = append(q.cuts, cut{len(b), payload})
	} else {
		q.b = append(b, payload...)
	}
	return direct, nil
}

// drain writes until nothing is queued. It is called with mu held and busy set; it gives up the former while it writes, and the latter.
func (w *frameWriter) drain() {
	for w.filling.size > 0 && w.err == nil {
		q, n := w.filling, w.filled
		w.filling, w.filled = w.spare, n+1
		w.writing = n
		w.mu.Unlock()
		err := w.write(q)
		w.mu.Lock()
		w.writing = 0
		w.spare = q
		if err == nil {
			w.done = n
		} else if w.err == nil {
			w.err = err
		}
		w.cond.Broadcast()
	}
	w.busy = false
}

// write writes q and empties it.
func (w *frameWriter) write(q *batch) error {
	var err error
	if len(q.cuts) == 0 {
		_, err = w.w.Write(q.b)
	} else {
		iov, at := q.iov[:0], 0
		for _, c := range q.cuts {
			iov = append(iov, q.b[at:c.at], c.payload)
			at = c.at
		}
		if at < len(q.b) {
			iov = append(iov, q.b[at:])
		}
		q.iov = iov
		if w.vector {
			q.rest = iov
			_, err = q.rest.WriteTo(w.w)
		} else {
			for _, p := range iov {
				if _, err = w.w.Write(p); err != nil {
					break
				}
			}
		}
		clear(q.iov)
		clear(q.cuts)
	}
	if w.written != nil && err == nil {
		w.written.Add(int64(q.size))
	}
	q.b, q.cuts, q.size = q.b[:0], q.cuts[:0], 0
	return err
}

// fail makes every send from now on fail with err, unless one has failed already. A write under way is not ended by it.
func (w *frameWriter) fail(err error) {
	w.mu.Lock()
	if w.err == nil {
		w.err = err
	}
	w.cond.Broadcast()
	w.mu.Unlock()
}
