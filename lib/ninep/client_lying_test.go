package ninep

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// honest is what a server without a tree can answer to a request.
func honest(m message) message {
	file := p9.QID{Version: 1, Path: 7}
	switch m := m.(type) {
	case *twalk:
		return &rwalk{qids: make([]p9.QID, len(m.names))}
	case *twalkgetattr:
		return &rwalkgetattr{qids: make([]p9.QID, len(m.names)), qid: file}
	case *tlopen:
		return &rlopen{qid: file}
	case *tlcreate:
		return &rlcreate{qid: file}
	case *topenread:
		return &ropenread{qid: file}
	case *twrite:
		return &rwrite{count: uint32(len(m.data))}
	}
	return messages[m.typ()+1].new()
}

// scripted is a client whose server answers honestly, unless say answers for it. What say leaves to it is nil.
func scripted(t testing.TB, version string, say func(p *peer, tag uint16, m message) bool) *Client {
	t.Helper()
	near, far := socketpair(t)
	p := newPeer(t, far)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			tag, m, err := p.next()
			if err != nil {
				return
			}
			switch {
			case m.typ() == msgTversion:
				p.dialect = dialectOf(version)
				p.send(tag, &rversion{msize: 64 << 10, version: version})
			case say != nil && say(p, tag, m):
			case m.typ() != msgTclunkasync:
				b, _ := appendFrame(nil, tag, honest(m), p.dialect)
				if _, err := far.Write(b); err != nil {
					return
				}
			}
		}
	})
	c, err := NewClient(context.Background(), near, ClientConfig{Versions: []string{version}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		serving.Wait()
	})
	return c
}

func dirents(name string, offsets ...uint64) []byte {
	var b buffer
	for i, o := range offsets {
		b.putDirent(&p9.Dirent{Name: fmt.Sprint(name, strings.Repeat("x", i)), Offset: o})
	}
	return b.b
}

func direntAttrs(name string, size uint64) []byte {
	var b buffer
	b.putDirentAttr(&DirentAttr{Dirent: p9.Dirent{Name: name, Offset: 1}, Valid: p9.AttrMaskAll, Attr: p9.Attr{Size: size}})
	return b.b
}

// rawFrame is bytes with a header before them whose size is right.
func rawFrame(typ uint8, tag uint16, body ...byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(headerLen+len(body)))
	return append(append(b, typ, byte(tag), byte(tag>>8)), body...)
}

// TestClientOfLiar has a server answer one request with what it must not. The call fails, and the connection with it where the server
// can no longer be understood.
func TestClientOfLiar(t *testing.T) {
	getattr := func(f *File) error {
		_, _, _, err := f.GetAttr(p9.AttrMaskAll)
		return err
	}
	open := func(f *File) *File {
		if _, _, err := f.Open(p9.ReadOnly); err != nil {
			t.Error(err)
		}
		return f
	}
	readlink := func(f *File) error { return first(f.Readlink()) }
	readdir := func(f *File) error { return first(open(f).Readdir(0, 8000)) }
	readdirattr := func(f *File) error { return first(open(f).ReaddirAttr(0, 8000)) }
	read := func(f *File) error { return first(open(f).ReadAt(make([]byte, 100), 0)) }
	readMany := func(f *File) error { return first(open(f).ReadAt(make([]byte, 1<<20), 0)) }
	write := func(f *File) error { return first(open(f).WriteAt(make([]byte, 100), 0)) }
	openread := func(f *File) error {
		_, _, _, _, err := f.OpenRead(p9.ReadOnly, make([]byte, 100))
		return err
	}
	walk := func(f *File) error { return second(f.Walk([]string{"a", "b"})) }
	walkgetattr := func(f *File) error {
		_, _, _, _, err := f.WalkGetAttr([]string{"a", "b"})
		return err
	}
	getxattr := func(f *File) error { return first(f.GetXattr("user.a")) }
	raw := func(p *peer, b []byte) { p.conn.Write(b) }

	for _, tt := range []struct {
		name string
		do   func(f *File) error
		typ  uint8 // of the request that is answered with a lie
		lie  func(p *peer, tag uint16)
		want error // nil for success
		dead bool
	}{
		{"name with slash", readdir, msgTreaddir, says(&rreaddir{dirents("a/b", 1)}), linux.EIO, false},
		{"name that leads up", readdir, msgTreaddir, says(&rreaddir{dirents("../../etc", 1)}), linux.EIO, false},
		{"name that is none", readdir, msgTreaddir, says(&rreaddir{dirents("", 1)}), linux.EIO, false},
		{"name with NUL", readdir, msgTreaddir, says(&rreaddir{dirents("a\x00b", 1)}), linux.EIO, false},
		{"name too long", readdir, msgTreaddir, says(&rreaddir{dirents(strings.Repeat("n", MaxName+1), 1)}), linux.EIO, false},
		{"dots", readdir, msgTreaddir, says(&rreaddir{append(dirents(".", 1), dirents("..", 2)...)}), nil, false},
		{"no way on", readdir, msgTreaddir, says(&rreaddir{dirents("a", 1, 2, 0)}), linux.EIO, false},
		{"half an entry", readdir, msgTreaddir, says(&rreaddir{dirents("abc", 1)[:20]}), linux.EIO, true},
		{"attributes of a slash", readdirattr, msgTreaddirattr, says(&rreaddirattr{direntAttrs("a/b", 1)}), linux.EIO, false},
		{"half attributes", readdirattr, msgTreaddirattr, says(&rreaddirattr{direntAttrs("a", 1)[:100]}), linux.EIO, true},
		{"huge size", getattr, msgTgetattr, says(&rgetattr{attr: p9.Attr{Size: 1 << 63}}), linux.EIO, false},
		{"largest size", getattr, msgTgetattr, says(&rgetattr{attr: p9.Attr{Size: math.MaxInt64}}), nil, false},
		{"huge size walked to", walkgetattr, msgTwalkgetattr, says(&rwalkgetattr{qids: make([]p9.QID, 2), attr: p9.Attr{Size: 1 << 63}}), linux.EIO, false},
		{"too much read", read, msgTread, says(&rread{make([]byte, 101)}), linux.EIO, true},
		{"too much read of much", readMany, msgTread, says(&rread{make([]byte, 64<<10-11)}), linux.EIO, true},
		{"too much written", write, msgTwrite, says(&rwrite{count: 101}), linux.EIO, true},
		{"nothing written", write, msgTwrite, says(&rwrite{count: 0}), linux.EIO, false},
		{"little written", write, msgTwrite, says(&rwrite{count: 60}), linux.EIO, false},
		{"too much opened", openread, msgTopenread, says(&ropenread{data: make([]byte, 101)}), linux.EIO, true},
		{"too many qids", walk, msgTwalk, says(&rwalk{qids: make([]p9.QID, 3)}), linux.EIO, true},
		{"too few qids", walk, msgTwalk, says(&rwalk{qids: make([]p9.QID, 1)}), linux.ENOENT, false},
		{"too many qids with attributes", walkgetattr, msgTwalkgetattr, says(&rwalkgetattr{qids: make([]p9.QID, 3)}), linux.EIO, true},
		{"too few qids with attributes", walkgetattr, msgTwalkgetattr, says(&rwalkgetattr{}), linux.ENOENT, false},
		{"huge attribute", getxattr, msgTxattrwalk, says(&rxattrwalk{size: 1 << 63}), linux.E2BIG, false},
		{"attribute that stops", getxattr, msgTxattrwalk, says(&rxattrwalk{size: 10}), linux.EIO, false},
		{"error 0", getattr, msgTgetattr, says(&rlerror{}), linux.EIO, false},
		{"error out of range", getattr, msgTgetattr, says(&rlerror{1 << 31}), linux.EIO, false},
		{"long target", readlink, msgTreadlink, says(&rreadlink{strings.Repeat("t", MaxPath)}), linux.EIO, false},
		{"target with NUL", readlink, msgTreadlink, says(&rreadlink{"a\x00b"}), linux.EIO, false},
		{"other type", getattr, msgTgetattr, says(&rclunk{}), linux.EIO, true},
		{"9P2000's error", getattr, msgTgetattr, says(&rerror{"no"}), linux.EIO, true},
		{"a request", getattr, msgTgetattr, says(&tgetattr{}), linux.EIO, true},
		{"no such type", getattr, msgTgetattr, func(p *peer, tag uint16) { raw(p, rawFrame(255, tag)) }, linux.EIO, true},
		{"other tag", getattr, msgTgetattr, func(p *peer, tag uint16) { p.send(tag+1, &rgetattr{}) }, linux.EIO, true},
		{"tag far off", getattr, msgTgetattr, func(p *peer, tag uint16) { p.send(0x7fff, &rgetattr{}) }, linux.EIO, true},
		{"no tag", getattr, msgTgetattr, func(p *peer, tag uint16) { p.send(noTag, &rgetattr{}) }, linux.EIO, true},
		{"Rflush for nothing", getattr, msgTgetattr, func(p *peer, tag uint16) { p.send(tag|flushBit, &rflush{}) }, linux.EIO, true},
		{"answered twice", getattr, msgTgetattr, func(p *peer, tag uint16) {
			p.send(tag, &rgetattr{})
			p.send(tag, &rgetattr{})
		}, nil, true},
		{"frame without header", getattr, msgTgetattr, func(p *peer, tag uint16) { raw(p, []byte{3, 0, 0, 0, msgRgetattr, 0, 0}) }, linux.EIO, true},
		{"frame of 4 GiB", getattr, msgTgetattr, func(p *peer, tag uint16) { raw(p, []byte{255, 255, 255, 255, msgRgetattr, byte(tag), 0}) }, linux.EIO, true},
		{"frame above msize", getattr, msgTgetattr, func(p *peer, tag uint16) { raw(p, []byte{1, 0, 1, 0, msgRgetattr, byte(tag), 0}) }, linux.EIO, true},
		{"frame too short", getattr, msgTgetattr, func(p *peer, tag uint16) { raw(p, rawFrame(msgRgetattr, tag, 1, 2, 3)) }, linux.EIO, true},
		{"frame too long", getattr, msgTgetattr, func(p *peer, tag uint16) { raw(p, rawFrame(msgRgetattr, tag, make([]byte, 154)...)) }, linux.EIO, true},
		{"data too short", read, msgTread, func(p *peer, tag uint16) { raw(p, rawFrame(msgRread, tag, 10, 0, 0, 0, 1)) }, linux.EIO, true},
		{"data too long", read, msgTread, func(p *peer, tag uint16) { raw(p, rawFrame(msgRread, tag, 1, 0, 0, 0, 1, 1)) }, linux.EIO, true},
		{"data without count", read, msgTread, func(p *peer, tag uint16) { raw(p, rawFrame(msgRread, tag, 1)) }, linux.EIO, true},
		{"half a frame", read, msgTread, func(p *peer, tag uint16) {
			raw(p, rawFrame(msgRread, tag, 10, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)[:16])
			p.conn.Close()
		}, linux.EIO, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			version := Version9P2000L
			if tt.typ >= msgTreaddirattr {
				version = VersionCPU
			}
			told := false
			c := scripted(t, version, func(p *peer, tag uint16, m message) bool {
				if m.typ() != tt.typ || told && tt.dead == false {
					return false
				}
				told = true
				tt.lie(p, tag)
				return true
			})
			root := attachRoot(t, c, "")
			if err := tt.do(root); tt.want == nil && err != nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if tt.dead {
				<-c.Done()
				return
			}
			if _, err := root.StatFS(); err != nil {
				t.Errorf("the connection is dead: %v", c.Err())
			}
		})
	}
}

// says is a lie that is a message. The client may have hung up before it is told all of them.
func says(m message) func(p *peer, tag uint16) {
	return func(p *peer, tag uint16) {
		b, _ := appendFrame(nil, tag, m, p.dialect)
		if d, ok := m.(payloader); ok {
			b = append(b, d.payload()...)
		}
		p.conn.Write(b)
	}
}

// TestClientAttrsOfLiar keeps the entries of a directory of which one has a size that no file has.
func TestClientAttrsOfLiar(t *testing.T) {
	c := scripted(t, VersionCPU, func(p *peer, tag uint16, m message) bool {
		if m.typ() != msgTreaddirattr {
			return false
		}
		p.send(tag, &rreaddirattr{append(direntAttrs("huge", 1<<63), direntAttrs("f", 5)...)})
		return true
	})
	root := attachRoot(t, c, "")
	if _, _, err := root.Open(p9.ReadOnly); err != nil {
		t.Fatal(err)
	}
	list, err := root.ReaddirAttr(0, 8000)
	if err != nil || len(list) != 2 || !list[0].Valid.Empty() || !list[1].Valid.Size || list[1].Attr.Size != 5 {
		t.Errorf("%v %v", list, err)
	}
}

// TestClientOfEndlessDirectory reads directories that go round, in circles of several lengths, after a straight part.
func TestClientOfEndlessDirectory(t *testing.T) {
	for _, straight := range []uint64{0, 1, 5} {
		for _, circle := range []uint64{1, 2, 3, 10, 100} {
			c := scripted(t, Version9P2000L, func(p *peer, tag uint16, m message) bool {
				r, ok := m.(*treaddir)
				if !ok {
					return false
				}
				next := r.offset + 1
				if next == straight+circle+1 {
					next = straight + 1
				}
				p.send(tag, &rreaddir{dirents("e", next)})
				return true
			})
			root := attachRoot(t, c, "")
			if _, _, err := root.Open(p9.ReadOnly); err != nil {
				t.Fatal(err)
			}
			offset, steps := uint64(0), uint64(0)
			for ; ; steps++ {
				list, err := root.Readdir(offset, 1000)
				if errors.Is(err, linux.EIO) {
					break
				}
				if err != nil || steps > 10*(straight+circle) {
					t.Fatalf("circle of %d after %d: %v after %d steps", circle, straight, err, steps)
				}
				offset = list[0].Offset
			}
			if steps < straight+circle-1 {
				t.Errorf("circle of %d after %d: found after %d steps", circle, straight, steps)
			}
			if _, err := root.Readdir(0, 1000); circle > 1 && err != nil {
				t.Errorf("read again from the start: %v", err)
			}
			c.Close()
		}
	}
	var d dirCursor
	e := p9.Dirent{Name: "e"}
	var err error
	for n := uint64(0); err == nil; n++ {
		at := e.Offset
		e.Offset = n + 1
		if err = d.check(at, 1<<20, func(int) *p9.Dirent { return &e }); n > maxDirents>>20 {
			t.Fatalf("%d million entries and %v", n, err)
		}
	}
	// Offsets are the server's own: they need not grow, and reading may begin anew anywhere.
	d = dirCursor{}
	for _, o := range []uint64{0, 900, 20, math.MaxUint64, 5, 0, 900, 20, 900, 20, 20} {
		e.Offset = o + 3
		if err := d.check(o, 1, func(int) *p9.Dirent { return &e }); err != nil {
			t.Errorf("at %d: %v", o, err)
		}
	}
}

// TestClientFlushedFids cancels requests that make fids. Where the reply comes nevertheless the fid is clunked; where it does not its
// number is used again. Either way the tag is not used before Rflush.
func TestClientFlushedFids(t *testing.T) {
	type request struct {
		name    string
		version string
		typ     uint8
		do      func(f *File) error
	}
	for _, r := range []request{
		{"walk", Version9P2000L, msgTwalk, func(f *File) error { return second(f.Walk([]string{"a"})) }},
		{"walkgetattr", VersionCPU, msgTwalkgetattr, func(f *File) error {
			_, _, _, _, err := f.WalkGetAttr([]string{"a"})
			return err
		}},
		{"attach", Version9P2000L, msgTattach, func(f *File) error { return first(f.c.Attach(f.ctx, Attach{Aname: "late"})) }},
		{"xattrwalk", Version9P2000L, msgTxattrwalk, func(f *File) error { return first(f.GetXattr("user.a")) }},
		{"create", Version9P2000L, msgTlcreate, func(f *File) error {
			_, _, _, err := f.Create("a", p9.ReadWrite, 0o600, 0, 0)
			return err
		}},
	} {
		for _, answered := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s answered %v", r.name, answered), func(t *testing.T) {
				arrived, clunked := make(chan uint16, 1), make(chan uint32, 10)
				flushed := make(chan uint16, 1)
				var late, flushTag uint16
				clunk := uint16(noTag) // of fid 1, held until the second Tstatfs
				var held, request message
				c := scripted(t, r.version, func(p *peer, tag uint16, m message) bool {
					switch m := m.(type) {
					case *tflush:
						flushTag = tag
						flushed <- m.oldtag
						return true
					case *tclunk:
						clunked <- m.fid
						if m.fid == 1 && clunk == noTag {
							clunk = tag
							return true
						}
						return false
					case *tclunkasync:
						clunked <- m.fid
						return true
					case *tstatfs: // lets the flush go on
						if held != nil {
							if tag == late {
								t.Errorf("tag %d is used before it is free", tag)
							}
							if answered {
								p.send(late, held)
							}
							p.send(flushTag, &rflush{})
							held = nil
						} else if clunk != noTag {
							p.send(clunk, &rclunk{})
						}
						return false
					}
					if a, ok := m.(*tattach); ok && a.aname != "late" || m.typ() != r.typ || request != nil {
						return false
					}
					late, held, request = tag, honest(m), m
					arrived <- tag
					return true
				})
				root := attachRoot(t, c, "")
				ctx, cancel := context.WithCancel(t.Context())
				got := make(chan error)
				go func() { got <- r.do(root.WithContext(ctx).(*File)) }()
				tag := <-arrived
				cancel()
				if err := <-got; !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				if old := <-flushed; old != tag {
					t.Errorf("Tflush of %d, not %d", old, tag)
				}
				if _, err := root.StatFS(); err != nil {
					t.Fatal(err)
				}
				if answered || r.typ == msgTlcreate { // its fid is there in any case
					if fid := <-clunked; fid != 1 {
						t.Errorf("fid %d is clunked", fid)
					}
					if r.version == Version9P2000L {
						if f := walkTo(t, root); f.number == 1 {
							t.Error("fid 1 is used before Rclunk")
						} else {
							f.Close()
							<-clunked
						}
						if _, err := root.StatFS(); err != nil {
							t.Fatal(err)
						}
					}
				}
				reaches(t, "fids", c.stats.Fids.Load, 1)
				reaches(t, "pending", c.stats.Pending.Load, 0)
				if len(clunked) > 0 {
					t.Error("clunked again")
				}
				if a, b := walkTo(t, root), walkTo(t, root); a.number > 2 || b.number > 2 || a.number == b.number {
					t.Errorf("next fids are %d and %d", a.number, b.number)
				}
			})
		}
	}
}

// TestClientOfSilentServer gives up on a reply that began and does not go on.
func TestClientOfSilentServer(t *testing.T) {
	began := make(chan bool)
	c := scripted(t, Version9P2000L, func(p *peer, tag uint16, m message) bool {
		if m.typ() == msgTflush {
			return true
		}
		if m.typ() != msgTgetattr {
			return false
		}
		p.write(rawFrame(msgRgetattr, tag, 0, 0)[:5])
		close(began)
		return true
	})
	root := attachRoot(t, c, "")
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan error)
	go func() {
		_, _, _, err := root.WithContext(ctx).GetAttr(p9.AttrMaskAll)
		got <- err
	}()
	<-began
	cancel()
	if err := <-got; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// stuckConn is a connection that takes, and says, nothing after the version, until it may.
type stuckConn struct {
	hostile
	wrote atomic.Int32
	stuck chan struct{} // closed when a write has begun that does not end
	goOn  chan struct{} // closed to end it, and let others do so at once
	took  chan []byte   // what is written then
}

func (s *stuckConn) Write(p []byte) (int, error) {
	switch s.wrote.Add(1) {
	case 1:
	case 2:
		close(s.stuck)
		<-s.goOn
	default:
		s.took <- bytes.Clone(p)
	}
	return len(p), nil
}

// TestClientOfStuckConnection cancels what cannot be sent. The callers' data is theirs again, though it is written at last; and those who
// do not cancel get EIO at the end.
func TestClientOfStuckConnection(t *testing.T) {
	hello, _ := appendFrame(nil, noTag, &rversion{msize: 1 << 20, version: VersionCPU}, noDialect)
	conn := &stuckConn{
		hostile: hostile{hello: bytes.NewReader(hello), may: make(chan struct{}), closed: make(chan struct{})},
		stuck:   make(chan struct{}), goOn: make(chan struct{}), took: make(chan []byte, 1000),
	}
	c, err := NewClient(t.Context(), conn, ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	f := &File{clientFid: c.newFid(), ctx: t.Context()}
	f.opened(f.clientFid, p9.QID{Version: 1}, 0, 0)
	var patient, hasty sync.WaitGroup
	wait := func(err error) {
		if !errors.Is(err, linux.EIO) {
			t.Errorf("at the end: %v", err)
		}
	}
	patient.Go(func() { wait(first(f.StatFS())) })
	<-conn.stuck
	patient.Go(func() { wait(first(f.WriteAt(make([]byte, 1000), 0))) })
	const mark = 0xee
	ctx, cancel := context.WithCancel(t.Context())
	for _, size := range []int{10, 100_000, 500_000, 3_000_000} {
		for range 3 {
			hasty.Go(func() {
				p := make([]byte, size)
				if n, err := f.WithContext(ctx).WriteAt(p, 0); n != 0 || !errors.Is(err, context.Canceled) {
					t.Errorf("write: %d, %v", n, err)
				}
				for i := range p {
					p[i] = mark
				}
			})
		}
	}
	reaches(t, "requests", c.stats.Requests.Load, 2+3*(1+1+1+3))
	cancel()
	hasty.Wait()
	close(conn.goOn)
	for total := 0; total < 3*(10+100_000+500_000+3_000_000); {
		p := <-conn.took
		total += len(p)
		if bytes.Contains(p, bytes.Repeat([]byte{mark}, 8)) {
			t.Fatal("what was in the caller's memory afterwards is written")
		}
	}
	c.Close()
	patient.Wait()
}

// TestClientTagsRunOut has callers wait for one of the requests under way to end, and one of them give up.
func TestClientTagsRunOut(t *testing.T) {
	asked := make(chan uint16, MaxRequests+2)
	var server *peer
	c := scripted(t, Version9P2000L, func(p *peer, tag uint16, m message) bool {
		if m.typ() != msgTgetattr {
			return false
		}
		server = p
		asked <- tag
		return true
	})
	root := attachRoot(t, c, "")
	var calling sync.WaitGroup
	for range MaxRequests {
		calling.Go(func() { root.GetAttr(p9.AttrMaskAll) })
	}
	var tags []uint16
	for range MaxRequests {
		tags = append(tags, <-asked)
	}
	waiting := func() int64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return int64(len(c.queue))
	}
	ctx, cancel := context.WithCancel(t.Context())
	gave := make(chan error)
	go func() { gave <- first(root.WithContext(ctx).StatFS()) }()
	reaches(t, "waiting", waiting, 1)
	got := make(chan error)
	go func() { got <- first(root.StatFS()) }()
	reaches(t, "waiting", waiting, 2)
	cancel()
	if err := <-gave; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	c.newFid().clunkNow() // goes through in any case
	server.send(tags[0], &rgetattr{})
	if err := <-got; err != nil {
		t.Error(err)
	}
	c.Close()
	calling.Wait()
}

// TestClientGapInData reads what the server hands out with a hole: what is behind it must not be taken for what is in it.
func TestClientGapInData(t *testing.T) {
	short := true
	content := func(offset uint64, n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte((offset + uint64(i)) / 1000)
		}
		return b
	}
	const size = 200_000
	c := scripted(t, Version9P2000L, func(p *peer, tag uint16, m message) bool {
		r, ok := m.(*tread)
		if !ok {
			return false
		}
		n := int(min(uint64(r.count), size-min(size, r.offset)))
		if short && r.offset > 0 && n > 10 {
			n, short = 10, false
		}
		p.send(tag, &rread{content(r.offset, n)})
		return true
	})
	root := attachRoot(t, c, "")
	if _, _, err := root.Open(p9.ReadOnly); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, size)
	n, err := root.ReadAt(got, 0)
	if n != size || err != nil || string(got) != string(content(0, size)) {
		t.Errorf("%d bytes of %d, %v", n, size, err)
	}
}

// hostile is a connection whose server agrees to a version and then, once it may, says what a fuzzer wants, whatever it is asked.
type hostile struct {
	hello, said io.Reader
	may, ended  chan struct{} // ended is closed when all is said
	closed      chan struct{}
	once, end   sync.Once
}

func (h *hostile) Read(p []byte) (int, error) {
	if n, err := h.hello.Read(p); err == nil {
		return n, nil
	}
	select {
	case <-h.may:
	case <-h.closed:
		return 0, io.EOF
	}
	n, err := h.said.Read(p)
	if err == io.EOF {
		h.end.Do(func() { close(h.ended) })
		<-h.closed
	}
	return n, err
}
func (h *hostile) Write(p []byte) (int, error) { return len(p), nil }
func (h *hostile) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// FuzzClient has a server say anything. Nothing may panic, hang beyond the connection's end, or make what is read longer than was asked.
func FuzzClient(f *testing.F) {
	conversation := func(d dialect, ms ...message) []byte {
		var b []byte
		for tag, m := range ms {
			b, _ = appendFrame(b, uint16(tag), m, d)
			if p, ok := m.(payloader); ok {
				b = append(b, p.payload()...)
			}
		}
		return b
	}
	qid := p9.QID{Version: 1, Path: 2}
	f.Add([]byte{}, uint8(1))
	f.Add(conversation(dialectCPU, &rattach{qid}, &rwalk{[]p9.QID{qid}}, &rlopen{qid: qid}, &rread{[]byte("hello")}), uint8(1))
	f.Add(conversation(dialectCPU, &rattach{qid}, &rwalkgetattr{qids: []p9.QID{qid}}, &ropenread{qid: qid, eof: 1, data: []byte("hi")}), uint8(2))
	f.Add(conversation(dialectCPU, &rattach{qid}, &rreaddirattr{direntAttrs("a", 5)}, &rreaddir{dirents("a", 1, 2)}), uint8(2))
	f.Add(conversation(dialectCPU, &rlerror{2}, &rflush{}, &rclunk{}), uint8(1))
	plan9 := p9.QID{Type: p9.TypeDir, Version: 1, Path: 2}
	f.Add(conversation(dialect9P2000, &rattach{plan9}, &rwalk{[]p9.QID{plan9}}, &rstat{records("a")}, &rread{records("a", "b")}, &rerror{"not found"}), uint8(0))
	f.Add(conversation(dialect9P2000, &rwalk{[]p9.QID{plan9}}, &rwalk{}, &ropen{qid: plan9}, &rcreate{qid: plan9}, &rwstat{}, &rwrite{100}, &rremove{}), uint8(0))
	f.Fuzz(func(t *testing.T, said []byte, speaks uint8) {
		version := []string{Version9P2000, Version9P2000L, VersionCPU}[speaks%3]
		hello, _ := appendFrame(nil, noTag, &rversion{msize: 8192, version: version}, noDialect)
		conn := &hostile{
			hello: bytes.NewReader(hello), said: bytes.NewReader(said),
			may: make(chan struct{}), ended: make(chan struct{}), closed: make(chan struct{}),
		}
		c, err := NewClient(t.Context(), conn, ClientConfig{Versions: []string{version}, Trace: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// All of it is asked for at once, so that replies may come in any order; what is not answered ends with the connection.
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		file := func() *File {
			f := c.newFid()
			f.user, f.qid.Version = new(plan9User), 1
			return &File{clientFid: f, ctx: ctx}
		}
		opened := func(typ p9.QIDType) *File {
			f := file()
			f.qid.Type = typ
			f.opened(f.clientFid, f.qid, 0, 0)
			return f
		}
		root, open := file(), opened(0)
		ask := func(what func()) { asking.Go(what) }
		ask(func() { c.Attach(ctx, Attach{}) })
		ask(func() { root.Walk([]string{"a"}) })
		ask(func() { root.WalkGetAttr([]string{"a", "b"}) })
		ask(func() { root.OpenRead(0, make([]byte, 10)) })
		if version == Version9P2000 {
			ask(func() { root.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{Size: 9}) })
			ask(func() { root.GetAttr(p9.AttrMaskAll) })
		} else {
			ask(func() { root.Readlink() })
			ask(func() { root.ListXattrs() })
		}
		ask(func() { root.Create("a", 0, 0, 0, 0) })
		ask(func() {
			p := make([]byte, 20000)
			if n, _ := open.ReadAt(p[:10000], 0); n > 10000 || n < 0 {
				t.Errorf("read %d", n)
			}
			for _, b := range p[10000:] {
				if b != 0 {
					t.Error("written behind the buffer")
					break
				}
			}
		})
		ask(func() { open.WriteAt(make([]byte, 9000), 0) })
		ask(func() { opened(p9.TypeDir).Readdir(0, 8000) })
		ask(func() {
			list, _ := opened(p9.TypeDir).ReaddirAttr(0, 8000)
			for _, e := range list {
				if checkEntry(e.Name) != nil {
					t.Errorf("entry %q", e.Name)
				}
			}
		})
		ask(func() { file().Remove() })
		for c.stats.Requests.Load() < 14 { // as many as one can do before there is an answer
			runtime.Gosched()
		}
		close(conn.may)
		select {
		case <-conn.ended:
		case <-c.Done():
		}
		cancel()
		asking.Wait()
	})
}
