package ninep

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// ClientConfig is what a [Client] is made of. The zero value is ready to use.
type ClientConfig struct {
	Msize    uint32    // largest message to offer, in bytes; 0: DefaultMsize
	Versions []string  // dialects to offer, best first; nil: 9P2000.L.cpu, 9P2000.L, 9P2000
	Trace    io.Writer // one line a message, one Write a line; nil: none
	Stats    *Stats    // counted in, and may be shared by clients; nil: not counted
}

// Client is the client's end of one 9P conversation. All its methods may be called at any time from any goroutine.
type Client struct {
	conn    io.ReadWriteCloser
	trace   io.Writer
	tracing sync.Mutex // held while trace is written to
	w       *frameWriter
	dialect dialect
	msize   uint32
	died    chan struct{}  // closed with err set
	running sync.WaitGroup // the reader, and what is sent on nobody's behalf
	fids    fidNumbers
	stats   *Stats

	mu       sync.Mutex // guards all below, and the states of calls
	err      error      // why the connection is dead
	calls    []*call    // by tag
	free     []uint16   // tags below len(calls) that are not in use
	inFlight int        // calls that count for MaxRequests
	queue    []chan struct{}
}

// NewClient agrees with the server at the other end of conn on a dialect and an msize; ctx bounds that only. It owns conn from then on,
// also if it fails. Closing conn must end its Read and Write, or Close of the Client waits until they end by themselves.
func NewClient(ctx context.Context, conn io.ReadWriteCloser, cfg ClientConfig) (*Client, error) {
	c := &Client{conn: conn, trace: cfg.Trace, stats: cfg.Stats, died: make(chan struct{})}
	if c.stats == nil {
		c.stats = new(Stats)
	}
	c.fids.inUse = &c.stats.Fids
	c.w = newFrameWriter(conn, &c.stats.BytesOut)
	write := c.writePosted
	c.w.spawn = func() {
		c.running.Add(1)
		go write()
	}
	c.msize = cfg.Msize
	if c.msize == 0 {
		c.msize = DefaultMsize
	}
	versions := cfg.Versions
	if versions == nil {
		versions = []string{VersionCPU, Version9P2000L, Version9P2000}
	}
	r := bufio.NewReaderSize(conn, readBuffer)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	err := c.negotiate(r, versions)
	if !stop() && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("9P version: %w", err)
	}
	c.running.Go(func() { c.readReplies(r) })
	return c, nil
}

// negotiate sends Tversion until the server answers with a dialect that is among versions, be it the one just offered or, as version(9P) has
// it, what remains of that. A server that hangs up at an offer cannot be asked again.
func (c *Client) negotiate(r *bufio.Reader, versions []string) error {
	if c.msize < MinMsize {
		return &Error{linux.EINVAL, fmt.Sprintf("msize %d is less than %d", c.msize, MinMsize)}
	}
	var answer rversion
	for _, v := range versions {
		if dialectOf(v) == noDialect {
			return &Error{linux.EPROTONOSUPPORT, fmt.Sprintf("the client does not speak %q", v)}
		}
		t := &tversion{msize: c.msize, version: v}
		c.traceMessage(noTag, t)
		if err := c.w.send(noTag, t); err != nil {
			return err
		}
		h, err := readHeader(r, int(c.msize))
		if err != nil {
			return fmt.Errorf("in answer to %s: %w", v, unexpected(err))
		}
		body := make([]byte, h.size-headerLen)
		if _, err := io.ReadFull(r, body); err != nil {
			return unexpected(err)
		}
		switch h.typ {
		case msgRversion:
			if err := decodeBody(&answer, body, noDialect); err != nil {
				return err
			}
			c.traceMessage(h.tag, &answer)
		case msgRlerror, msgRerror:
			answer.version = versionUnknown // some refuse what they do not know
		default:
			return fmt.Errorf("%w: type %d in answer to Tversion", errFrame, h.typ)
		}
		if !slices.Contains(versions, answer.version) {
			continue
		}
		if answer.msize > c.msize || answer.msize < MinMsize {
			return fmt.Errorf("%w: msize %d in answer to %d", errFrame, answer.msize, c.msize)
		}
		c.msize = answer.msize
		c.dialect = dialectOf(answer.version)
		c.w.speak(c.dialect, int(c.msize))
		return nil
	}
	return &Error{linux.EPROTONOSUPPORT, fmt.Sprintf("the server does not speak %s (it answered %q)", versions[len(versions)-1], answer.version)}
}

// Attach gives the root of the tree that a names. The caller closes it. 9P2000 has names for users only: there a.UID is the number that files
// of the user called a.Uname are shown with, and who has no name attaches as "none". No server is authenticated with.
func (c *Client) Attach(ctx context.Context, a Attach) (*File, error) {
	f := c.newFid()
	if c.dialect == dialect9P2000 {
		if a.Uname == "" {
			a.Uname = noUser
		}
		f.user = &plan9User{a.Uname, a.UID}
	}
	r := new(rattach)
	err := c.do(ctx, &tattach{fid: f.number, afid: noFid, uname: a.Uname, aname: a.Aname, nuname: uint32(a.UID)}, r, f.establish)
	if err != nil {
		return nil, err
	}
	f.qid = f.typed(r.qid)
	return &File{clientFid: f, ctx: context.Background()}, nil
}

// Version is the dialect agreed upon.
func (c *Client) Version() string { return c.dialect.String() }

// Msize is the size in bytes that no message exceeds.
func (c *Client) Msize() uint32 { return c.msize }

// Done is closed once the connection is dead.
func (c *Client) Done() <-chan struct{} { return c.died }

// Err says why the connection is dead: io.EOF if the server ended it, an error of its own if Close did. It is nil while the connection lives.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and waits for what the client has running. Every call under way, and every later one, gives EIO.
// Files need not be closed before.
func (c *Client) Close() error {
	c.fail(errClosed)
	c.running.Wait()
	return nil
}

// errClosed is what Err gives after Close.
var errClosed = errors.New("9P connection closed")

// errDead is what calls on a dead connection give.
var errDead = &Error{linux.EIO, "9P connection is gone"}

// unexpected makes the end of a conversation in the middle of it what it is.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// payload is how many bytes of data fit into one message.
func (c *Client) payload() int { return int(c.msize) - HeaderSize }

func (c *Client) traceMessage(tag uint16, m message) {
	if c.trace != nil {
		c.tracing.Lock()
		traceMessage(c.trace, tag, m)
		c.tracing.Unlock()
	}
}

// Attacher is the far tree as one to be served on, to many through this one connection. It is a [NamedAttacher] as well.
func (c *Client) Attacher() p9.Attacher { return farTree{c} }

type farTree struct{ c *Client }

func (t farTree) Attach() (p9.File, error) {
	return t.AttachAs(context.Background(), Attach{UID: p9.NoUID})
}

func (t farTree) AttachAs(ctx context.Context, a Attach) (p9.File, error) {
	f, err := t.c.Attach(ctx, a)
	if err != nil {
		return nil, err
	}
	return f, nil
}
