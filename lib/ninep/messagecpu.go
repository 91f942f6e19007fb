package ninep

import "github.com/hugelgupf/p9/p9"

// The messages that 9P2000.L.cpu adds, laid out in exportfs(4). Their numbers are used by no other dialect.

type (
	treaddirattr struct {
		fid    uint32
		offset uint64
		count  uint32
	}
	rreaddirattr struct {
		data []byte
	}
	twalkgetattr struct {
		fid    uint32
		newfid uint32
		mask   uint64
		names  []string
	}
	rwalkgetattr struct {
		qids  []p9.QID
		valid uint64
		qid   p9.QID
		attr  p9.Attr
	}
	topenread struct {
		fid   uint32
		flags uint32
		count uint32
	}
	ropenread struct {
		qid    p9.QID
		iounit uint32
		eof    uint8
		data   []byte
	}
	tclunkasync struct {
		fid uint32
	}
)

const (
	msgTreaddirattr = 200
	msgRreaddirattr = 201
	msgTwalkgetattr = 202
	msgRwalkgetattr = 203
	msgTopenread    = 204
	msgRopenread    = 205
	msgTclunkasync  = 206
)

func (*treaddirattr) typ() uint8 { return msgTreaddirattr }
func (m *treaddirattr) encode(b *buffer) {
	b.put32(m.fid)
	b.put64(m.offset)
	b.put32(m.count)
}
func (m *treaddirattr) decode(b *buffer) {
	m.fid = b.get32()
	m.offset = b.get64()
	m.count = b.get32()
}

func (*rreaddirattr) typ() uint8 { return msgRreaddirattr }
func (m *rreaddirattr) encode(b *buffer) {
	b.put32(uint32(len(m.data)))
}
func (m *rreaddirattr) decode(b *buffer) {
	m.data = b.getData()
}
func (m *rreaddirattr) payload() []byte { return m.data }

func (*twalkgetattr) typ() uint8 { return msgTwalkgetattr }
func (m *twalkgetattr) encode(b *buffer) {
	b.put32(m.fid)
	b.put32(m.newfid)
	b.put64(m.mask)
	b.putNames(m.names)
}
func (m *twalkgetattr) decode(b *buffer) {
	m.fid = b.get32()
	m.newfid = b.get32()
	m.mask = b.get64()
	m.names = b.getNames(m.names[:0])
}

func (*rwalkgetattr) typ() uint8 { return msgRwalkgetattr }
func (m *rwalkgetattr) encode(b *buffer) {
	b.putQIDs(m.qids)
	b.put64(m.valid)
	b.putQID(m.qid)
	b.putAttr(&m.attr)
}
func (m *rwalkgetattr) decode(b *buffer) {
	m.qids = b.getQIDs(m.qids[:0])
	m.valid = b.get64()
	m.qid = b.getQID()
	b.getAttr(&m.attr)
}

func (*topenread) typ() uint8 { return msgTopenread }
func (m *topenread) encode(b *buffer) {
	b.put32(m.fid)
	b.put32(m.flags)
	b.put32(m.count)
}
func (m *topenread) decode(b *buffer) {
	m.fid = b.get32()
	m.flags = b.get32()
	m.count = b.get32()
}

func (*ropenread) typ() uint8 { return msgRopenread }
func (m *ropenread) encode(b *buffer) {
	b.putQID(m.qid)
	b.put32(m.iounit)
	b.put8(m.eof)
	b.put32(uint32(len(m.data)))
}
func (m *ropenread) decode(b *buffer) {
	m.qid = b.getQID()
	m.iounit = b.get32()
	m.eof = b.get8()
	m.data = b.getData()
}
func (m *ropenread) payload() []byte { return m.data }

func (*tclunkasync) typ() uint8 { return msgTclunkasync }
func (m *tclunkasync) encode(b *buffer) {
	b.put32(m.fid)
}
func (m *tclunkasync) decode(b *buffer) {
	m.fid = b.get32()
}
