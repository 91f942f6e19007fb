package ninep

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/hugelgupf/p9/p9"
)

// FuzzMessage decodes a message and expects the same bytes when it is encoded again.
func FuzzMessage(f *testing.F) {
	for typ := range messages {
		mt := &messages[typ]
		if mt.new == nil {
			continue
		}
		for d := dialect9P2000; d <= dialectCPU; d++ {
			if !mt.spokenIn(d) {
				continue
			}
			if b, err := frameOf(1, filled(mt.new()), d); err == nil {
				f.Add(uint8(typ), uint8(d), b[headerLen:])
			}
		}
	}
	f.Fuzz(func(t *testing.T, typ, d uint8, body []byte) {
		mt := &messages[typ]
		if mt.new == nil {
			return
		}
		m := mt.new()
		if decodeBody(m, body, dialect(d)) != nil {
			return
		}
		if typ == msgTfsync && len(body) == 4 {
			body = append(body, 0, 0, 0, 0) // left out
		}
		b, err := frameOf(1, m, dialect(d))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b[headerLen:], body) {
			t.Errorf("%T: got %x, want %x", m, b[headerLen:], body)
		}
	})
}

// FuzzDirectory decodes directory entries of both kinds and expects the same bytes when they are encoded again.
func FuzzDirectory(f *testing.F) {
	var b buffer
	d := DirentAttr{Dirent: p9.Dirent{QID: p9.QID{Type: 1, Version: 2, Path: 3}, Offset: 4, Type: 5, Name: "six"}, Valid: attrMask(0x3fff)}
	b.putDirent(&d.Dirent)
	b.putDirent(&d.Dirent)
	f.Add(false, b.b)
	b.b = nil
	b.putDirentAttr(&d)
	b.putDirentAttr(&d)
	f.Add(true, b.b)
	f.Fuzz(func(t *testing.T, attr bool, data []byte) {
		in := buffer{b: data}
		var out buffer
		for len(in.b) > 0 {
			var d DirentAttr
			if attr {
				in.getDirentAttr(&d)
				out.putDirentAttr(&d)
			} else {
				in.getDirent(&d.Dirent)
				out.putDirent(&d.Dirent)
			}
			if in.bad {
				return
			}
			if attr { // bits of the mask that mean nothing are not kept
				at := 22 + len(d.Name) + 2
				rest := data[len(out.b)-at-8-attrSize:]
				bits := binary.LittleEndian.Uint64(rest[at:])
				if bits&0x3fff != attrBits(d.Valid) {
					t.Fatalf("mask %#x became %#x", bits, attrBits(d.Valid))
				}
				binary.LittleEndian.PutUint64(rest[at:], bits&0x3fff)
			}
		}
		if !bytes.Equal(out.b, data) {
			t.Errorf("got %x, want %x", out.b, data)
		}
	})
}

// FuzzStat decodes a stat and expects the same bytes when it is encoded again.
func FuzzStat(f *testing.F) {
	for _, s := range []stat{untouched, {}, {1, 2, p9.QID{Type: 3, Version: 4, Path: 5}, 6, 7, 8, 9, "name", "uid", "gid", "muid"}} {
		var b buffer
		s.encode(&b)
		f.Add(b.b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := buffer{b: data}
		var s stat
		s.decode(&in)
		if in.bad {
			return
		}
		var out buffer
		s.encode(&out)
		if out.bad || !bytes.Equal(out.b, data[:len(data)-len(in.b)]) {
			t.Errorf("got %x of %x", out.b, data)
		}
		if s.size() != len(out.b) {
			t.Errorf("size %d of %d", s.size(), len(out.b))
		}
		changes(&s, &untouched, nil)
	})
}

// fuzzTree is the tree that fuzz targets serve: one with something of each kind in it.
func fuzzTree() *memTree {
	t := smallTree()
	t.add("l", "").target = "d/e"
	t.node(p9.ModeSymlink)
	t.add("x", "").xattrs = map[string][]byte{"user.a": []byte("b")}
	return t
}

// A script is a connection on which a test says what it wants when it wants. Neither end waits for the other to read.
type script struct {
	mu      sync.Mutex
	cond    sync.Cond // something has changed
	in, out []byte    // for the server, from the server
	closed  bool      // by the test: the server reads what is there and then EOF
}

func newScript() *script {
	s := new(script)
	s.cond.L = &s.mu
	return s
}

func (s *script) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.in) == 0 && !s.closed {
		s.cond.Wait()
	}
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = append(s.out, p...)
	s.cond.Broadcast()
	return len(p), nil
}

func (s *script) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.cond.Broadcast()
	return nil
}

func (s *script) say(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.in = append(s.in, b...)
	s.cond.Broadcast()
}

// hear returns the server's next frame, or nil if the connection ends before there is one.
func (s *script) hear() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if len(s.out) >= 4 {
			if n := int(binary.LittleEndian.Uint32(s.out)); n <= len(s.out) {
				f := s.out[:n:n]
				s.out = s.out[n:]
				return f
			}
		}
		if s.closed {
			return nil
		}
		s.cond.Wait()
	}
}

// play serves a script. What it returns waits for the end of that, and for nothing to be left.
func play(t *testing.T, tree *memTree, s *script) (wait func()) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	stats := new(Stats)
	served := make(chan error, 1)
	go func() {
		served <- (&Server{Attacher: tree, Stats: stats, MaxFids: 50, MaxRequests: 8, Trace: io.Discard}).Serve(ctx, s)
		s.Close()
	}()
	return func() {
		<-served
		if ctx.Err() != nil {
			t.Error("the server had to be stopped")
		}
		cancel()
		if n := stats.Fids.Load(); n != 0 {
			t.Errorf("%d fids left", n)
		}
		if n := stats.Pending.Load(); n != 0 {
			t.Errorf("%d requests left", n)
		}
		if n := tree.files.Load(); n != 0 {
			t.Errorf("%d files not closed", n)
		}
	}
}

// FuzzServer sends any bytes to a server, after Tversion and Tattach if session says so.
func FuzzServer(f *testing.F) {
	hello := func(version string) []byte {
		a, _ := frameOf(noTag, &tversion{msize: 8192, version: version}, noDialect)
		b, _ := frameOf(1, &tattach{fid: 0, afid: noFid}, dialectOf(version))
		return append(a, b...)
	}
	for typ := range messages {
		mt := &messages[typ]
		if mt.new == nil {
			continue
		}
		for i, d := range []dialect{dialect9P2000, dialect9P2000L, dialectCPU} {
			if mt.spokenIn(d) {
				if b, err := frameOf(2, filled(mt.new()), d); err == nil {
					f.Add(uint8(i), b)
				}
			}
		}
	}
	f.Add(uint8(3), hello(Version9P2000L))
	f.Fuzz(func(t *testing.T, session uint8, data []byte) {
		s := newScript()
		if v := []string{Version9P2000, Version9P2000L, VersionCPU}; int(session) < len(v) {
			s.say(hello(v[session]))
		}
		s.say(data)
		wait := play(t, fuzzTree(), s)
		s.Close()
		wait()
		// Whatever was said, what came back is frames.
		for len(s.out) > 0 {
			if b := s.hear(); len(b) < headerLen || messages[b[4]].new == nil || b[4]%2 == 0 {
				t.Fatalf("no reply: %x", s.out)
			}
		}
	})
}
