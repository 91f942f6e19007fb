package ninep

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/hugelgupf/p9/linux"
)

// A peer is a client that says whatever a test wants it to.
type peer struct {
	t       testing.TB
	conn    net.Conn
	r       *bufio.Reader
	dialect dialect
	stats   *Stats
	served  chan struct{} // closed when Serve has returned
	err     error         // what it returned
}

func newPeer(t testing.TB, conn net.Conn) *peer {
	return &peer{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// connPair returns the two ends of a connection that buffers.
func connPair(t testing.TB) (a, b net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	wg.Go(func() { a, _ = l.Accept() })
	b, err = net.Dial("tcp", l.Addr().String())
	wg.Wait()
	if err != nil || a == nil {
		t.Fatal("no connection: ", err)
	}
	return a, b
}

// serve starts a server for tree and returns its peer. When the test ends the connection does, and nothing must be left then.
func serve(t testing.TB, s *Server, tree *memTree) *peer {
	t.Helper()
	if s.Attacher == nil {
		s.Attacher = tree
	}
	s.Stats = new(Stats)
	far, near := connPair(t)
	p := newPeer(t, near)
	p.stats = s.Stats
	p.served = make(chan struct{})
	go func() {
		defer close(p.served)
		p.err = s.Serve(context.Background(), far)
	}()
	t.Cleanup(func() {
		p.hangup()
		if n := s.Stats.Fids.Load(); n != 0 {
			t.Errorf("%d fids left", n)
		}
		if n := s.Stats.Pending.Load(); n != 0 {
			t.Errorf("%d requests left", n)
		}
		if n := tree.files.Load(); n != 0 {
			t.Errorf("%d files not closed", n)
		}
	})
	return p
}

// session is serve, Tversion and Tattach to fid 0.
func session(t testing.TB, version string, tree *memTree) *peer {
	t.Helper()
	p := serve(t, new(Server), tree)
	p.version(version, DefaultMsize)
	p.attach(0)
	return p
}

func (p *peer) hangup() {
	p.conn.Close()
	<-p.served
}

func (p *peer) send(tag uint16, m message) {
	p.t.Helper()
	b, err := appendFrame(nil, tag, m, p.dialect)
	if err != nil {
		p.t.Fatal(err)
	}
	if d, ok := m.(payloader); ok {
		b = append(b, d.payload()...)
	}
	p.write(b)
}

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// next reads the next reply, or why there is none.
func (p *peer) next() (uint16, message, error) {
	h, err := readHeader(p.r, 1<<24)
	if err != nil {
		return 0, nil, err
	}
	body := make([]byte, h.size-headerLen)
	if _, err := io.ReadFull(p.r, body); err != nil {
		return 0, nil, err
	}
	if messages[h.typ].new == nil {
		return 0, nil, errors.New("no such type of message")
	}
	m := messages[h.typ].new()
	return h.tag, m, decodeBody(m, body, p.dialect)
}

func (p *peer) recv() (uint16, message) {
	p.t.Helper()
	tag, m, err := p.next()
	if err != nil {
		p.t.Fatal(err)
	}
	return tag, m
}

// rpc sends m and returns the reply to it.
func (p *peer) rpc(m message) message {
	p.t.Helper()
	p.send(1, m)
	tag, a := p.recv()
	if tag != 1 {
		p.t.Fatalf("%T: reply has tag %d", m, tag)
	}
	return a
}

// ok is rpc of a request that succeeds with an R.
func ok[R message](p *peer, m message) R {
	p.t.Helper()
	a := p.rpc(m)
	r, is := a.(R)
	if !is {
		p.t.Fatalf("%T %+v: got %T %+v", m, m, a, a)
	}
	return r
}

// fails is rpc of a request that fails with that error.
func (p *peer) fails(want linux.Errno, m message) {
	p.t.Helper()
	switch a := p.rpc(m).(type) {
	case *rlerror:
		if a.errno == uint32(want) {
			return
		}
		p.t.Errorf("%T: got %v, want %v", m, linux.Errno(a.errno), want)
	case *rerror:
		if a.ename == errorText(want) {
			return
		}
		p.t.Errorf("%T: got %q, want %q", m, a.ename, errorText(want))
	default:
		p.t.Errorf("%T %+v: got %T, want %v", m, m, a, want)
	}
}

func (p *peer) version(v string, msize uint32) {
	p.t.Helper()
	p.send(noTag, &tversion{msize: msize, version: v})
	_, a := p.recv()
	for a.typ() == msgRflush { // of a Tflush before
		_, a = p.recv()
	}
	if r, ok := a.(*rversion); !ok || r.version != v {
		p.t.Fatalf("Tversion %s: got %+v", v, a)
	}
	p.dialect = dialectOf(v)
}

func (p *peer) attach(fid uint32) {
	p.t.Helper()
	ok[*rattach](p, &tattach{fid: fid, afid: noFid, uname: "me", nuname: noUID})
}

// open walks to path and opens it as fid.
func (p *peer) open(fid uint32, flags uint32, names ...string) {
	p.t.Helper()
	ok[*rwalk](p, &twalk{fid: 0, newfid: fid, names: names})
	if p.dialect == dialect9P2000 {
		ok[*ropen](p, &topen{fid: fid, mode: uint8(flags)})
	} else {
		ok[*rlopen](p, &tlopen{fid: fid, flags: flags})
	}
}

// ended says that the server has ended the connection, with an error that is want.
func (p *peer) ended(want error) {
	p.t.Helper()
	for {
		if _, _, err := p.next(); err != nil {
			break
		}
	}
	<-p.served
	if !errors.Is(p.err, want) {
		p.t.Errorf("Serve returned %v, want %v", p.err, want)
	}
}
