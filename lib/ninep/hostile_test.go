package ninep

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hugelgupf/p9/linux"
)

// raw is a frame of any type and body, whose size says what size does; 0 is the truth.
func raw(size uint32, typ uint8, tag uint16, body ...byte) []byte {
	if size == 0 {
		size = uint32(headerLen + len(body))
	}
	b := binary.LittleEndian.AppendUint32(nil, size)
	b = append(b, typ)
	b = binary.LittleEndian.AppendUint16(b, tag)
	return append(b, body...)
}

// What ends a connection.
func TestBadFrames(t *testing.T) {
	walk := raw(0, msgTwalk, 1, append([]byte{0, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff}, make([]byte, 100)...)...)
	for name, b := range map[string][]byte{
		"size 0":                  raw(0, msgTclunk, 1)[:0:0],
		"size 6":                  raw(6, msgTclunk, 1),
		"size of 4 GiB":           raw(1<<32-1, msgTread, 1),
		"size above msize":        raw(8193, msgTwrite, 1),
		"too short":               raw(0, msgTread, 1, 1, 2, 3),
		"too long":                raw(0, msgTclunk, 1, 0, 0, 0, 0, 9),
		"fewer names than said":   walk,
		"a string beyond the end": raw(0, msgTlcreate, 1, 0, 0, 0, 0, 0xff, 0xff, 'x'),
		"a reply":                 raw(0, msgRclunk, 1),
		"Rlerror":                 raw(0, msgRlerror, 1, 1, 0, 0, 0),
		"data beyond the end":     raw(0, msgTwrite, 1, append(make([]byte, 12), 0xff, 0xff, 0xff, 0xff)...),
	} {
		if len(b) == 0 {
			b = make([]byte, 7)
		}
		p := serve(t, new(Server), newMemTree())
		p.version(Version9P2000L, 8192)
		p.attach(0)
		p.write(b)
		t.Log(name)
		p.ended(errFrame)
		p.hangup()
	}
}

func TestTagInUse(t *testing.T) {
	tree := smallTree()
	p := session(t, Version9P2000L, tree)
	p.open(1, 0, "block")
	blocked(p, tree, 10)
	p.send(10, &tread{fid: 1, count: 1})
	p.ended(errFrame)
}

func TestNoVersion(t *testing.T) {
	p := serve(t, new(Server), newMemTree())
	p.send(1, &tclunk{})
	p.ended(errFrame)
}

// Half a frame, and the end of the connection.
func TestHalfAFrame(t *testing.T) {
	p := session(t, Version9P2000L, newMemTree())
	b, _ := frameOf(1, &twrite{fid: 0, data: make([]byte, 1000)}, p.dialect)
	p.write(b[:500])
	p.hangup()
	if !errors.Is(p.err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", p.err)
	}
}

// Half a frame, silence, and nobody who hangs up: the server's own context ends it.
func TestSilence(t *testing.T) {
	tree := smallTree()
	far, near := connPair(t)
	defer near.Close()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- (&Server{Attacher: tree}).Serve(ctx, far) }()
	p := newPeer(t, near)
	p.version(Version9P2000L, 8192)
	p.attach(0)
	p.open(1, 0, "block")
	blocked(p, tree, 10)
	p.write(make([]byte, 3))
	cancel()
	if err := <-served; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := tree.files.Load(); n != 0 {
		t.Errorf("%d files not closed", n)
	}
}

// A peer that hangs up with requests blocked leaves nothing.
func TestHangup(t *testing.T) {
	tree := smallTree()
	p := session(t, Version9P2000L, tree)
	p.open(1, 0, "block")
	for tag := range uint16(100) {
		blocked(p, tree, 10+tag)
	}
	p.hangup()
	if p.err != nil {
		t.Errorf("got %v", p.err)
	}
}

func TestMsize(t *testing.T) {
	tree := newMemTree()
	tree.add("big", string(make([]byte, 1<<20)))
	p := serve(t, new(Server), tree)
	for _, msize := range []uint32{0, 1, 23, MinMsize - 1} {
		p.dialect = dialect9P2000L
		p.send(noTag, &tversion{msize: msize, version: Version9P2000L})
		if _, m := p.recv(); m.typ() != msgRlerror || m.(*rlerror).errno != uint32(linux.EINVAL) {
			t.Errorf("msize %d: got %T", msize, m)
		}
	}
	p.send(noTag, &tversion{msize: 1<<32 - 1, version: Version9P2000L})
	if _, m := p.recv(); m.(*rversion).msize != DefaultMsize {
		t.Errorf("got %v", m)
	}
	p.send(noTag, &tversion{msize: 8192, version: "9P2000.u"})
	if _, m := p.recv(); m.(*rversion).version != "unknown" {
		t.Errorf("got %v", m)
	}
	p.version(Version9P2000L, MinMsize)
	p.attach(0)
	p.open(1, 0, "big")
	for _, count := range []uint32{MinMsize, 1 << 31, 1<<32 - 1} {
		if a := ok[*rread](p, &tread{fid: 1, count: count}); len(a.data) != MinMsize-11 {
			t.Errorf("count %d: %d bytes", count, len(a.data))
		}
	}
}

func TestNames(t *testing.T) {
	p := session(t, Version9P2000L, smallTree())
	ok[*rwalk](p, &twalk{fid: 0, newfid: 1, names: []string{"f"}})
	for name, want := range map[string]linux.Errno{
		"":                             linux.ENOENT,
		".":                            linux.EINVAL,
		"a/b":                          linux.EINVAL,
		"/":                            linux.EINVAL,
		"d/../../x":                    linux.EINVAL,
		"a\x00":                        linux.EINVAL,
		strings.Repeat("x", MaxName+1): linux.ENAMETOOLONG,
		strings.Repeat("x", 65535):     linux.ENAMETOOLONG,
	} {
		for _, m := range []message{
			&twalk{fid: 0, newfid: 2, names: []string{name}},
			&twalk{fid: 0, newfid: 2, names: []string{"d", name}},
			&tlcreate{fid: 0, name: name},
			&tmkdir{dfid: 0, name: name},
			&tmknod{dfid: 0, name: name},
			&tsymlink{fid: 0, name: name, target: "x"},
			&tlink{dfid: 0, fid: 1, name: name},
			&trename{fid: 1, dfid: 0, name: name},
			&trenameat{olddfid: 0, oldname: name, newdfid: 0, newname: "x"},
			&trenameat{olddfid: 0, oldname: "f", newdfid: 0, newname: name},
			&tunlinkat{dfid: 0, name: name},
		} {
			p.fails(want, m)
		}
	}
	for _, m := range []message{
		&tlcreate{fid: 0, name: ".."},
		&tmkdir{dfid: 0, name: ".."},
		&tunlinkat{dfid: 0, name: ".."},
		&trenameat{olddfid: 0, oldname: "..", newdfid: 0, newname: "x"},
		&tsymlink{fid: 0, name: "l", target: "a\x00b"},
		&txattrwalk{fid: 1, newfid: 2, name: "\x00"},
	} {
		p.fails(linux.EINVAL, m)
	}
	long := strings.Repeat("x", MaxPath+1)
	p.fails(linux.ENAMETOOLONG, &tsymlink{fid: 0, name: "l", target: long})
	p.fails(linux.ENAMETOOLONG, &tattach{fid: 9, afid: noFid, aname: long})
	p.fails(linux.ENAMETOOLONG, &txattrcreate{fid: 1, name: long})
	p.fails(linux.EINVAL, &twalk{fid: 0, newfid: 2, names: make([]string, 17)})
	p.fails(linux.EINVAL, &twalk{fid: 0, newfid: 2, names: make([]string, 65535)})
}

func TestFidFlood(t *testing.T) {
	p := serve(t, &Server{MaxFids: 100}, smallTree())
	p.version(Version9P2000L, 8192)
	p.attach(0)
	for i := range uint32(99) {
		ok[*rwalk](p, &twalk{fid: 0, newfid: 1 + i})
	}
	p.fails(linux.EMFILE, &twalk{fid: 0, newfid: 100})
	p.fails(linux.EMFILE, &tattach{fid: 100, afid: noFid})
	ok[*rwalk](p, &twalk{fid: 1, newfid: 1, names: []string{"d"}}) // in place needs none
	ok[*rclunk](p, &tclunk{fid: 1})
	ok[*rwalk](p, &twalk{fid: 0, newfid: 100})
}

// Requests that the dialect does not have are refused, and the connection goes on.
func TestUnknownType(t *testing.T) {
	p := session(t, Version9P2000L, smallTree())
	for _, typ := range []uint8{0, 2, 6, 60, 98, msgTopen, msgTstat, msgTreaddirattr, msgTclunkasync, 254} {
		p.write(raw(0, typ, 5, bytes.Repeat([]byte{7}, 50)...))
		if tag, m := p.recv(); tag != 5 || m.(*rlerror).errno != uint32(linux.EOPNOTSUPP) {
			t.Errorf("type %d: got %v", typ, m)
		}
	}
	p.version(Version9P2000, 8192)
	p.attach(0)
	p.write(raw(0, msgTlopen, 5, make([]byte, 8)...))
	if _, m := p.recv(); m.(*rerror).ename != "Operation not supported" {
		t.Errorf("got %v", m)
	}
}

// A tree's answer that does not fit a message is an error for who asked.
func TestAnswerTooLarge(t *testing.T) {
	tree := smallTree()
	tree.add("l", "").target = strings.Repeat("x", 5000)
	tree.add("m", "").target = strings.Repeat("x", 70000)
	p := serve(t, new(Server), tree)
	p.version(Version9P2000L, MinMsize)
	p.attach(0)
	for i, name := range []string{"l", "m"} {
		ok[*rwalk](p, &twalk{fid: 0, newfid: uint32(1 + i), names: []string{name}})
		p.fails(linux.EMSGSIZE, &treadlink{fid: uint32(1 + i)})
	}
}

// A peer that asks and never listens holds up nobody but itself.
func TestDeafPeer(t *testing.T) {
	tree := newMemTree()
	tree.add("big", string(make([]byte, 1<<20)))
	p := session(t, Version9P2000L, tree)
	p.open(1, 0, "big")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for tag := range uint16(2000) {
			b, _ := frameOf(tag+10, &tread{fid: 1, count: 1 << 20}, p.dialect)
			if _, err := p.conn.Write(b); err != nil {
				return
			}
		}
	}()
	if _, err := io.ReadFull(p.conn, make([]byte, 1<<20)); err != nil { // some of it
		t.Fatal(err)
	}
	p.hangup()
	<-sent
}

// deafScript is a connection to which nothing can be written after a few replies, though requests still come.
type deafScript struct {
	*script
	writes atomic.Int64 // that will succeed
}

func (s *deafScript) Write(p []byte) (int, error) {
	if s.writes.Add(-1) < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestNothingCanBeWritten(t *testing.T) {
	tree := smallTree()
	for round := range 100 {
		s := &deafScript{script: newScript()}
		s.writes.Store(int64(round % 7))
		for i, m := range []message{
			&tattach{afid: noFid}, &twalk{newfid: 1, names: []string{"block"}}, &tlopen{fid: 1},
			&tread{fid: 1, count: 1}, &tread{fid: 1, count: 1}, &tflush{oldtag: 3}, &tflush{oldtag: 4}, &tflush{oldtag: 1},
		} {
			if i == 0 {
				b, _ := frameOf(noTag, &tversion{msize: 8192, version: Version9P2000L}, noDialect)
				s.say(b)
			}
			b, _ := frameOf(uint16(i), m, dialect9P2000L)
			s.say(b)
		}
		s.Close() // for those rounds in which all writes succeed
		stats := new(Stats)
		if err := (&Server{Attacher: tree, Stats: stats}).Serve(t.Context(), s); err == nil && round%7 == 0 {
			t.Error("no error")
		}
		if n, m := stats.Fids.Load(), stats.Pending.Load(); n+m != 0 {
			t.Errorf("%d fids, %d requests left", n, m)
		}
	}
	if n := tree.files.Load(); n != 0 {
		t.Errorf("%d files not closed", n)
	}
}
