package ninep

import "github.com/hugelgupf/p9/p9"

// A message is what follows size[4] type[1] tag[2] in a frame: its fields, in their order. Names are those of the manual pages.
//
// The data of a decoded message is part of the frame it was decoded from, and is good for as long as that is.
type message interface {
	typ() uint8

	// encode puts all fields but the bytes of the payload.
	encode(b *buffer)

	// decode gets all fields. What the message held before is overwritten; its slices' room is used again.
	decode(b *buffer)
}

// A payloader is a message that ends in data, which is put into the frame without being copied more often than need be.
type payloader interface {
	message
	payload() []byte
}

// A dialects is a set of dialects.
type dialects uint8

const (
	in9P2000 dialects = 1 << dialect9P2000
	inL      dialects = 1 << dialect9P2000L
	inCPU    dialects = 1 << dialectCPU
)

type messageType struct {
	name string
	new  func() message // nil: there is no such message
	in   dialects
}

// spokenIn says whether the message belongs to the dialect. Before one is agreed upon there is Tversion only.
func (t *messageType) spokenIn(d dialect) bool { return t.in&(1<<d) != 0 }

// noTag is the tag of Tversion and of messages that have no reply; noFid stands for no fid in Tattach and Tauth, noUID for no number.
const (
	noTag = 0xffff
	noFid = 0xffffffff
	noUID = 0xffffffff
)

// The messages every dialect has.

type (
	tversion struct {
		msize   uint32
		version string
	}
	rversion struct {
		msize   uint32
		version string
	}
	tauth struct {
		afid   uint32
		uname  string
		aname  string
		nuname uint32
	}
	rauth struct {
		qid p9.QID
	}
	tattach struct {
		fid    uint32
		afid   uint32
		uname  string
		aname  string
		nuname uint32
	}
	rattach struct {
		qid p9.QID
	}
	tflush struct {
		oldtag uint16
	}
	rflush struct{}
	twalk  struct {
		fid    uint32
		newfid uint32
		names  []string
	}
	rwalk struct {
		qids []p9.QID
	}
	tread struct {
		fid    uint32
		offset uint64
		count  uint32
	}
	rread struct {
		data []byte
	}
	twrite struct {
		fid    uint32
		offset uint64
		data   []byte
	}
	rwrite struct {
		count uint32
	}
	tclunk struct {
		fid uint32
	}
	rclunk  struct{}
	tremove struct {
		fid uint32
	}
	rremove struct{}
)

const (
	msgTversion = 100
	msgRversion = 101
	msgTauth    = 102
	msgRauth    = 103
	msgTattach  = 104
	msgRattach  = 105
	msgTflush   = 108
	msgRflush   = 109
	msgTwalk    = 110
	msgRwalk    = 111
	msgTread    = 116
	msgRread    = 117
	msgTwrite   = 118
	msgRwrite   = 119
	msgTclunk   = 120
	msgRclunk   = 121
	msgTremove  = 122
	msgRremove  = 123
)

func (*tversion) typ() uint8 { return msgTversion }
func (m *tversion) encode(b *buffer) {
	b.put32(m.msize)
	b.putString(m.version)
}
func (m *tversion) decode(b *buffer) {
	m.msize = b.get32()
	m.version = b.getString()
}

func (*rversion) typ() uint8 { return msgRversion }
func (m *rversion) encode(b *buffer) {
	b.put32(m.msize)
	b.putString(m.version)
}
func (m *rversion) decode(b *buffer) {
	m.msize = b.get32()
	m.version = b.getString()
}

func (*tauth) typ() uint8 { return msgTauth }
func (m *tauth) encode(b *buffer) {
	b.put32(m.afid)
	b.putString(m.uname)
	b.putString(m.aname)
	b.putUID(m.nuname)
}
func (m *tauth) decode(b *buffer) {
	m.afid = b.get32()
	m.uname = b.getString()
	m.aname = b.getString()
	m.nuname = b.getUID()
}

func (*rauth) typ() uint8 { return msgRauth }
func (m *rauth) encode(b *buffer) {
	b.putQID(m.qid)
}
func (m *rauth) decode(b *buffer) {
	m.qid = b.getQID()
}

func (*tattach) typ() uint8 { return msgTattach }
func (m *tattach) encode(b *buffer) {
	b.put32(m.fid)
	b.put32(m.afid)
	b.putString(m.uname)
	b.putString(m.aname)
	b.putUID(m.nuname)
}
func (m *tattach) decode(b *buffer) {
	m.fid = b.get32()
	m.afid = b.get32()
	m.uname = b.getString()
	m.aname = b.getString()
	m.nuname = b.getUID()
}

func (*rattach) typ() uint8 { return msgRattach }
func (m *rattach) encode(b *buffer) {
	b.putQID(m.qid)
}
func (m *rattach) decode(b *buffer) {
	m.qid = b.getQID()
}

func (*tflush) typ() uint8 { return msgTflush }
func (m *tflush) encode(b *buffer) {
	b.put16(m.oldtag)
}
func (m *tflush) decode(b *buffer) {
	m.oldtag = b.get16()
}

func (*rflush) typ() uint8         { return msgRflush }
func (m *rflush) encode(b *buffer) {}
func (m *rflush) decode(b *buffer) {}

func (*twalk) typ() uint8 { return msgTwalk }
func (m *twalk) encode(b *buffer) {
	b.put32(m.fid)
	b.put32(m.newfid)
	b.putNames(m.names)
}
func (m *twalk) decode(b *buffer) {
	m.fid = b.get32()
	m.newfid = b.get32()
	m.names = b.getNames(m.names[:0])
}

func (*rwalk) typ() uint8 { return msgRwalk }
func (m *rwalk) encode(b *buffer) {
	b.putQIDs(m.qids)
}
func (m *rwalk) decode(b *buffer) {
	m.qids = b.getQIDs(m.qids[:0])
}

func (*tread) typ() uint8 { return msgTread }
func (m *tread) encode(b *buffer) {
	b.put32(m.fid)
	b.put64(m.offset)
	b.put32(m.count)
}
func (m *tread) decode(b *buffer) {
	m.fid = b.get32()
	m.offset = b.get64()
	m.count = b.get32()
}

func (*rread) typ() uint8 { return msgRread }
func (m *rread) encode(b *buffer) {
	b.put32(uint32(len(m.data)))
}
func (m *rread) decode(b *buffer) {
	m.data = b.getData()
}
func (m *rread) payload() []byte { return m.data }

func (*twrite) typ() uint8 { return msgTwrite }
func (m *twrite) encode(b *buffer) {
	b.put32(m.fid)
	b.put64(m.offset)
	b.put32(uint32(len(m.data)))
}
func (m *twrite) decode(b *buffer) {
	m.fid = b.get32()
	m.offset = b.get64()
	m.data = b.getData()
}
func (m *twrite) payload() []byte { return m.data }

func (*rwrite) typ() uint8 { return msgRwrite }
func (m *rwrite) encode(b *buffer) {
	b.put32(m.count)
}
func (m *rwrite) decode(b *buffer) {
	m.count = b.get32()
}

func (*tclunk) typ() uint8 { return msgTclunk }
func (m *tclunk) encode(b *buffer) {
	b.put32(m.fid)
}
func (m *tclunk) decode(b *buffer) {
	m.fid = b.get32()
}

func (*rclunk) typ() uint8         { return msgRclunk }
func (m *rclunk) encode(b *buffer) {}
func (m *rclunk) decode(b *buffer) {}

func (*tremove) typ() uint8 { return msgTremove }
func (m *tremove) encode(b *buffer) {
	b.put32(m.fid)
}
func (m *tremove) decode(b *buffer) {
	m.fid = b.get32()
}

func (*rremove) typ() uint8         { return msgRremove }
func (m *rremove) encode(b *buffer) {}
func (m *rremove) decode(b *buffer) {}
