package ninep

import (
	"encoding/binary"

	"github.com/hugelgupf/p9/p9"
)

// A buffer is the bytes of a message on their way to or from its fields. All numbers are little-endian; a string is a 16-bit length
// and its bytes. Putting appends; getting takes from the front and, once the bytes do not suffice, gives zeroes and sets bad.
type buffer struct {
	b       []byte
	dialect dialect // decides whether Tauth and Tattach have a numeric user
	bad     bool
}

func (b *buffer) put8(v uint8)   { b.b = append(b.b, v) }
func (b *buffer) put16(v uint16) { b.b = binary.LittleEndian.AppendUint16(b.b, v) }
func (b *buffer) put32(v uint32) { b.b = binary.LittleEndian.AppendUint32(b.b, v) }
func (b *buffer) put64(v uint64) { b.b = binary.LittleEndian.AppendUint64(b.b, v) }

// putString puts s. A string longer than 65,535 bytes cannot be said in 9P: it makes the message bad, and nothing is put.
func (b *buffer) putString(s string) {
	if len(s) > 0xffff {
		b.bad = true
		return
	}
	b.put16(uint16(len(s)))
	b.b = append(b.b, s...)
}

func (b *buffer) putQID(q p9.QID) {
	b.put8(uint8(q.Type))
	b.put32(q.Version)
	b.put64(q.Path)
}

// take returns the next n bytes, which remain part of the buffer, or nil.
func (b *buffer) take(n int) []byte {
	if b.bad || n < 0 || n > len(b.b) {
		b.bad = true
		return nil
	}
	p := b.b[:n:n]
	b.b = b.b[n:]
	return p
}

func (b *buffer) get8() uint8 {
	if p := b.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (b *buffer) get16() uint16 {
	if p := b.take(2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

func (b *buffer) get32() uint32 {
	if p := b.take(4); p != nil {
		return binary.LittleEndian.Uint32(p)
	}
	return 0
}

func (b *buffer) get64() uint64 {
	if p := b.take(8); p != nil {
		return binary.LittleEndian.Uint64(p)
	}
	return 0
}

func (b *buffer) getString() string { return string(b.take(int(b.get16()))) }

func (b *buffer) getQID() p9.QID {
	return p9.QID{Type: p9.QIDType(b.get8()), Version: b.get32(), Path: b.get64()}
}

// getData takes a 32-bit count and as many bytes, which remain part of the buffer.
func (b *buffer) getData() []byte { return b.take(int(b.get32())) }

// putAttr puts attributes as Rgetattr has them after the qid.
func (b *buffer) putAttr(a *p9.Attr) {
	b.put32(uint32(a.Mode))
	b.put32(uint32(a.UID))
	b.put32(uint32(a.GID))
	for _, v := range [...]uint64{
		uint64(a.NLink), uint64(a.RDev), a.Size, a.BlockSize, a.Blocks,
		a.ATimeSeconds, a.ATimeNanoSeconds, a.MTimeSeconds, a.MTimeNanoSeconds,
		a.CTimeSeconds, a.CTimeNanoSeconds, a.BTimeSeconds, a.BTimeNanoSeconds,
		a.Gen, a.DataVersion,
	} {
		b.put64(v)
	}
}

func (b *buffer) getAttr(a *p9.Attr) {
	a.Mode = p9.FileMode(b.get32())
	a.UID = p9.UID(b.get32())
	a.GID = p9.GID(b.get32())
	a.NLink = p9.NLink(b.get64())
	a.RDev = p9.Dev(b.get64())
	a.Size = b.get64()
	a.BlockSize = b.get64()
	a.Blocks = b.get64()
	a.ATimeSeconds = b.get64()
	a.ATimeNanoSeconds = b.get64()
	a.MTimeSeconds = b.get64()
	a.MTimeNanoSeconds = b.get64()
	a.CTimeSeconds = b.get64()
	a.CTimeNanoSeconds = b.get64()
	a.BTimeSeconds = b.get64()
	a.BTimeNanoSeconds = b.get64()
	a.Gen = b.get64()
	a.DataVersion = b.get64()
}

// putDirent puts an entry of Rreaddir's data.
func (b *buffer) putDirent(d *p9.Dirent) {
	b.putQID(d.QID)
	b.put64(d.Offset)
	b.put8(uint8(d.Type))
	b.putString(d.Name)
}

func (b *buffer) getDirent(d *p9.Dirent) {
	d.QID = b.getQID()
	d.Offset = b.get64()
	d.Type = p9.QIDType(b.get8())
	d.Name = b.getString()
}

// putDirentAttr puts an entry of Rreaddirattr's data.
func (b *buffer) putDirentAttr(d *DirentAttr) {
	b.putDirent(&d.Dirent)
	b.put64(attrBits(d.Valid))
	b.putAttr(&d.Attr)
}

func (b *buffer) getDirentAttr(d *DirentAttr) {
	b.getDirent(&d.Dirent)
	d.Valid = attrMask(b.get64())
	b.getAttr(&d.Attr)
}

// Sizes on the wire, in bytes.
const (
	direntSize     = 13 + 8 + 1 + 2            // without the name
	attrSize       = 3*4 + 15*8                // attributes as putAttr puts them
	direntAttrSize = direntSize + 8 + attrSize // without the name
)

// The bits of the masks in Tgetattr and Rgetattr, in the order of p9.AttrMask's fields.
func attrFields(m *p9.AttrMask) [14]*bool {
	return [...]*bool{
		&m.Mode, &m.NLink, &m.UID, &m.GID, &m.RDev, &m.ATime, &m.MTime, &m.CTime, &m.INo, &m.Size, &m.Blocks,
		&m.BTime, &m.Gen, &m.DataVersion,
	}
}

func attrMask(bits uint64) (m p9.AttrMask) {
	for i, f := range attrFields(&m) {
		*f = bits>>i&1 != 0
	}
	return m
}

func attrBits(m p9.AttrMask) (bits uint64) {
	for i, f := range attrFields(&m) {
		if *f {
			bits |= 1 << i
		}
	}
	return bits
}

// The bits of the mask in Tsetattr, in the order of p9.SetAttrMask's fields.
func setAttrFields(m *p9.SetAttrMask) [9]*bool {
	return [...]*bool{
		&m.Permissions, &m.UID, &m.GID, &m.Size, &m.ATime, &m.MTime, &m.CTime, &m.ATimeNotSystemTime, &m.MTimeNotSystemTime,
	}
}

func setAttrMask(bits uint32) (m p9.SetAttrMask) {
	for i, f := range setAttrFields(&m) {
		*f = bits>>i&1 != 0
	}
	return m
}

func setAttrBits(m p9.SetAttrMask) (bits uint32) {
	for i, f := range setAttrFields(&m) {
		if *f {
			bits |= 1 << i
		}
	}
	return bits
}

// putUID puts the numeric user of Tauth and Tattach, which 9P2000 does not have.
func (b *buffer) putUID(uid uint32) {
	if b.dialect != dialect9P2000 {
		b.put32(uid)
	}
}

func (b *buffer) getUID() uint32 {
	if b.dialect == dialect9P2000 {
		return noUID
	}
	return b.get32()
}

func (b *buffer) putNames(names []string) {
	b.put16(uint16(len(names)))
	for _, s := range names {
		b.putString(s)
	}
}

func (b *buffer) getNames(names []string) []string {
	for n := b.get16(); n > 0 && !b.bad; n-- {
		names = append(names, b.getString())
	}
	return names
}

func (b *buffer) putQIDs(qids []p9.QID) {
	b.put16(uint16(len(qids)))
	for _, q := range qids {
		b.putQID(q)
	}
}

func (b *buffer) getQIDs(qids []p9.QID) []p9.QID {
	for n := b.get16(); n > 0 && !b.bad; n-- {
		qids = append(qids, b.getQID())
	}
	return qids
}

// putStat puts a stat record, as Rstat and Twstat have it: with a second count before the record's own.
func (b *buffer) putStat(p []byte) {
	if len(p) > 0xffff {
		b.bad = true
		return
	}
	b.put16(uint16(len(p)))
	b.b = append(b.b, p...)
}

func (b *buffer) getStat() []byte { return b.take(int(b.get16())) }

func (b *buffer) putFSStat(s *p9.FSStat) {
	b.put32(s.Type)
	b.put32(s.BlockSize)
	b.put64(s.Blocks)
	b.put64(s.BlocksFree)
	b.put64(s.BlocksAvailable)
	b.put64(s.Files)
	b.put64(s.FilesFree)
	b.put64(s.FSID)
	b.put32(s.NameLength)
}

func (b *buffer) getFSStat(s *p9.FSStat) {
	s.Type = b.get32()
	s.BlockSize = b.get32()
	s.Blocks = b.get64()
	s.BlocksFree = b.get64()
	s.BlocksAvailable = b.get64()
	s.Files = b.get64()
	s.FilesFree = b.get64()
	s.FSID = b.get64()
	s.NameLength = b.get32()
}

// putSetAttr puts attributes as Tsetattr has them after the mask.
func (b *buffer) putSetAttr(a *p9.SetAttr) {
	b.put32(uint32(a.Permissions))
	b.put32(uint32(a.UID))
	b.put32(uint32(a.GID))
	b.put64(a.Size)
	b.put64(a.ATimeSeconds)
	b.put64(a.ATimeNanoSeconds)
	b.put64(a.MTimeSeconds)
	b.put64(a.MTimeNanoSeconds)
}

func (b *buffer) getSetAttr(a *p9.SetAttr) {
	a.Permissions = p9.FileMode(b.get32())
	a.UID = p9.UID(b.get32())
	a.GID = p9.GID(b.get32())
	a.Size = b.get64()
	a.ATimeSeconds = b.get64()
	a.ATimeNanoSeconds = b.get64()
	a.MTimeSeconds = b.get64()
	a.MTimeNanoSeconds = b.get64()
}

// putLock puts a lock as Tgetlock and Rgetlock have it.
func (b *buffer) putLock(l *Lock) {
	b.put8(uint8(l.Type))
	b.put64(l.Start)
	b.put64(l.Length)
	b.put32(uint32(l.PID))
	b.putString(l.Client)
}

func (b *buffer) getLock(l *Lock) {
	l.Type = p9.LockType(b.get8())
	l.Start = b.get64()
	l.Length = b.get64()
	l.PID = int(b.get32())
	l.Client = b.getString()
}

// getDatasync gets Tfsync's last field, which some clients leave out.
func (b *buffer) getDatasync() uint32 {
	if len(b.b) == 0 {
		return 0
	}
	return b.get32()
}
