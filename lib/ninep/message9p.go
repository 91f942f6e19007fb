package ninep

import "github.com/hugelgupf/p9/p9"

// The messages of Plan 9's own dialect.

type (
	rerror struct {
		ename string
	}
	topen struct {
		fid  uint32
		mode uint8
	}
	ropen struct {
		qid    p9.QID
		iounit uint32
	}
	tcreate struct {
		fid  uint32
		name string
		perm uint32
		mode uint8
	}
	rcreate struct {
		qid    p9.QID
		iounit uint32
	}
	tstat struct {
		fid uint32
	}
	rstat struct {
		stat []byte
	}
	twstat struct {
		fid  uint32
		stat []byte
	}
	rwstat struct{}
)

const (
	msgRerror  = 107
	msgTopen   = 112
	msgRopen   = 113
	msgTcreate = 114
	msgRcreate = 115
	msgTstat   = 124
	msgRstat   = 125
	msgTwstat  = 126
	msgRwstat  = 127
)

func (*rerror) typ() uint8 { return msgRerror }
func (m *rerror) encode(b *buffer) {
	b.putString(m.ename)
}
func (m *rerror) decode(b *buffer) {
	m.ename = b.getString()
}

func (*topen) typ() uint8 { return msgTopen }
func (m *topen) encode(b *buffer) {
	b.put32(m.fid)
	b.put8(m.mode)
}
func (m *topen) decode(b *buffer) {
	m.fid = b.get32()
	m.mode = b.get8()
}

func (*ropen) typ() uint8 { return msgRopen }
func (m *ropen) encode(b *buffer) {
	b.putQID(m.qid)
	b.put32(m.iounit)
}
func (m *ropen) decode(b *buffer) {
	m.qid = b.getQID()
	m.iounit = b.get32()
}

func (*tcreate) typ() uint8 { return msgTcreate }
func (m *tcreate) encode(b *buffer) {
	b.put32(m.fid)
	b.putString(m.name)
	b.put32(m.perm)
	b.put8(m.mode)
}
func (m *tcreate) decode(b *buffer) {
	m.fid = b.get32()
	m.name = b.getString()
	m.perm = b.get32()
	m.mode = b.get8()
}

func (*rcreate) typ() uint8 { return msgRcreate }
func (m *rcreate) encode(b *buffer) {
	b.putQID(m.qid)
	b.put32(m.iounit)
}
func (m *rcreate) decode(b *buffer) {
	m.qid = b.getQID()
	m.iounit = b.get32()
}

func (*tstat) typ() uint8 { return msgTstat }
func (m *tstat) encode(b *buffer) {
	b.put32(m.fid)
}
func (m *tstat) decode(b *buffer) {
	m.fid = b.get32()
}

func (*rstat) typ() uint8 { return msgRstat }
func (m *rstat) encode(b *buffer) {
	b.putStat(m.stat)
}
func (m *rstat) decode(b *buffer) {
	m.stat = b.getStat()
}

func (*twstat) typ() uint8 { return msgTwstat }
func (m *twstat) encode(b *buffer) {
	b.put32(m.fid)
	b.putStat(m.stat)
}
func (m *twstat) decode(b *buffer) {
	m.fid = b.get32()
	m.stat = b.getStat()
}

func (*rwstat) typ() uint8         { return msgRwstat }
func (m *rwstat) encode(b *buffer) {}
func (m *rwstat) decode(b *buffer) {}
