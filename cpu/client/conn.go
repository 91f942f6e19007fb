package client

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"cpu/ctlfs"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/p9"
	"golang.org/x/crypto/ssh"
)

// An Opener opens a stream to one of the server's subsystems: `ctlfs`, `exportfs`, `srv N NAME`.
type Opener interface {
	// Open returns the stream once the server has accepted it. The caller closes it.
	Open(ctx context.Context, subsystem string) (io.ReadWriteCloser, error)
	// Close ends all streams, with no regard to the far side.
	Close() error
}

// SSH opens streams as session channels of an SSH connection, which it owns.
func SSH(c *ssh.Client) Opener { return sshOpener{c} }

type sshOpener struct{ c *ssh.Client }

func (o sshOpener) Close() error { return o.c.Close() }

func (o sshOpener) Open(ctx context.Context, subsystem string) (io.ReadWriteCloser, error) {
	type result struct {
		ch  ssh.Channel
		err error
	}
	opened := make(chan result, 1)
	// A request that is not answered can only be given up with the connection; so there the goroutine ends too.
	go func() {
		ch, requests, err := o.c.OpenChannel("session", nil)
		if err == nil {
			go ssh.DiscardRequests(requests)
			var ok bool
			ok, err = ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{subsystem}))
			if err == nil && !ok {
				err = fmt.Errorf("the server has no %s", subsystem)
			}
			if err != nil {
				ch.Close()
			}
		}
		opened <- result{ch, err}
	}()
	select {
	case r := <-opened:
		if r.err != nil {
			return nil, r.err
		}
		return r.ch, nil
	case <-ctx.Done():
		go func() {
			if r := <-opened; r.err == nil {
				r.ch.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// A Conn is a connection to a cpu server, for any number of sessions.
type Conn struct {
	host   string
	opener Opener
	trace  io.Writer

	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	served sync.WaitGroup // services that are being served

	share *Share // nil: it is not shared

	mu   sync.Mutex
	ctl  *ninep.Client // opened when it is first wanted
	root *ninep.File
}

// New makes a connection of what opens its streams, which it owns. Host is the server's name, for errors. Trace gets the 9P messages of
// both directions, a line each; nil is none.
func New(host string, o Opener, trace io.Writer) *Conn {
	c := &Conn{host: host, opener: o, trace: trace}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// Share lets other programs use the connection through a socket at path; see [Post].
func (c *Conn) Share(path string) error {
	s, err := Post(path, c.opener)
	c.share = s
	return err
}

// Linger waits, if the connection is shared, until nobody else uses it, and lets nobody new in. If it has to wait it calls first before.
func (c *Conn) Linger(ctx context.Context, first func()) {
	if c.share == nil {
		return
	}
	c.share.Withdraw()
	if c.share.inUse() {
		first()
	}
	c.share.Unused(ctx)
}

// Persist shares the connection on until nobody has used it for so long; less than nothing is for ever. It ends early when ctx is done or the connection is gone.
func (c *Conn) Persist(ctx context.Context, unused time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		since, err := c.share.Unused(ctx)
		if err != nil {
			return
		}
		var over <-chan time.Time
		if unused > 0 {
			left := time.Until(since.Add(unused))
			if left <= 0 {
				return
			}
			over = time.After(left)
		}
		select {
		case <-over:
		case <-c.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// Close ends the connection with all its sessions that are not kept, and waits for what was served over it.
func (c *Conn) Close() error {
	if c.share != nil {
		c.share.Close()
	}
	c.cancel()
	err := c.opener.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctl != nil {
		c.ctl.Close()
	}
	c.served.Wait()
	return err
}

// Control is the server's control tree, for sessions.
func (c *Conn) Control(ctx context.Context) (*ctlfs.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.control(ctx); err != nil {
		return nil, err
	}
	return ctlfs.NewClient(c.root), nil
}

// Tree is the server's control tree as a 9P tree, to be walked, mounted or served on. It lives as long as the connection.
func (c *Conn) Tree(ctx context.Context) (p9.Attacher, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.control(ctx); err != nil {
		return nil, err
	}
	return c.ctl.Attacher(), nil
}

// Done is closed once the connection to the control tree is gone. Control or Tree has been called.
func (c *Conn) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ctl.Done()
}

// control opens the stream to the control tree, if it is not open. It is called with mu held.
func (c *Conn) control(ctx context.Context) error {
	if c.root != nil {
		return nil
	}
	stream, err := c.opener.Open(ctx, "ctlfs")
	if err != nil {
		return c.errorf("%w", err)
	}
	ctl, err := ninep.NewClient(ctx, stream, ninep.ClientConfig{Trace: c.trace})
	if err != nil {
		return c.errorf("ctlfs: %w", err)
	}
	root, err := ctl.Attach(ctx, ninep.Attach{UID: p9.NoUID})
	if err != nil {
		ctl.Close()
		return c.errorf("ctlfs: %w", err)
	}
	c.ctl, c.root = ctl, root
	return nil
}

// lost says whether the connection has ended.
func (c *Conn) lost() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctl == nil {
		return false
	}
	select {
	case <-c.ctl.Done():
		return true
	default:
		return false
	}
}

func (c *Conn) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: "+format, append([]any{c.host}, args...)...)
}

// Open opens a stream to one of the server's subsystems; `exportfs` is 9P on the server's own files. The caller closes it.
func (c *Conn) Open(ctx context.Context, subsystem string) (io.ReadWriteCloser, error) {
	s, err := c.opener.Open(ctx, subsystem)
	if err != nil {
		return nil, c.errorf("%w", err)
	}
	return s, nil
}

// post serves a tree to session n as /srv/NAME. It returns once the server has taken it, and serves until ctx is done or the
// stream ends.
func (c *Conn) post(ctx context.Context, n int, name string, tree p9.Attacher) error {
	stream, err := c.opener.Open(ctx, fmt.Sprintf("srv %d %s", n, name))
	if err != nil {
		return fmt.Errorf("/srv/%s: %w", name, err)
	}
	c.served.Go(func() {
		(&ninep.Server{Attacher: tree, Trace: c.trace}).Serve(ctx, stream)
	})
	return nil
}

// splice is post for what a server speaks 9P on already. It owns that.
func (c *Conn) splice(ctx context.Context, n int, name string, server io.ReadWriteCloser) error {
	stream, err := c.opener.Open(ctx, fmt.Sprintf("srv %d %s", n, name))
	if err != nil {
		server.Close()
		return fmt.Errorf("/srv/%s: %w", name, err)
	}
	c.served.Go(func() { join(ctx, stream, server) })
	return nil
}

// agent has the server make AgentSocket in session n, which is there until ctx is done.
func (c *Conn) agent(ctx context.Context, n int) error {
	stream, err := c.opener.Open(ctx, fmt.Sprintf("agent %d", n))
	if err != nil {
		return fmt.Errorf("%s: %w", AgentSocket, err)
	}
	c.served.Go(func() {
		select {
		case <-ctx.Done():
		case <-c.ctx.Done():
		}
		stream.Close()
	})
	return nil
}
