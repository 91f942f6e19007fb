package exportfs

import (
	"github.com/hugelgupf/p9/p9"
)

// ident tells one file from another, as stat(2) does.
type ident struct {
	dev, ino uint64
}

// info is what the system says of a file.
type info struct {
	attr  p9.Attr
	valid p9.AttrMask
	id    ident

	live  bool // its content is made up as it is read: size, times and with them versions say nothing
	mount bool // it is the root of a mounted file system
}

// qid makes a file's qid. Files of the root's own file system have their inode number for a path, so that both machines see the same
// numbers; on any other the device is mixed in, so that two file systems do not collide.
func (fs *FS) qid(i *info) p9.QID {
	return p9.QID{Type: qidType(i.attr.Mode), Version: version(i), Path: fs.qidPath(i.id)}
}

func (fs *FS) qidPath(id ident) uint64 {
	if id.dev == fs.dev {
		return id.ino
	}
	return id.ino ^ mix(id.dev)
}

// qidType says directory or symbolic link; all else is a plain file to 9P, and the mode says the rest.
func qidType(m p9.FileMode) p9.QIDType {
	switch m.FileType() {
	case p9.ModeDirectory:
		return p9.TypeDir
	case p9.ModeSymlink:
		return p9.TypeSymlink
	}
	return p9.TypeRegular
}

// version changes whenever the file has changed. It is 0, which is to say do not cache, for live files and for them alone.
func version(i *info) uint32 {
	if i.live {
		return 0
	}
	a := &i.attr
	v := mix(a.MTimeSeconds)
	v = mix(v ^ a.MTimeNanoSeconds)
	v = mix(v ^ a.CTimeSeconds)
	v = mix(v ^ a.CTimeNanoSeconds)
	v = mix(v ^ a.Size)
	if w := uint32(v ^ v>>32); w != 0 {
		return w
	}
	return 1
}

// mix is the finalizer of the splitmix64 generator: a bijection whose every output bit hangs on every input bit.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
