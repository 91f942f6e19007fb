//go:build linux

package session

import (
	"context"
	"io"
	"net"
	"os"
	"strings"

	"cpu/ctlfs"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// maxServiceName keeps a socket's address short, and a name a name.
const maxServiceName = 100

// service is a tree under a name in a session's /srv.
type service struct {
	name     string
	ready    chan struct{} // closed when attacher, or err, is set
	attacher p9.Attacher
	dead     <-chan struct{} // closed when the stream has ended; nil for a service of cpud's own. Set like attacher
	err      error
	stop     context.CancelFunc // ends the stream; under the session's mu
	listener net.Listener       // the socket in the session, once there is one; under the session's mu
	told     bool               // the helper knows of it; under the session's mu
	gone     bool               // no longer posted; under the session's mu

	connect func(ctx context.Context, c net.Conn) // takes who connects to the socket, where what is there is no tree; nil: it is one
}

// attach attaches to the tree aname, as the session's user.
func (s *service) attach(ctx context.Context, u ctlfs.User, aname string) (p9.File, error) {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.err != nil {
		return nil, s.err
	}
	return attachAs(ctx, s.attacher, u, aname)
}

// attachAs attaches as u, to the tree aname.
func attachAs(ctx context.Context, a p9.Attacher, u ctlfs.User, aname string) (p9.File, error) {
	if n, ok := a.(ninep.NamedAttacher); ok {
		return n.AttachAs(ctx, ninep.Attach{Uname: u.Name, UID: p9.UID(u.UID), Aname: aname})
	}
	if aname != "" {
		return nil, linux.ENOENT
	}
	return a.Attach()
}

// alive says that the stream is there.
func (s *service) alive() bool {
	select {
	case <-s.ready:
	default:
		return false
	}
	select {
	case <-s.dead:
		return false
	default:
		return s.err == nil
	}
}

// AttachAs makes the service a tree that can be served while its own stream is not there yet.
func (s *service) AttachAs(ctx context.Context, a ninep.Attach) (p9.File, error) {
	return s.attach(ctx, ctlfs.User{Name: a.Uname, UID: uint32(a.UID)}, a.Aname)
}

// Attach is AttachAs by nobody, to the whole.
func (s *service) Attach() (p9.File, error) {
	return s.AttachAs(context.Background(), ninep.Attach{UID: p9.NoUID})
}

// checkServiceName refuses what cannot be a name in /srv.
func checkServiceName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > maxServiceName || strings.ContainsAny(name, "/\x00\n") {
		return invalid("%q: not a name for a service", name)
	}
	return nil
}

// Posting is a name taken in a session's /srv, and the stream to come.
type Posting struct {
	session *Session
	service *service
}

// Announce takes the name in session n for a 9P stream: what mounts it waits until the stream is there. It fails with ENOENT where u sees no
// such session, EEXIST where the name is taken, EINVAL where it is none. The caller calls either Serve or Drop.
func (t *Table) Announce(u ctlfs.User, n int, name string) (*Posting, error) {
	s, err := t.session(u, n)
	if err != nil {
		return nil, err
	}
	if err := checkServiceName(name); err != nil {
		return nil, err
	}
	svc := &service{name: name, ready: make(chan struct{})}
	if err := s.addService(svc); err != nil {
		return nil, err
	}
	return &Posting{s, svc}, nil
}

// AnnounceSocket takes the name in session n, as Announce does, for a socket that speaks something else than 9P: connect is called with whoever
// connects to it, owns that, returns soon, and ends with it when ctx does. The caller calls Hold.
func (t *Table) AnnounceSocket(u ctlfs.User, n int, name string, connect func(ctx context.Context, c net.Conn)) (*Posting, error) {
	s, err := t.session(u, n)
	if err != nil {
		return nil, err
	}
	if err := checkServiceName(name); err != nil {
		return nil, err
	}
	svc := &service{name: name, ready: make(chan struct{}), connect: connect}
	svc.fail(words(linux.EPROTONOSUPPORT, "/srv/%s: no 9P is spoken there", name))
	if err := s.addService(svc); err != nil {
		return nil, err
	}
	return &Posting{s, svc}, nil
}

// Hold keeps the name until ctx or the session ends, or another has taken the place, and frees it.
func (p *Posting) Hold(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.until(cancel)
	defer p.session.removeService(p.service)
	select {
	case <-ctx.Done():
	case <-p.session.ctx.Done():
	}
}

// until has stop called when another takes the place, which may have happened already.
func (p *Posting) until(stop context.CancelFunc) {
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	p.service.stop = stop
	if p.service.gone {
		stop()
	}
}

// Post takes the name, as Announce does, and serves it, as Serve does. It owns conn.
func (t *Table) Post(ctx context.Context, u ctlfs.User, n int, name string, conn io.ReadWriteCloser) error {
	p, err := t.Announce(u, n, name)
	if err != nil {
		conn.Close()
		return err
	}
	return p.Serve(ctx, conn)
}

// Serve gives the name its stream, at whose other end is a 9P server. It returns when the stream, the session or ctx ends, and the name is
// free again: nil if the stream was good until then. It owns conn.
func (p *Posting) Serve(ctx context.Context, conn io.ReadWriteCloser) error {
	s, svc := p.session, p.service
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	p.until(cancel)
	defer s.removeService(svc)
	c, err := ninep.NewClient(ctx, conn, ninep.ClientConfig{Stats: &s.nine})
	if err != nil {
		svc.fail(words(ninep.Errno(err), "/srv/%s: %v", svc.name, err))
		return err
	}
	svc.attacher, svc.dead = c.Attacher(), c.Done()
	close(svc.ready)
	select {
	case <-c.Done():
		err = c.Err()
	case <-ctx.Done():
	}
	c.Close()
	return err
}

// Drop frees the name.
func (p *Posting) Drop() {
	p.service.fail(words(linux.ENOENT, "/srv/%s: the stream did not come", p.service.name))
	p.session.removeService(p.service)
}

// fail ends the wait for a stream that does not come.
func (s *service) fail(err error) {
	s.err = err
	close(s.ready)
}

// addService takes the name. In a session that runs already the helper makes the socket. In one that is kept the terminal that had the name
// may have gone without a word, and gives way.
func (s *Session) addService(svc *service) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return linux.ENOENT
	}
	if old := s.services[svc.name]; old != nil {
		if !s.keep || old.name == controlService {
			return words(linux.EEXIST, "/srv/%s: posted already", svc.name)
		}
		s.drop(old)
	}
	if s.wire != nil && (s.state == ctlfs.Running || s.state == ctlfs.Stopped) {
		if err := s.wire.put(&message{Kind: kindPost, Name: svc.name}); err != nil {
			return err
		}
		svc.told = true
	}
	s.services[svc.name] = svc
	s.posted()
	return nil
}

// posted tells those who wait for a service to look again. The session's mu is held.
func (s *Session) posted() {
	close(s.posts)
	s.posts = make(chan struct{})
}

// removeService frees the name and takes the socket away. What is mounted from it fails by itself.
func (s *Session) removeService(svc *service) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(svc)
}

// drop is removeService with the session's mu held.
func (s *Session) drop(svc *service) {
	if svc.gone {
		return
	}
	svc.gone = true
	delete(s.services, svc.name)
	if svc.stop != nil {
		svc.stop()
	}
	if svc.listener != nil {
		svc.listener.Close()
	}
	if s.wire != nil {
		s.wire.put(&message{Kind: kindUnpost, Name: svc.name})
	}
}

// listen serves a service on the socket that the helper made for it, to whoever in the session connects.
func (s *Session) listen(name string, f *os.File) {
	l, err := net.FileListener(f)
	f.Close()
	if err != nil {
		s.table.log.Warn("post", "session", s.number, "service", name, "err", err)
		return
	}
	s.mu.Lock()
	svc := s.services[name]
	if svc == nil || s.ctx.Err() != nil {
		s.mu.Unlock()
		l.Close()
		return
	}
	svc.listener = l
	s.mu.Unlock()
	connect := svc.connect
	if connect == nil {
		server := &ninep.Server{Attacher: svc, Log: s.table.log, Stats: &s.table.server}
		connect = func(ctx context.Context, c net.Conn) { server.Serve(ctx, c) }
	}
	s.work.Go(func() {
		defer context.AfterFunc(s.ctx, func() { l.Close() })()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.work.Go(func() { connect(s.ctx, c) })
		}
	})
}
