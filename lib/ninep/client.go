package ninep

import (
	"context"
	"io"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// ClientConfig is what a [Client] is made of. The zero value is ready to use.
type ClientConfig struct {
	Msize    uint32    // largest message to offer, in bytes; 0: DefaultMsize
	Versions []string  // dialects to offer, best first; nil: 9P2000.L.cpu, 9P2000.L
	Trace    io.Writer // one line a message, one Write a line; nil: none
}

// Client is the client's end of one 9P conversation. All its methods may be called at any time from any goroutine.
type Client struct {
	done chan struct{}
}

// NewClient agrees with the server at the other end of conn on a dialect and an msize. It owns conn from then on, also if it fails.
func NewClient(ctx context.Context, conn io.ReadWriteCloser, c ClientConfig) (*Client, error) {
	conn.Close()
	return nil, linux.EIO
}

// Attach gives the root of the tree that a names. The caller closes it.
func (c *Client) Attach(ctx context.Context, a Attach) (*File, error) { return nil, linux.EIO }

// Version is the dialect agreed upon.
func (c *Client) Version() string { return "" }

// Msize is the size in bytes that no message exceeds.
func (c *Client) Msize() uint32 { return 0 }

// Done is closed once the connection is dead.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says why the connection is dead. It is nil while it lives.
func (c *Client) Err() error { return linux.EIO }

// Close ends the connection and waits for what the client has running. Every call under way, and every later one, gives EIO.
func (c *Client) Close() error { return nil }

// Attacher is the far tree as one to be served on, to many through this one connection. It is a [NamedAttacher] as well.
func (c *Client) Attacher() p9.Attacher { return nil }
