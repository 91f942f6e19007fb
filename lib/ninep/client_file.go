package ninep

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// File is a fid of a [Client]. It offers p9.File and all of this package's optional interfaces, in each dialect that the client speaks:
// what 9P2000.L.cpu does in one message is done in several of 9P2000.L. Methods may be called at any time, beside each other. Errors
// are linux.Errno or wrap one, but for io.EOF, and for those of a context that is done. After Close every method gives EBADF; once the
// connection is dead, each gives EIO at once.
//
// Files of other clients, or other kinds of p9.File, cannot be the targets of Link, Rename and RenameAt: EXDEV.
type File struct {
	*clientFid
	ctx context.Context // bounds the operations
}

var (
	_ ContextFile   = (*File)(nil)
	_ AttrReaddirer = (*File)(nil)
	_ ReadOpener    = (*File)(nil)
	_ Remover       = (*File)(nil)
	_ LockGetter    = (*File)(nil)
)

// WithContext is as [ContextFile] says. A request whose context is done is flushed; the method returns without waiting for that, unless
// its data is just being written. What such a request would have given, a fid or a new file's, is let go of.
func (f *File) WithContext(ctx context.Context) p9.File {
	return &File{clientFid: f.clientFid, ctx: ctx}
}

// rpc sends t, which names f's fid, and waits for r.
func (f *File) rpc(t, r message) error {
	if !f.use() {
		return linux.EBADF
	}
	defer f.unuse()
	return f.c.do(f.ctx, t, r, nil)
}

// QID is the file's qid as it was when f was walked to, created or opened.
func (f *File) QID() p9.QID { return f.qid }

// StatFS is statfs(2).
func (f *File) StatFS() (p9.FSStat, error) {
	if f.c.dialect == dialect9P2000 {
		return p9.FSStat{}, linux.ENOSYS // v9fs does without then
	}
	r := new(rstatfs)
	if err := f.rpc(&tstatfs{fid: f.number}, r); err != nil {
		return p9.FSStat{}, err
	}
	return r.stat, nil
}

// GetAttr gives at least those attributes of req that the server has. A size that no file can have is EIO.
func (f *File) GetAttr(req p9.AttrMask) (p9.QID, p9.AttrMask, p9.Attr, error) {
	if f.c.dialect == dialect9P2000 {
		return f.getAttr9()
	}
	r := new(rgetattr)
	if err := f.rpc(&tgetattr{fid: f.number, mask: attrBits(req)}, r); err != nil {
		return p9.QID{}, p9.AttrMask{}, p9.Attr{}, err
	}
	if err := checkAttr(&r.attr); err != nil {
		return p9.QID{}, p9.AttrMask{}, p9.Attr{}, err
	}
	return r.qid, attrMask(r.valid), r.attr, nil
}

// SetAttr changes those attributes that valid names: chmod(2), chown(2), truncate(2), utimensat(2).
func (f *File) SetAttr(valid p9.SetAttrMask, attr p9.SetAttr) error {
	if f.c.dialect == dialect9P2000 {
		return f.setAttr9(valid, attr)
	}
	return f.rpc(&tsetattr{fid: f.number, valid: setAttrBits(valid), attr: attr}, new(rsetattr))
}

// Readlink gives the target of a symbolic link, which is never resolved here. One that Linux would not take is EIO.
func (f *File) Readlink() (string, error) {
	r := new(rreadlink)
	if err := f.rpc(&treadlink{fid: f.number}, r); err != nil {
		return "", err
	}
	if len(r.target) >= MaxPath || strings.IndexByte(r.target, 0) >= 0 {
		return "", &Error{linux.EIO, "the server gives a link's target that is none"}
	}
	return r.target, nil
}

// Mkdir is mkdir(2) in directory f. The owner is who the server takes the connection's user to be, whatever uid says; that holds for
// Symlink and Mknod too.
func (f *File) Mkdir(name string, permissions p9.FileMode, uid p9.UID, gid p9.GID) (p9.QID, error) {
	if f.c.dialect == dialect9P2000 {
		return f.mkdir9(name, permissions)
	}
	if err := checkNames(name); err != nil {
		return p9.QID{}, err
	}
	r := new(rmkdir)
	err := f.rpc(&tmkdir{dfid: f.number, name: name, mode: uint32(permissions), gid: uint32(gid)}, r)
	return r.qid, err
}

// Symlink makes newName in directory f, a symbolic link to oldName: symlink(2).
func (f *File) Symlink(oldName, newName string, uid p9.UID, gid p9.GID) (p9.QID, error) {
	if err := f.c.checkPath(oldName, newName); err != nil {
		return p9.QID{}, err
	}
	r := new(rsymlink)
	err := f.rpc(&tsymlink{fid: f.number, name: newName, target: oldName, gid: uint32(gid)}, r)
	return r.qid, err
}

// Mknod is mknod(2) in directory f.
func (f *File) Mknod(name string, mode p9.FileMode, major, minor uint32, uid p9.UID, gid p9.GID) (p9.QID, error) {
	if f.c.dialect == dialect9P2000 {
		return f.mknod9(name, mode)
	}
	if err := checkNames(name); err != nil {
		return p9.QID{}, err
	}
	r := new(rmknod)
	err := f.rpc(&tmknod{dfid: f.number, name: name, mode: uint32(mode), major: major, minor: minor, gid: uint32(gid)}, r)
	return r.qid, err
}

// Link makes newName in directory f, a hard link to target: link(2).
func (f *File) Link(target p9.File, newName string) error {
	return f.with(target, newName, func(other uint32) error {
		return f.rpc(&tlink{dfid: f.number, fid: other, name: newName}, new(rlink))
	})
}

// Rename moves f, wherever it is, to a name in newDir. In 9P2000 that can only be the directory in which it was found, or else EXDEV.
func (f *File) Rename(newDir p9.File, newName string) error {
	if f.c.dialect == dialect9P2000 {
		return f.rename9(newDir, newName)
	}
	return f.with(newDir, newName, func(other uint32) error {
		return f.rpc(&trename{fid: f.number, dfid: other, name: newName}, new(rrename))
	})
}

// RenameAt is Rename of an entry of f. With a server that has no Trenameat it is a walk and Trename.
func (f *File) RenameAt(oldName string, newDir p9.File, newName string) error {
	if err := checkNames(oldName); err != nil {
		return err
	}
	err := f.with(newDir, newName, func(other uint32) error {
		return f.rpc(&trenameat{olddfid: f.number, oldname: oldName, newdfid: other, newname: newName}, new(rrenameat))
	})
	if !lacks(err) {
		return err
	}
	old, err := f.entry(oldName)
	if err != nil {
		return err
	}
	defer old.Close()
	return old.Rename(newDir, newName)
}

// lacks says whether an error is that of a server which does not know a message.
func lacks(err error) bool { return errors.Is(err, linux.EOPNOTSUPP) || errors.Is(err, linux.ENOSYS) }

// entry is a file of the directory f, with f's context.
func (f *File) entry(name string) (*File, error) {
	_, e, err := f.walk([]string{name}, f.walkOnce)
	if err != nil {
		return nil, err
	}
	e.ctx = f.ctx
	return e, nil
}

// with calls do with the number of another file, which must be of the same connection.
func (f *File) with(other p9.File, newName string, do func(other uint32) error) error {
	if err := checkNames(newName); err != nil {
		return err
	}
	o, ok := other.(*File)
	if !ok || o.c != f.c {
		return linux.EXDEV
	}
	if !o.use() {
		return linux.EBADF
	}
	defer o.unuse()
	return do(o.number)
}

// UnlinkAt removes an entry of f. With a server that has no Tunlinkat it is a walk and Tremove.
func (f *File) UnlinkAt(name string, flags uint32) error {
	if err := checkNames(name); err != nil {
		return err
	}
	err := f.rpc(&tunlinkat{dfid: f.number, name: name, flags: flags}, new(runlinkat))
	if !lacks(err) {
		return err
	}
	old, err := f.entry(name)
	if err != nil {
		return err
	}
	switch dir := old.qid.Type&p9.TypeDir != 0; {
	case dir && flags&removeDir == 0:
		err = linux.EISDIR
	case !dir && flags&removeDir != 0:
		err = linux.ENOTDIR
	default:
		return old.Remove()
	}
	old.Close()
	return err
}

// Remove is remove(9P): the file goes, and the fid with it, also if the file stays. Close does nothing then.
func (f *File) Remove() error {
	if f.closed.Swap(true) {
		return linux.EBADF
	}
	f.closeDir()
	return f.c.do(f.ctx, &tremove{fid: f.number}, new(rremove), func(reply uint8) {
		if reply == 0 { // flushed: perhaps the server still has it
			f.clunkNow()
		} else {
			f.unuse()
		}
	})
}

// Close lets go of the file at the server. Of a file that is open it waits for the server's answer, so that what closing does, such as to
// give up locks, is done; of another it does not. Closing again does nothing.
func (f *File) Close() error {
	if f.closed.Swap(true) {
		return nil
	}
	f.closeDir()
	if f.open.Load() == nil {
		f.clunkNow()
		return nil
	}
	return f.clunk(f.ctx)
}

// Renamed does nothing: a fid follows its file.
func (f *File) Renamed(newDir p9.File, newName string) {}

// checkNames refuses names that are too long to be sent.
func checkNames(names ...string) error {
	for _, name := range names {
		if len(name) > MaxName {
			return linux.ENAMETOOLONG
		}
	}
	return nil
}

// checkPath refuses a path, and a name sent with it, that is too long.
func (c *Client) checkPath(path, name string) error {
	if len(path) > MaxPath || len(name) > MaxName || len(path)+len(name) > c.payload() {
		return linux.ENAMETOOLONG
	}
	return nil
}

// checkAttr refuses attributes that cannot be true.
func checkAttr(a *p9.Attr) error {
	if a.Size > math.MaxInt64 {
		return &Error{linux.EIO, fmt.Sprintf("the server gives a size of %d", a.Size)}
	}
	for _, ns := range [...]*uint64{&a.ATimeNanoSeconds, &a.MTimeNanoSeconds, &a.CTimeNanoSeconds, &a.BTimeNanoSeconds} {
		*ns = min(*ns, 1e9-1)
	}
	return nil
}
