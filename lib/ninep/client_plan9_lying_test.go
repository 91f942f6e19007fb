package ninep

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// records is directory data: stats with those names.
func records(names ...string) []byte {
	var b buffer
	for _, name := range names {
		s := stat{name: name, uid: "u", gid: "g", qid: p9.QID{Version: 1, Path: 2}, mode: 0o644, length: 5}
		s.encode(&b)
	}
	return b.b
}

// TestPlan9Liar has a server of 9P2000 answer one request with what it must not.
func TestPlan9Liar(t *testing.T) {
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
	readdir := func(f *File) error { return first(open(f).Readdir(0, 8000)) }
	read := func(f *File) error { return first(open(f).ReadAt(make([]byte, 100), 0)) }
	write := func(f *File) error { return first(open(f).WriteAt(make([]byte, 100), 0)) }
	walk := func(f *File) error { return second(f.Walk([]string{"a", "b"})) }
	remove := func(f *File) error { return f.UnlinkAt("a", 0) }
	stats := func(s stat) []byte {
		var b buffer
		s.encode(&b)
		return b.b
	}
	for _, tt := range []struct {
		name string
		do   func(f *File) error
		typ  uint8 // of the request that is answered with a lie, once
		lie  func(p *peer, tag uint16)
		want error // nil for success
		dead bool
	}{
		{"name with slash", readdir, msgTread, says(&rread{records("a/b")}), linux.EIO, false},
		{"name that leads up", readdir, msgTread, says(&rread{records("../../etc")}), linux.EIO, false},
		{"name that is none", readdir, msgTread, says(&rread{records("")}), linux.EIO, false},
		{"name with NUL", readdir, msgTread, says(&rread{records("a\x00b")}), linux.EIO, false},
		{"name too long", readdir, msgTread, says(&rread{records(strings.Repeat("n", MaxName+1))}), linux.EIO, false},
		{"dots", readdir, msgTread, says(&rread{records(".", "..", "a")}), nil, false},
		{"half an entry", readdir, msgTread, says(&rread{records("a", "bcd")[:80]}), linux.EIO, false},
		{"an entry of no bytes", readdir, msgTread, says(&rread{[]byte{0, 0}}), linux.EIO, false},
		{"an entry of too many bytes", readdir, msgTread, says(&rread{append([]byte{255, 255}, records("a")...)}), linux.EIO, false},
		{"more entries than were wanted", readdir, msgTread, says(&rread{make([]byte, 64<<10-11)}), linux.EIO, true},
		{"huge size", getattr, msgTstat, says(&rstat{stats(stat{length: 1 << 63})}), linux.EIO, false},
		{"largest size", getattr, msgTstat, says(&rstat{stats(stat{length: math.MaxInt64})}), nil, false},
		{"half a stat", getattr, msgTstat, says(&rstat{stats(stat{})[:20]}), linux.EIO, true},
		{"more than a stat", getattr, msgTstat, says(&rstat{append(stats(stat{}), 0)}), linux.EIO, true},
		{"no stat", getattr, msgTstat, says(&rstat{}), linux.EIO, true},
		{"too much read", read, msgTread, says(&rread{make([]byte, 101)}), linux.EIO, true},
		{"too much written", write, msgTwrite, says(&rwrite{count: 101}), linux.EIO, true},
		{"nothing written", write, msgTwrite, says(&rwrite{count: 0}), linux.EIO, false},
		{"too many qids", walk, msgTwalk, says(&rwalk{qids: make([]p9.QID, 3)}), linux.EIO, true},
		{"too few qids", walk, msgTwalk, says(&rwalk{qids: make([]p9.QID, 1)}), linux.ENOENT, false},
		{"a directory after all", remove, msgTwalk, says(&rwalk{qids: []p9.QID{{Type: p9.TypeDir}}}), linux.EISDIR, false},
		{"9P2000.L's error", getattr, msgTstat, says(&rlerror{2}), linux.EIO, true},
		{"other type", getattr, msgTstat, says(&rclunk{}), linux.EIO, true},
		{"no error", getattr, msgTstat, says(&rerror{}), linux.EIO, false},
		{"error in other words", getattr, msgTstat, says(&rerror{"the dog ate it"}), linux.EIO, false},
		{"error without end", getattr, msgTstat, says(&rerror{strings.Repeat("x", 60000)}), linux.EIO, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			told := false
			c := scripted(t, Version9P2000, func(p *peer, tag uint16, m message) bool {
				if _, ok := m.(*tattach); ok {
					p.send(tag, &rattach{p9.QID{Version: 1, Path: 1, Type: map[uint8]p9.QIDType{msgTread: p9.TypeDir}[tt.typ]}})
					return true
				}
				if m.typ() == msgTstat && tt.typ != msgTstat || m.typ() == msgTstat && told {
					p.send(tag, &rstat{stats(stat{length: 5, qid: p9.QID{Version: 1}})})
					return true
				}
				if m.typ() == msgTwalk && len(m.(*twalk).names) == 0 || m.typ() != tt.typ || told {
					return false
				}
				told = true
				tt.lie(p, tag)
				return true
			})
			root := attachRoot(t, c, "")
			if err := tt.do(root); tt.want == nil && err != nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			} else if err != nil && len(err.Error()) > maxError {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if tt.dead {
				<-c.Done()
				return
			}
			if err := getattr(root); err != nil {
				t.Errorf("the connection is dead: %v, %v", err, c.Err())
			}
		})
	}
}

// TestPlan9EndlessDirectory: a directory that gives the same entries for ever ends at a bound, or when nobody waits for it any more.
func TestPlan9EndlessDirectory(t *testing.T) {
	block := records(strings.Split(strings.Repeat("a ", 900)+"b", " ")...)
	c := scripted(t, Version9P2000, func(p *peer, tag uint16, m message) bool {
		switch m := m.(type) {
		case *tattach:
			p.send(tag, &rattach{p9.QID{Type: p9.TypeDir, Version: 1}})
		case *tread:
			if int(m.count) < len(block) {
				return false
			}
			b, _ := appendFrame(nil, tag, &rread{block}, dialect9P2000)
			p.conn.Write(append(b, block...))
		default:
			return false
		}
		return true
	})
	d := openAt(t, attachRoot(t, c, ""), p9.ReadOnly)
	// The bound is far away; the reader has come close to it.
	d.open.Load().records.base = maxDirents - 1000
	if list, err := d.Readdir(maxDirents-1000, 8000); len(list) == 0 || err != nil {
		t.Errorf("before the bound: %v", err)
	}
	if _, err := d.Readdir(maxDirents-50, 8000); !errors.Is(err, linux.EIO) || err.Error() != "directory never ends" {
		t.Errorf("got %v", err)
	}
}
