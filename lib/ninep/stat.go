package ninep

import (
	"math"
	"strconv"

	"github.com/hugelgupf/p9/p9"
)

// A stat is a directory entry of 9P2000, laid out as stat(9P) says. In Twstat a number of all ones, or an empty string, is a field not to
// be touched.
type stat struct {
	typ    uint16
	dev    uint32
	qid    p9.QID
	mode   uint32
	atime  uint32
	mtime  uint32
	length uint64
	name   string
	uid    string
	gid    string
	muid   string
}

// The bits of a stat's mode besides the permissions are those of the qid's type, 24 bits further up.
const (
	dmDir    = uint32(p9.TypeDir) << 24
	dmAppend = uint32(p9.TypeAppendOnly) << 24
	dmExcl   = uint32(p9.TypeExclusive) << 24
)

// statFixed is the size of a record without its strings' bytes, and without the count it begins with.
const statFixed = 2 + 4 + 13 + 4 + 4 + 4 + 8 + 4*2

// size is the size of the record in bytes, with its count.
func (s *stat) size() int { return 2 + statFixed + len(s.name) + len(s.uid) + len(s.gid) + len(s.muid) }

func (s *stat) encode(b *buffer) {
	n := s.size() - 2
	if n > math.MaxUint16 {
		b.bad = true
		return
	}
	b.put16(uint16(n))
	b.put16(s.typ)
	b.put32(s.dev)
	b.putQID(s.qid)
	b.put32(s.mode)
	b.put32(s.atime)
	b.put32(s.mtime)
	b.put64(s.length)
	b.putString(s.name)
	b.putString(s.uid)
	b.putString(s.gid)
	b.putString(s.muid)
}

// decode takes one record off b. Bytes that its count includes and its fields do not make it bad.
func (s *stat) decode(b *buffer) {
	r := buffer{b: b.take(int(b.get16())), bad: b.bad}
	s.typ = r.get16()
	s.dev = r.get32()
	s.qid = r.getQID()
	s.mode = r.get32()
	s.atime = r.get32()
	s.mtime = r.get32()
	s.length = r.get64()
	s.name = r.getString()
	s.uid = r.getString()
	s.gid = r.getString()
	s.muid = r.getString()
	b.bad = b.bad || r.bad || len(r.b) > 0
}

// statOf is the stat of a file with that name and those attributes.
func statOf(name string, qid p9.QID, valid p9.AttrMask, attr *p9.Attr, users Users) stat {
	s := stat{
		qid:  qid,
		mode: uint32(qid.Type)<<24 | uint32(attr.Mode&0o777),
		name: name,
		uid:  userName(attr.UID, users),
		gid:  groupName(attr.GID, users),
	}
	if valid.ATime {
		s.atime = seconds(attr.ATimeSeconds)
	}
	if valid.MTime {
		s.mtime = seconds(attr.MTimeSeconds)
	}
	if qid.Type&p9.TypeDir == 0 {
		s.length = attr.Size
	}
	s.muid = s.uid
	return s
}

// seconds is a time as a stat has it, which ends in 2106.
func seconds(t uint64) uint32 { return uint32(min(t, math.MaxUint32-1)) }

func userName(id p9.UID, users Users) string {
	if users != nil {
		if name, ok := users.UserName(id); ok {
			return name
		}
	}
	return strconv.FormatUint(uint64(id), 10)
}

func groupName(id p9.GID, users Users) string {
	if users != nil {
		if name, ok := users.GroupName(id); ok {
			return name
		}
	}
	return strconv.FormatUint(uint64(id), 10)
}

func userID(name string, users Users) (p9.UID, bool) {
	if users != nil {
		if id, ok := users.UserID(name); ok {
			return id, true
		}
	}
	n, err := strconv.ParseUint(name, 10, 32)
	return p9.UID(n), err == nil
}

func groupID(name string, users Users) (p9.GID, bool) {
	if users != nil {
		if id, ok := users.GroupID(name); ok {
			return id, true
		}
	}
	n, err := strconv.ParseUint(name, 10, 32)
	return p9.GID(n), err == nil
}
