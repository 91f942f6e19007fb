package ninep

import "github.com/hugelgupf/p9/p9"

// The messages of 9P2000.L.

type (
	rlerror struct {
		errno uint32
	}
	tstatfs struct {
		fid uint32
	}
	rstatfs struct {
		stat p9.FSStat
	}
	tlopen struct {
		fid   uint32
		flags uint32
	}
	rlopen struct {
		qid    p9.QID
		iounit uint32
	}
	tlcreate struct {
		fid   uint32
		name  string
		flags uint32
		mode  uint32
		gid   uint32
	}
	rlcreate struct {
		qid    p9.QID
		iounit uint32
	}
	tsymlink struct {
		fid    uint32
		name   string
		target string
		gid    uint32
	}
	rsymlink struct {
		qid p9.QID
	}
	tmknod struct {
		dfid  uint32
		name  string
		mode  uint32
		major uint32
		minor uint32
		gid   uint32
	}
	rmknod struct {
		qid p9.QID
	}
	trename struct {
		fid  uint32
		dfid uint32
		name string
	}
	rrename   struct{}
	treadlink struct {
		fid uint32
	}
	rreadlink struct {
		target string
	}
	tgetattr struct {
		fid  uint32
		mask uint64
	}
	rgetattr struct {
		valid uint64
		qid   p9.QID
		attr  p9.Attr
	}
	tsetattr struct {
		fid   uint32
		valid uint32
		attr  p9.SetAttr
	}
	rsetattr   struct{}
	txattrwalk struct {
		fid    uint32
		newfid uint32
		name   string
	}
	rxattrwalk struct {
		size uint64
	}
	txattrcreate struct {
		fid   uint32
		name  string
		size  uint64
		flags uint32
	}
	rxattrcreate struct{}
	treaddir     struct {
		fid    uint32
		offset uint64
		count  uint32
	}
	rreaddir struct {
		data []byte
	}
	tfsync struct {
		fid      uint32
		datasync uint32
	}
	rfsync struct{}
	tlock  struct {
		fid    uint32
		kind   uint8
		flags  uint32
		start  uint64
		length uint64
		pid    uint32
		client string
	}
	rlock struct {
		status uint8
	}
	tgetlock struct {
		fid  uint32
		lock Lock
	}
	rgetlock struct {
		lock Lock
	}
	tlink struct {
		dfid uint32
		fid  uint32
		name string
	}
	rlink  struct{}
	tmkdir struct {
		dfid uint32
		name string
		mode uint32
		gid  uint32
	}
	rmkdir struct {
		qid p9.QID
	}
	trenameat struct {
		olddfid uint32
		oldname string
		newdfid uint32
		newname string
	}
	rrenameat struct{}
	tunlinkat struct {
		dfid  uint32
		name  string
		flags uint32
	}
	runlinkat struct{}
)

const (
	msgRlerror      = 7
	msgTstatfs      = 8
	msgRstatfs      = 9
	msgTlopen       = 12
	msgRlopen       = 13
	msgTlcreate     = 14
	msgRlcreate     = 15
	msgTsymlink     = 16
	msgRsymlink     = 17
	msgTmknod       = 18
	msgRmknod       = 19
	msgTrename      = 20
	msgRrename      = 21
	msgTreadlink    = 22
	msgRreadlink    = 23
	msgTgetattr     = 24
	msgRgetattr     = 25
	msgTsetattr     = 26
	msgRsetattr     = 27
	msgTxattrwalk   = 30
	msgRxattrwalk   = 31
	msgTxattrcreate = 32
	msgRxattrcreate = 33
	msgTreaddir     = 40
	msgRreaddir     = 41
	msgTfsync       = 50
	msgRfsync       = 51
	msgTlock        = 52
	msgRlock        = 53
	msgTgetlock     = 54
	msgRgetlock     = 55
	msgTlink        = 70
	msgRlink        = 71
	msgTmkdir       = 72
	msgRmkdir       = 73
	msgTrenameat    = 74
	msgRrenameat    = 75
	msgTunlinkat    = 76
	msgRunlinkat    = 77
)

func (*rlerror) typ() uint8 { return msgRlerror }
func (m *rlerror) encode(b *buffer) {
	b.put32(m.errno)
}
func (m *rlerror) decode(b *buffer) {
	m.errno = b.get32()
}

func (*tstatfs) typ() uint8 { return msgTstatfs }
func (m *tstatfs) encode(b *buffer) {
	b.put32(m.fid)
}
func (m *tstatfs) decode(b *buffer) {
	m.fid = b.get32()
}

func (*rstatfs) typ() uint8 { return msgRstatfs }
func (m *rstatfs) encode(b *buffer) {
	b.putFSStat(&m.stat)
}
func (m *rstatfs) decode(b *buffer) {
	b.getFSStat(&m.stat)
}

func (*tlopen) typ() uint8 { return msgTlopen }
func (m *tlopen) encode(b *buffer) {
	b.put32(m.fid)
	b.put32(m.flags)
}
func (m *tlopen) decode(b *buffer) {
	m.fid = b.get32()
	m.flags = b.get32()
}

func (*rlopen) typ() uint8 { return msgRlopen }
func (m *rlopen) encode(b *buffer) {
	b.putQID(m.qid)
	b.put32(m.iounit)
}
func (m *rlopen) decode(b *buffer) {
	m.qid = b.getQID()
	m.iounit = b.get32()
}

func (*tlcreate) typ() uint8 { return msgTlcreate }
func (m *tlcreate) encode(b *buffer) {
	b.put32(m.fid)
	b.putString(m.name)
	b.put32(m.flags)
	b.put32(m.mode)
	b.put32(m.gid)
}
func (m *tlcreate) decode(b *buffer) {
	m.fid = b.get32()
	m.name = b.getString()
	m.flags = b.get32()
	m.mode = b.get32()
	m.gid = b.get32()
}

func (*rlcreate) typ() uint8 { return msgRlcreate }
func (m *rlcreate) encode(b *buffer) {
	b.putQID(m.qid)
	b.put32(m.iounit)
}
func (m *rlcreate) decode(b *buffer) {
	m.qid = b.getQID()
	m.iounit = b.get32()
}

func (*tsymlink) typ() uint8 { return msgTsymlink }
func (m *tsymlink) encode(b *buffer) {
	b.put32(m.fid)
	b.putString(m.name)
	b.putString(m.target)
	b.put32(m.gid)
}
func (m *tsymlink) decode(b *buffer) {
	m.fid = b.get32()
	m.name = b.getString()
	m.target = b.getString()
	m.gid = b.get32()
}

func (*rsymlink) typ() uint8 { return msgRsymlink }
func (m *rsymlink) encode(b *buffer) {
	b.putQID(m.qid)
}
func (m *rsymlink) decode(b *buffer) {
	m.qid = b.getQID()
}

func (*tmknod) typ() uint8 { return msgTmknod }
func (m *tmknod) encode(b *buffer) {
	b.put32(m.dfid)
	b.putString(m.name)
	b.put32(m.mode)
	b.put32(m.major)
	b.put32(m.minor)
	b.put32(m.gid)
}
func (m *tmknod) decode(b *buffer) {
	m.dfid = b.get32()
	m.name = b.getString()
	m.mode = b.get32()
	m.major = b.get32()
	m.minor = b.get32()
	m.gid = b.get32()
}

func (*rmknod) typ() uint8 { return msgRmknod }
func (m *rmknod) encode(b *buffer) {
	b.putQID(m.qid)
}
func (m *rmknod) decode(b *buffer) {
	m.qid = b.getQID()
}

func (*trename) typ() uint8 { return msgTrename }
func (m *trename) encode(b *buffer) {
	b.put32(m.fid)
	b.put32(m.dfid)
	b.putString(m.name)
}
func (m *trename) decode(b *buffer) {
	m.fid = b.get32()
	m.dfid = b.get32()
	m.name = b.getString()
}

func (*rrename) typ() uint8         { return msgRrename }
func (m *rrename) encode(b *buffer) {}
func (m *rrename) decode(b *buffer) {}

func (*treadlink) typ() uint8 { return msgTreadlink }
func (m *treadlink) encode(b *buffer) {
	b.put32(m.fid)
}
func (m *treadlink) decode(b *buffer) {
	m.fid = b.get32()
}

func (*rreadlink) typ() uint8 { return msgRreadlink }
func (m *rreadlink) encode(b *buffer) {
	b.putString(m.target)
}
func (m *rreadlink) decode(b *buffer) {
	m.target = b.getString()
}

func (*tgetattr) typ() uint8 { return msgTgetattr }
func (m *tgetattr) encode(b *buffer) {
	b.put32(m.fid)
	b.put64(m.mask)
}
func (m *tgetattr) decode(b *buffer) {
	m.fid = b.get32()
	m.mask = b.get64()
}

func (*rgetattr) typ() uint8 { return msgRgetattr }
func (m *rgetattr) encode(b *buffer) {
	b.put64(m.valid)
	b.putQID(m.qid)
	b.putAttr(&m.attr)
}
func (m *rgetattr) decode(b *buffer) {
	m.valid = b.get64()
	m.qid = b.getQID()
	b.getAttr(&m.attr)
}

func (*tsetattr) typ() uint8 { return msgTsetattr }
func (m *tsetattr) encode(b *buffer) {
	b.put32(m.fid)
	b.put32(m.valid)
	b.putSetAttr(&m.attr)
}
func (m *tsetattr) decode(b *buffer) {
	m.fid = b.get32()
	m.valid = b.get32()
	b.getSetAttr(&m.attr)
}

func (*rsetattr) typ() uint8         { return msgRsetattr }
func (m *rsetattr) encode(b *buffer) {}
func (m *rsetattr) decode(b *buffer) {}

func (*txattrwalk) typ() uint8 { return msgTxattrwalk }
func (m *txattrwalk) encode(b *buffer) {
	b.put32(m.fid)
	b.put32(m.newfid)
	b.putString(m.name)
}
func (m *txattrwalk) decode(b *buffer) {
	m.fid = b.get32()
	m.newfid = b.get32()
	m.name = b.getString()
}

func (*rxattrwalk) typ() uint8 { return msgRxattrwalk }
func (m *rxattrwalk) encode(b *buffer) {
	b.put64(m.size)
}
func (m *rxattrwalk) decode(b *buffer) {
	m.size = b.get64()
}

func (*txattrcreate) typ() uint8 { return msgTxattrcreate }
func (m *txattrcreate) encode(b *buffer) {
	b.put32(m.fid)
	b.putString(m.name)
	b.put64(m.size)
	b.put32(m.flags)
}
func (m *txattrcreate) decode(b *buffer) {
	m.fid = b.get32()
	m.name = b.getString()
	m.size = b.get64()
	m.flags = b.get32()
}

func (*rxattrcreate) typ() uint8         { return msgRxattrcreate }
func (m *rxattrcreate) encode(b *buffer) {}
func (m *rxattrcreate) decode(b *buffer) {}

func (*treaddir) typ() uint8 { return msgTreaddir }
func (m *treaddir) encode(b *buffer) {
	b.put32(m.fid)
	b.put64(m.offset)
	b.put32(m.count)
}
func (m *treaddir) decode(b *buffer) {
	m.fid = b.get32()
	m.offset = b.get64()
	m.count = b.get32()
}

func (*rreaddir) typ() uint8 { return msgRreaddir }
func (m *rreaddir) encode(b *buffer) {
	b.put32(uint32(len(m.data)))
}
func (m *rreaddir) decode(b *buffer) {
	m.data = b.getData()
}
func (m *rreaddir) payload() []byte { return m.data }

func (*tfsync) typ() uint8 { return msgTfsync }
func (m *tfsync) encode(b *buffer) {
	b.put32(m.fid)
	b.put32(m.datasync)
}
func (m *tfsync) decode(b *buffer) {
	m.fid = b.get32()
	m.datasync = b.getDatasync()
}

func (*rfsync) typ() uint8         { return msgRfsync }
func (m *rfsync) encode(b *buffer) {}
func (m *rfsync) decode(b *buffer) {}

func (*tlock) typ() uint8 { return msgTlock }
func (m *tlock) encode(b *buffer) {
	b.put32(m.fid)
	b.put8(m.kind)
	b.put32(m.flags)
	b.put64(m.start)
	b.put64(m.length)
	b.put32(m.pid)
	b.putString(m.client)
}
func (m *tlock) decode(b *buffer) {
	m.fid = b.get32()
	m.kind = b.get8()
	m.flags = b.get32()
	m.start = b.get64()
	m.length = b.get64()
	m.pid = b.get32()
	m.client = b.getString()
}

func (*rlock) typ() uint8 { return msgRlock }
func (m *rlock) encode(b *buffer) {
	b.put8(m.status)
}
func (m *rlock) decode(b *buffer) {
	m.status = b.get8()
}

func (*tgetlock) typ() uint8 { return msgTgetlock }
func (m *tgetlock) encode(b *buffer) {
	b.put32(m.fid)
	b.putLock(&m.lock)
}
func (m *tgetlock) decode(b *buffer) {
	m.fid = b.get32()
	b.getLock(&m.lock)
}

func (*rgetlock) typ() uint8 { return msgRgetlock }
func (m *rgetlock) encode(b *buffer) {
	b.putLock(&m.lock)
}
func (m *rgetlock) decode(b *buffer) {
	b.getLock(&m.lock)
}

func (*tlink) typ() uint8 { return msgTlink }
func (m *tlink) encode(b *buffer) {
	b.put32(m.dfid)
	b.put32(m.fid)
	b.putString(m.name)
}
func (m *tlink) decode(b *buffer) {
	m.dfid = b.get32()
	m.fid = b.get32()
	m.name = b.getString()
}

func (*rlink) typ() uint8         { return msgRlink }
func (m *rlink) encode(b *buffer) {}
func (m *rlink) decode(b *buffer) {}

func (*tmkdir) typ() uint8 { return msgTmkdir }
func (m *tmkdir) encode(b *buffer) {
	b.put32(m.dfid)
	b.putString(m.name)
	b.put32(m.mode)
	b.put32(m.gid)
}
func (m *tmkdir) decode(b *buffer) {
	m.dfid = b.get32()
	m.name = b.getString()
	m.mode = b.get32()
	m.gid = b.get32()
}

func (*rmkdir) typ() uint8 { return msgRmkdir }
func (m *rmkdir) encode(b *buffer) {
	b.putQID(m.qid)
}
func (m *rmkdir) decode(b *buffer) {
	m.qid = b.getQID()
}

func (*trenameat) typ() uint8 { return msgTrenameat }
func (m *trenameat) encode(b *buffer) {
	b.put32(m.olddfid)
	b.putString(m.oldname)
	b.put32(m.newdfid)
	b.putString(m.newname)
}
func (m *trenameat) decode(b *buffer) {
	m.olddfid = b.get32()
	m.oldname = b.getString()
	m.newdfid = b.get32()
	m.newname = b.getString()
}

func (*rrenameat) typ() uint8         { return msgRrenameat }
func (m *rrenameat) encode(b *buffer) {}
func (m *rrenameat) decode(b *buffer) {}

func (*tunlinkat) typ() uint8 { return msgTunlinkat }
func (m *tunlinkat) encode(b *buffer) {
	b.put32(m.dfid)
	b.putString(m.name)
	b.put32(m.flags)
}
func (m *tunlinkat) decode(b *buffer) {
	m.dfid = b.get32()
	m.name = b.getString()
	m.flags = b.get32()
}

func (*runlinkat) typ() uint8         { return msgRunlinkat }
func (m *runlinkat) encode(b *buffer) {}
func (m *runlinkat) decode(b *buffer) {}
