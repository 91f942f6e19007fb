package ninep

import (
	"testing"

	"github.com/hugelgupf/p9/linux"
)

// blocked opens fid 1 on a file whose reads block, and sends one with that tag.
func blocked(p *peer, tree *memTree, tag uint16) {
	p.send(tag, &tread{fid: 1, count: 10})
	<-tree.blocked
}

func TestFlush(t *testing.T) {
	for _, version := range []string{Version9P2000, Version9P2000L, VersionCPU} {
		tree := smallTree()
		p := session(t, version, tree)
		p.open(1, 0, "block")
		blocked(p, tree, 10)
		ok[*rwalk](p, &twalk{fid: 0, newfid: 2}) // others go on
		p.send(11, &tflush{oldtag: 10})
		if tag, m := p.recv(); tag != 11 || m.typ() != msgRflush {
			t.Errorf("got %T with tag %d", m, tag)
		}
		if n := p.stats.Pending.Load(); n > 1 { // the last may be on its way out
			t.Errorf("%d pending", n)
		}
		// The tag is free, and so is the fid.
		blocked(p, tree, 10)
		p.send(12, &tflush{oldtag: 10})
		if tag, m := p.recv(); tag != 12 || m.typ() != msgRflush {
			t.Errorf("got %T with tag %d", m, tag)
		}
		p.hangup()
	}
}

// Several Tflushes of a request are answered in order, and so are those of a Tflush.
// Some come while the first are being answered, when the request's tag is free again.
func TestFlushOrder(t *testing.T) {
	tree := smallTree()
	p := session(t, Version9P2000L, tree)
	p.open(1, 0, "block")
	var b []byte
	for tag := range uint16(20) {
		f, _ := frameOf(20+tag, &tflush{oldtag: 10}, p.dialect)
		b = append(b, f...)
	}
	f, _ := frameOf(50, &tflush{oldtag: 39}, p.dialect) // of the last Tflush
	b = append(b, f...)
	for range 500 {
		blocked(p, tree, 10)
		p.write(b)
		last := uint16(0)
		for range 21 {
			tag, m := p.recv()
			if m.typ() != msgRflush || tag <= last {
				t.Fatalf("got %T with tag %d after %d", m, tag, last)
			}
			last = tag
		}
	}
}

// A Tflush of what there is not, of what has been answered, and of itself.
func TestFlushNothing(t *testing.T) {
	p := session(t, Version9P2000L, smallTree())
	ok[*rflush](p, &tflush{oldtag: 77})
	ok[*rwalk](p, &twalk{fid: 0, newfid: 1})
	ok[*rflush](p, &tflush{oldtag: 1})
	p.send(5, &tflush{oldtag: 5})
	if tag, m := p.recv(); tag != 5 || m.typ() != msgRflush {
		t.Errorf("got %T with tag %d", m, tag)
	}
}

// However a Tflush meets the end of its request, the answer comes before Rflush or not at all.
func TestFlushRace(t *testing.T) {
	p := session(t, Version9P2000L, smallTree())
	p.open(1, 0, "f")
	answered := 0
	for range 2000 {
		a, _ := frameOf(1, &tread{fid: 1, count: 5}, p.dialect)
		b, _ := frameOf(2, &tflush{oldtag: 1}, p.dialect)
		p.write(append(a, b...))
		tag, m := p.recv()
		if tag == 1 {
			if r, ok := m.(*rread); !ok || string(r.data) != "hello" {
				t.Fatalf("got %T", m)
			}
			answered++
			tag, m = p.recv()
		}
		if tag != 2 || m.typ() != msgRflush {
			t.Fatalf("got %T with tag %d", m, tag)
		}
	}
	t.Logf("%d of 2000 were answered", answered)
}

// A fid that is clunked while a request uses it is closed afterwards; its number is free at once.
func TestClunkInUse(t *testing.T) {
	tree := smallTree()
	p := session(t, Version9P2000L, tree)
	p.open(1, 0, "block")
	blocked(p, tree, 10)
	files := tree.files.Load()
	ok[*rclunk](p, &tclunk{fid: 1})
	if n := tree.files.Load(); n != files {
		t.Errorf("%d files open, %d before the clunk", n, files)
	}
	ok[*rwalk](p, &twalk{fid: 0, newfid: 1})
	ok[*rclunk](p, &tclunk{fid: 1})
	p.send(11, &tflush{oldtag: 10})
	p.recv()
	ok[*rclunk](p, &tclunk{fid: 0})
	p.hangup()
}

// The limit on requests holds back reads and not what ends them.
func TestMaxRequests(t *testing.T) {
	tree := smallTree()
	p := serve(t, &Server{MaxRequests: 2}, tree)
	p.version(Version9P2000L, 8192)
	p.attach(0)
	p.open(1, 0, "block")
	p.open(2, 0, "f")
	blocked(p, tree, 10)
	blocked(p, tree, 11)
	p.send(12, &tread{fid: 2, count: 5}) // held
	p.send(13, &tclunk{fid: 2})          // not held
	if tag, m := p.recv(); tag != 13 || m.typ() != msgRclunk {
		t.Fatalf("got %T with tag %d", m, tag)
	}
	p.send(14, &tflush{oldtag: 12}) // nor is this, and what is held goes away
	if tag, m := p.recv(); tag != 14 || m.typ() != msgRflush {
		t.Fatalf("got %T with tag %d", m, tag)
	}
	p.send(12, &twalk{fid: 0, newfid: 3})
	p.send(15, &tflush{oldtag: 11})
	got := map[uint16]uint8{}
	for range 2 {
		tag, m := p.recv()
		got[tag] = m.typ()
	}
	if got[12] != msgRwalk || got[15] != msgRflush {
		t.Errorf("got %v", got)
	}
}

// Tversion in the middle of traffic ends everything and begins anew.
func TestVersionAgain(t *testing.T) {
	tree := smallTree()
	p := session(t, Version9P2000L, tree)
	p.open(1, 0, "block")
	for tag := range uint16(10) {
		blocked(p, tree, 10+tag)
	}
	p.send(30, &tflush{oldtag: 10})
	p.version(VersionCPU, 8192)
	if n := p.stats.Pending.Load(); n != 0 {
		t.Errorf("%d pending", n)
	}
	if n := p.stats.Fids.Load(); n != 0 {
		t.Errorf("%d fids", n)
	}
	p.fails(linux.EBADF, &tclunk{fid: 0})
	p.attach(0)
	p.open(1, 0, "f")
	ok[*rread](p, &tread{fid: 1, count: 100})
}
