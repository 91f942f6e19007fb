package ninep

import (
	"encoding/binary"
	"testing"

	"github.com/hugelgupf/p9/p9"
)

// FuzzSequence makes a sequence of valid requests of its bytes, some of them flushed, and checks what a client may rely on: every
// request is answered once, with its reply or an error, unless it was flushed; an answer to a flushed one comes before Rflush; a tag is
// free after that; and at the end nothing is left.
func FuzzSequence(f *testing.F) {
	for i := range uint8(3) {
		var b []byte
		for op := range 48 {
			b = append(b, uint8(op*5), uint8(op), uint8(op/3), uint8(op*7))
		}
		f.Add(i, b)
	}
	f.Add(uint8(1), []byte{0, 0, 1, 4, 4, 1, 0, 0, 6, 1, 0, 0, 1, 0, 0, 0, 6, 1, 0, 0, 2, 0, 0, 0})
	f.Fuzz(func(t *testing.T, version uint8, data []byte) {
		v := []string{Version9P2000, Version9P2000L, VersionCPU}[version%3]
		s := newScript()
		tree := fuzzTree()
		wait := play(t, tree, s)
		defer wait()
		defer s.Close()
		d := &driver{t: t, s: s, dialect: dialectOf(v), pending: map[uint16]uint8{}, flushing: map[uint16]uint16{}, data: data}
		d.say(noTag, &tversion{msize: 8192, version: v}, noDialect)
		d.say(0, &tattach{fid: 0, afid: noFid, nuname: noUID}, d.dialect)
		for n := 0; len(d.data) > 0 && n < 300 && !t.Failed(); n++ {
			d.step()
		}
		d.settle()
	})
}

// A driver says requests and checks the replies to them. It waits for a reply only where the server owes one.
type driver struct {
	t        *testing.T
	s        *script
	dialect  dialect
	data     []byte // what to do
	tag      uint16
	pending  map[uint16]uint8  // types of the requests that have not been answered
	flushing map[uint16]uint16 // for a Tflush that has not been answered, its oldtag
}

func (d *driver) byte() uint8 {
	if len(d.data) == 0 {
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

func (d *driver) fid() uint32 { return uint32(d.byte() % 12) }

func (d *driver) name() string {
	return [...]string{"f", "d", "e", "g", "h", "block", "l", "x", "empty", "new", "new2", "..", "d", "e", "user.a", ""}[d.byte()%16]
}

func (d *driver) say(tag uint16, m message, as dialect) {
	b, err := frameOf(tag, m, as)
	if err != nil {
		d.t.Fatal(err)
	}
	d.s.say(b)
	d.pending[tag] = m.typ()
}

// step says one request, or takes replies.
func (d *driver) step() {
	op := d.byte()
	switch {
	case op%8 == 2 || len(d.pending) > 20: // what was asked so far is answered
		d.settle()
		return
	case op%8 == 1 && len(d.pending) > 0: // flush something
		old := d.tag - uint16(d.byte()%8)
		tag := d.next()
		d.say(tag, &tflush{oldtag: old}, d.dialect)
		if _, ok := d.pending[old]; ok && old != tag {
			d.flushing[tag] = old
		}
		return
	case op == 255:
		d.settle()
		d.say(noTag, &tversion{msize: 8192, version: d.dialect.String()}, noDialect)
		d.take()
		d.say(d.next(), &tattach{fid: 0, afid: noFid, nuname: noUID}, d.dialect)
		return
	}
	m := d.request()
	if m == nil || !messages[m.typ()].spokenIn(d.dialect) {
		return
	}
	if m.typ() == msgTclunkasync {
		b, _ := frameOf(noTag, m, d.dialect) // no reply
		d.s.say(b)
		return
	}
	d.say(d.next(), m, d.dialect)
}

// next is a tag that is free: one that is not in use, nor being flushed. There always is one, for step and settle keep few in use.
func (d *driver) next() uint16 {
	for {
		d.tag = (d.tag + 1) % 256
		_, used := d.pending[d.tag]
		for _, old := range d.flushing {
			used = used || old == d.tag
		}
		if !used {
			return d.tag
		}
	}
}

func (d *driver) request() message {
	switch d.byte() % 40 {
	case 0, 1, 2, 3:
		m := &twalk{fid: d.fid(), newfid: d.fid()}
		for n := d.byte() % 4; n > 0; n-- {
			m.names = append(m.names, d.name())
		}
		return m
	case 4, 5:
		return &tlopen{fid: d.fid(), flags: uint32(d.byte() % 4)}
	case 6, 7:
		return &tread{fid: d.fid(), offset: uint64(d.byte()), count: uint32(d.byte()) * 100}
	case 8, 9:
		return &twrite{fid: d.fid(), offset: uint64(d.byte()), data: make([]byte, d.byte())}
	case 10, 11:
		return &tclunk{fid: d.fid()}
	case 12:
		return &tremove{fid: d.fid()}
	case 13:
		return &tstatfs{fid: d.fid()}
	case 14:
		return &tlcreate{fid: d.fid(), name: d.name(), flags: uint32(d.byte() % 4), mode: 0o644}
	case 15:
		return &tsymlink{fid: d.fid(), name: d.name(), target: d.name()}
	case 16:
		return &tmknod{dfid: d.fid(), name: d.name(), mode: 0o10644}
	case 17:
		return &trename{fid: d.fid(), dfid: d.fid(), name: d.name()}
	case 18:
		return &treadlink{fid: d.fid()}
	case 19:
		return &tgetattr{fid: d.fid(), mask: uint64(d.byte())}
	case 20:
		return &tsetattr{fid: d.fid(), valid: uint32(d.byte()), attr: p9.SetAttr{Size: uint64(d.byte())}}
	case 21:
		return &txattrwalk{fid: d.fid(), newfid: d.fid(), name: d.name()}
	case 22:
		return &txattrcreate{fid: d.fid(), name: d.name(), size: uint64(d.byte() % 8), flags: uint32(d.byte() % 3)}
	case 23, 24:
		return &treaddir{fid: d.fid(), offset: uint64(d.byte()), count: uint32(d.byte()) * 10}
	case 25:
		return &tfsync{fid: d.fid()}
	case 26:
		return &tlock{fid: d.fid(), kind: d.byte() % 4}
	case 27:
		return &tgetlock{fid: d.fid(), lock: Lock{Type: p9.LockType(d.byte() % 4)}}
	case 28:
		return &tlink{dfid: d.fid(), fid: d.fid(), name: d.name()}
	case 29:
		return &tmkdir{dfid: d.fid(), name: d.name(), mode: 0o755}
	case 30:
		return &trenameat{olddfid: d.fid(), oldname: d.name(), newdfid: d.fid(), newname: d.name()}
	case 31:
		return &tunlinkat{dfid: d.fid(), name: d.name(), flags: uint32(d.byte()%2) * removeDir}
	case 32:
		return &treaddirattr{fid: d.fid(), offset: uint64(d.byte()), count: uint32(d.byte()) * 30}
	case 33:
		m := &twalkgetattr{fid: d.fid(), newfid: d.fid(), mask: 0x7ff}
		for n := d.byte() % 4; n > 0; n-- {
			m.names = append(m.names, d.name())
		}
		return m
	case 34:
		return &topenread{fid: d.fid(), flags: uint32(d.byte() % 3), count: uint32(d.byte())}
	case 35:
		return &tclunkasync{fid: d.fid()}
	case 36:
		return &topen{fid: d.fid(), mode: d.byte() & (3 | oTrunc | oRClose)}
	case 37:
		return &tcreate{fid: d.fid(), name: d.name(), perm: uint32(d.byte())<<24&dmDir | 0o755, mode: d.byte() & 0x43}
	case 38:
		return &tstat{fid: d.fid()}
	case 39:
		return wstat(d.fid(), func(s *stat) {
			s.name, s.length = d.name(), uint64(d.byte())
			if s.length > 100 {
				s.length = untouched.length
			}
		}).(*twstat)
	}
	return nil
}

// take hears one frame from the server and checks it. It returns false when there is none, because the connection has ended.
func (d *driver) take() bool {
	b := d.s.hear()
	if b == nil {
		d.t.Error("the server ended the connection")
		return false
	}
	tag, typ := binary.LittleEndian.Uint16(b[5:]), b[4]
	asked, ok := d.pending[tag]
	if !ok {
		d.t.Errorf("%s with tag %d, which is not in use", messages[typ].name, tag)
		return false
	}
	if typ != asked+1 && typ != msgRlerror && typ != msgRerror || asked == msgTflush && typ != msgRflush {
		d.t.Errorf("%s in answer to %s", messages[typ].name, messages[asked].name)
		return false
	}
	if err := decodeBody(messages[typ].new(), b[headerLen:], d.dialect); err != nil {
		d.t.Error(err)
		return false
	}
	delete(d.pending, tag)
	if old, ok := d.flushing[tag]; ok {
		d.release(tag, old)
	}
	return true
}

// release notes that old has been flushed by tag, and hence by what was to be answered before it.
func (d *driver) release(tag, old uint16) {
	delete(d.flushing, tag)
	if _, ok := d.pending[old]; !ok {
		return // answered, or flushed before
	}
	delete(d.pending, old)
	if older, ok := d.flushing[old]; ok { // a flushed Tflush need not be answered itself
		d.release(old, older)
	}
}

// settle flushes all that may block, and takes all replies.
func (d *driver) settle() {
	var block []uint16
	for tag, typ := range d.pending {
		switch typ {
		case msgTread, msgTwrite, msgTlock, msgTopenread:
			block = append(block, tag)
		}
	}
	for _, old := range block {
		tag := d.next()
		d.say(tag, &tflush{oldtag: old}, d.dialect)
		d.flushing[tag] = old
	}
	for len(d.pending) > 0 {
		if !d.take() {
			return
		}
	}
}
