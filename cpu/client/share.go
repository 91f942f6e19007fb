package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cpu/lib/transport"
)

// A Share is a connection that other programs of this user may use as well, through a Unix socket. Whoever connects to it and speaks 9P has
// the control tree. Whoever first sends a line, the name of a subsystem, has that stream once he has read the line `ok`; otherwise the line
// is `error` and the reason. The line `hello` opens no stream, but while that connection lasts, so does the Share: another program says it
// first, and can then open streams as it needs them.
type Share struct {
	opener   Opener
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	serving  sync.WaitGroup

	mu        sync.Mutex
	withdrawn bool
	users     int
	unused    chan struct{} // closed while nobody uses it
	since     time.Time     // when that began
}

// lineMax bounds the line that asks for a subsystem, and the answer.
const lineMax = 4 << 10

// Post shares o through a socket at path, which only this user can reach: its directory, if it is made, has mode 0700, the socket 0600. One that
// nobody listens at is replaced; where somebody does, that is an error. The caller closes the Share, before o.
func Post(path string, o Opener) (*Share, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	l, err := transport.Listen(transport.Unix + "/" + path)
	if err != nil {
		return nil, fmt.Errorf("post: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("post: %w", err)
	}
	s := &Share{opener: o, listener: l, unused: make(chan struct{}), since: time.Now()}
	close(s.unused)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.serving.Go(s.accept)
	return s, nil
}

// Withdraw lets nobody new in. Who uses the connection goes on, and may open streams still.
func (s *Share) Withdraw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.withdrawn = true
}

// enter counts one more who uses the connection, until leave. Somebody new is not let in once it is withdrawn.
func (s *Share) enter(newcomer bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if newcomer && s.withdrawn {
		return false
	}
	if s.users == 0 {
		s.unused = make(chan struct{})
	}
	s.users++
	return true
}

func (s *Share) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users == 0 {
		s.since = time.Now()
		close(s.unused)
	}
}

func (s *Share) inUse() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users > 0
}

// Unused waits until nobody uses the connection, and says since when. It gives up when ctx is done.
func (s *Share) Unused(ctx context.Context) (since time.Time, err error) {
	s.mu.Lock()
	c := s.unused
	s.mu.Unlock()
	select {
	case <-c:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.since, nil
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
}

// Close ends all use of the connection, and waits for that.
func (s *Share) Close() {
	s.listener.Close()
	s.cancel()
	s.serving.Wait()
}

func (s *Share) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.serving.Go(func() { s.serve(c) })
	}
}

// serve is one that has connected.
func (s *Share) serve(c net.Conn) {
	defer context.AfterFunc(s.ctx, func() { c.Close() })()
	defer c.Close()
	r := bufio.NewReaderSize(c, lineMax)
	head, err := r.Peek(4)
	if err != nil {
		return
	}
	subsystem, plain := "ctlfs", head[3] == 0 // the length of a 9P message that comes first has no fourth byte
	if !plain {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		subsystem = strings.TrimSuffix(string(line), "\n")
	}
	if !s.enter(plain || subsystem == hello) {
		if !plain {
			io.WriteString(c, "error the connection is about to end\n")
		}
		return
	}
	defer s.leave()
	if subsystem == hello {
		io.WriteString(c, "ok\n")
		io.Copy(io.Discard, r)
		return
	}
	stream, err := s.opener.Open(s.ctx, subsystem)
	if err != nil {
		if !plain {
			fmt.Fprintf(c, "error %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
		}
		return
	}
	if !plain {
		if _, err := io.WriteString(c, "ok\n"); err != nil {
			stream.Close()
			return
		}
	}
	join(s.ctx, stream, struct {
		io.Reader
		io.WriteCloser
	}{r, c})
}

// join copies between two streams until either ends, or ctx does, and closes both.
func join(ctx context.Context, a, b io.ReadWriteCloser) {
	end := sync.OnceFunc(func() {
		a.Close()
		b.Close()
	})
	defer context.AfterFunc(ctx, end)()
	var back sync.WaitGroup
	back.Go(func() {
		io.Copy(a, b)
		end()
	})
	io.Copy(b, a)
	end()
	back.Wait()
}

// ErrNotShared is that no connection is shared at a path.
var ErrNotShared = errors.New("no connection is shared there")

// hello is what is said first.
const hello = "hello"

// helloTime is how long whoever listens at a path may take to say that it is a Share.
const helloTime = 5 * time.Second

// Shared opens streams through the connection that another program shares at path, which stays until the Opener is closed. ErrNotShared if
// there is none.
func Shared(ctx context.Context, path string) (Opener, error) {
	o := sharedOpener{path: path}
	ctx, cancel := context.WithTimeout(ctx, helloTime)
	defer cancel()
	var err error
	if o.lease, err = o.ask(ctx, hello); err != nil {
		return nil, fmt.Errorf("%s: %w", path, ErrNotShared)
	}
	return o, nil
}

type sharedOpener struct {
	path  string
	lease io.Closer
}

// Close leaves the connection to whose it is.
func (o sharedOpener) Close() error { return o.lease.Close() }

func (o sharedOpener) Open(ctx context.Context, subsystem string) (io.ReadWriteCloser, error) {
	return o.ask(ctx, subsystem)
}

// ask connects, and asks for a stream.
func (o sharedOpener) ask(ctx context.Context, subsystem string) (io.ReadWriteCloser, error) {
	if strings.ContainsRune(subsystem, '\n') {
		return nil, fmt.Errorf("%q: not a subsystem", subsystem)
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", o.path)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	_, err = io.WriteString(c, subsystem+"\n")
	answer := ""
	if err == nil {
		answer, err = readLine(c)
	}
	if !stop() {
		return nil, ctx.Err()
	}
	if err == nil && answer != "ok" {
		reason, ok := strings.CutPrefix(answer, "error ")
		if !ok {
			reason = o.path + ": what listens there is not cpu's"
		}
		err = errors.New(reason)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// readLine reads a line a byte at a time, for what follows is not ours.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < lineMax; {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
	return "", errors.New("too long a line")
}
