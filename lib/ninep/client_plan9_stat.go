package ninep

import (
	"errors"
	"time"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// What [File] is in 9P2000. The dialect knows neither links nor devices, extended attributes, locks or numbers of users; a file has a stat
// where Linux has attributes. What it has no message for is EOPNOTSUPP, or ENOSYS of StatFS.

// noUser is who attaches without a name: attach(9P).
const noUser = "none"

// nobody is the user, and the group, whose name has no number here.
const nobody = 65534

// A plan9User is who attached. His files are shown with his number, and those of names that are decimal numbers with these.
type plan9User struct {
	name string
	uid  p9.UID
}

func (u *plan9User) uidOf(name string) p9.UID {
	if name == u.name && u.uid != p9.NoUID {
		return u.uid
	}
	if id, ok := userID(name, nil); ok {
		return id
	}
	return nobody
}

func (u *plan9User) gidOf(name string) p9.GID {
	if id, ok := groupID(name, nil); ok {
		return id
	}
	return nobody
}

// plan9Types are the bits of a qid's type that 9P2000 has. The others would make a file a link.
const plan9Types = p9.TypeDir | p9.TypeAppendOnly | p9.TypeExclusive | p9.TypeMount | p9.TypeAuth | p9.TypeTemporary

// typed is a server's qid with a type that its dialect has.
func (f *clientFid) typed(q p9.QID) p9.QID {
	if f.c.dialect == dialect9P2000 {
		q.Type &= plan9Types
	}
	return q
}

// dirAbove is the directory of the last of the names walked from one, as far as that can be told.
func dirAbove(from p9.QID, qids []p9.QID, names []string) *p9.QID {
	for _, name := range names {
		if name == ".." {
			return nil
		}
	}
	if n := len(qids); n > 1 {
		from = qids[n-2]
	}
	return &from
}

// statReply is Rstat with its record taken apart while it is in the reader's hands.
type statReply struct {
	stat
}

func (*statReply) typ() uint8       { return msgRstat }
func (m *statReply) encode(*buffer) {}
func (m *statReply) decode(b *buffer) {
	in := buffer{b: b.getStat()}
	m.stat.decode(&in)
	b.bad = b.bad || in.bad || len(in.b) > 0
}

// stat9 is Tstat.
func (f *File) stat9() (stat, error) {
	r := new(statReply)
	err := f.rpc(&tstat{fid: f.number}, r)
	return r.stat, err
}

// wstat9 is Twstat.
func (f *File) wstat9(s *stat) error {
	var b buffer
	s.encode(&b)
	if b.bad {
		return linux.ENAMETOOLONG
	}
	return f.rpc(&twstat{fid: f.number, stat: b.b}, new(rwstat))
}

// stream says that the file may be one of a device or a program, whose length of 0 tells nothing: it is read all the same.
func (s *stat) stream() bool { return s.length == 0 && s.mode&dmDir == 0 }

// attributes are those of a file with that stat, as u sees it. The qid has the version 0 if it is a stream.
func (s *stat) attributes(f *clientFid) (p9.QID, p9.AttrMask, p9.Attr) {
	qid := f.typed(s.qid)
	if s.stream() {
		qid.Version = 0
	}
	mode := p9.ModeRegular
	if s.mode&dmDir != 0 {
		mode = p9.ModeDirectory
	}
	return qid, plan9Attrs, p9.Attr{
		Mode:         mode | p9.FileMode(s.mode&0o777),
		UID:          f.user.uidOf(s.uid),
		GID:          f.user.gidOf(s.gid),
		NLink:        1,
		Size:         s.length,
		BlockSize:    blockSize,
		Blocks:       (s.length + 511) / 512,
		ATimeSeconds: uint64(s.atime),
		MTimeSeconds: uint64(s.mtime),
		CTimeSeconds: uint64(s.mtime),
	}
}

// blockSize is what files are said to be best read by, in bytes.
const blockSize = 4096

// plan9Attrs are the attributes that a stat tells of.
var plan9Attrs = p9.AttrMask{
	Mode: true, NLink: true, UID: true, GID: true, RDev: true, ATime: true, MTime: true, CTime: true, INo: true, Size: true, Blocks: true,
}

// getAttr9 is GetAttr. The time of the last change is that of the last write: there is no other.
func (f *File) getAttr9() (p9.QID, p9.AttrMask, p9.Attr, error) {
	s, err := f.stat9()
	if err != nil {
		return p9.QID{}, p9.AttrMask{}, p9.Attr{}, err
	}
	qid, valid, attr := s.attributes(f.clientFid)
	if err := checkAttr(&attr); err != nil {
		return p9.QID{}, p9.AttrMask{}, p9.Attr{}, err
	}
	return qid, valid, attr, nil
}

// setAttr9 is SetAttr. What is so already is not asked for: many servers refuse every Twstat of a control file, which is truncated whenever
// a shell writes to it. The owner and the group cannot be changed, for they have names; nor can there be permissions beyond the nine.
// The time of the last access is set where the server lets it.
func (f *File) setAttr9(valid p9.SetAttrMask, attr p9.SetAttr) error {
	now, err := f.stat9()
	if err != nil {
		return err
	}
	if valid.UID && attr.UID != f.user.uidOf(now.uid) || valid.GID && attr.GID != f.user.gidOf(now.gid) {
		return &Error{linux.EPERM, "9P2000 has no numbers for users"}
	}
	s := untouched
	if mode := now.mode&^0o777 | uint32(attr.Permissions)&0o777; valid.Permissions && mode != now.mode {
		s.mode = mode
	}
	if valid.Permissions && attr.Permissions&permissions&^0o777 != 0 {
		return &Error{linux.EPERM, "9P2000 has no such permissions"}
	}
	// An append-only file is not emptied by who opens it to write: open(9P). To v9fs that is a change of its length.
	if valid.Size && attr.Size != now.length && (attr.Size != 0 || now.mode&dmAppend == 0) {
		s.length = attr.Size
	}
	clock := seconds(uint64(time.Now().Unix()))
	if valid.MTime && valid.MTimeNotSystemTime {
		s.mtime = seconds(attr.MTimeSeconds)
	} else if valid.MTime && !valid.Size { // else the server does it
		s.mtime = clock
	}
	if valid.ATime && valid.ATimeNotSystemTime {
		s.atime = seconds(attr.ATimeSeconds)
	} else if valid.ATime && !valid.Size {
		s.atime = clock
	}
	if s.mtime == now.mtime {
		s.mtime = untouched.mtime
	}
	if s.atime == now.atime {
		s.atime = untouched.atime
	}
	if s == untouched {
		return nil
	}
	err = f.wstat9(&s)
	if err != nil && s.atime != untouched.atime {
		// To stat(9P) it is nobody's to set.
		if s.atime = untouched.atime; s != untouched {
			err = f.wstat9(&s)
		}
	}
	return err
}

// fsync9 is FSync: a Twstat that touches nothing. Servers that take no Twstat at all have nothing to make safe.
func (f *File) fsync9() error {
	s := untouched
	err := f.wstat9(&s)
	for _, refusal := range []linux.Errno{linux.EPERM, linux.EACCES, linux.EINVAL, linux.EROFS, linux.ENOSYS, linux.EOPNOTSUPP} {
		if errors.Is(err, refusal) {
			return nil
		}
	}
	return err
}

// rename9 is Rename, which 9P2000 has within a directory only: EXDEV makes a program copy instead. A file that has the name already is
// removed first, so that for a moment none has it.
func (f *File) rename9(newDir p9.File, newName string) error {
	d, ok := newDir.(*File)
	if !ok || d.c != f.c || f.dir == nil || f.dir.Path != d.qid.Path {
		return linux.EXDEV
	}
	if err := checkNames(newName); err != nil {
		return err
	}
	s := untouched
	s.name = newName
	err := f.wstat9(&s)
	if !errors.Is(err, linux.EEXIST) {
		return err
	}
	old, err := (&File{d.clientFid, f.ctx}).entry(newName)
	if err != nil {
		return err
	}
	switch dir := f.qid.Type&p9.TypeDir != 0; {
	case old.qid.Path == f.qid.Path:
		return old.Close()
	case old.qid.Type&p9.TypeDir == 0 && dir:
		err = linux.ENOTDIR
	case old.qid.Type&p9.TypeDir != 0 && !dir:
		err = linux.EISDIR
	default:
		if err := old.Remove(); err != nil {
			return err
		}
		return f.wstat9(&s)
	}
	old.Close()
	return err
}
