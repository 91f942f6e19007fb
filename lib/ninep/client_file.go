package ninep

import (
	"context"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// File is a fid of a [Client]. It offers p9.File and all of this package's optional interfaces. Once the connection is dead, every
// method gives EIO at once.
type File struct {
}

func (f *File) WithContext(ctx context.Context) p9.File { return f }

func (f *File) Walk(names []string) ([]p9.QID, p9.File, error) { return nil, nil, linux.EIO }

func (f *File) WalkGetAttr(names []string) ([]p9.QID, p9.File, p9.AttrMask, p9.Attr, error) {
	return nil, nil, p9.AttrMask{}, p9.Attr{}, linux.EIO
}

func (f *File) StatFS() (p9.FSStat, error) { return p9.FSStat{}, linux.EIO }

func (f *File) GetAttr(req p9.AttrMask) (p9.QID, p9.AttrMask, p9.Attr, error) {
	return p9.QID{}, p9.AttrMask{}, p9.Attr{}, linux.EIO
}

func (f *File) SetAttr(valid p9.SetAttrMask, attr p9.SetAttr) error { return linux.EIO }

func (f *File) Close() error { return linux.EIO }

func (f *File) Open(mode p9.OpenFlags) (p9.QID, uint32, error) { return p9.QID{}, 0, linux.EIO }

func (f *File) OpenRead(mode p9.OpenFlags, p []byte) (qid p9.QID, iounit uint32, n int, eof bool, err error) {
	return p9.QID{}, 0, 0, false, linux.EIO
}

func (f *File) ReadAt(p []byte, offset int64) (int, error) { return 0, linux.EIO }

func (f *File) WriteAt(p []byte, offset int64) (int, error) { return 0, linux.EIO }

func (f *File) SetXattr(attr string, data []byte, flags p9.XattrFlags) error { return linux.EIO }

func (f *File) GetXattr(attr string) ([]byte, error) { return nil, linux.EIO }

func (f *File) ListXattrs() ([]string, error) { return nil, linux.EIO }

func (f *File) RemoveXattr(attr string) error { return linux.EIO }

func (f *File) FSync() error { return linux.EIO }

func (f *File) Lock(pid int, locktype p9.LockType, flags p9.LockFlags, start, length uint64, client string) (p9.LockStatus, error) {
	return p9.LockStatusError, linux.EIO
}

func (f *File) GetLock(l Lock) (Lock, error) { return Lock{}, linux.EIO }

// Create makes a file in directory f and opens it. The file returned is a new one, which the caller closes; f stays what it is.
func (f *File) Create(name string, flags p9.OpenFlags, permissions p9.FileMode, uid p9.UID, gid p9.GID) (p9.File, p9.QID, uint32, error) {
	return nil, p9.QID{}, 0, linux.EIO
}

func (f *File) Mkdir(name string, permissions p9.FileMode, uid p9.UID, gid p9.GID) (p9.QID, error) {
	return p9.QID{}, linux.EIO
}

func (f *File) Symlink(oldName, newName string, uid p9.UID, gid p9.GID) (p9.QID, error) {
	return p9.QID{}, linux.EIO
}

func (f *File) Link(target p9.File, newName string) error { return linux.EIO }

func (f *File) Mknod(name string, mode p9.FileMode, major, minor uint32, uid p9.UID, gid p9.GID) (p9.QID, error) {
	return p9.QID{}, linux.EIO
}

func (f *File) Rename(newDir p9.File, newName string) error { return linux.EIO }

func (f *File) RenameAt(oldName string, newDir p9.File, newName string) error { return linux.EIO }

func (f *File) UnlinkAt(name string, flags uint32) error { return linux.EIO }

func (f *File) Remove() error { return linux.EIO }

func (f *File) Readdir(offset uint64, count uint32) (p9.Dirents, error) { return nil, linux.EIO }

func (f *File) ReaddirAttr(offset uint64, count uint32) ([]DirentAttr, error) { return nil, linux.EIO }

func (f *File) Readlink() (string, error) { return "", linux.EIO }

// Renamed does nothing: a fid follows its file.
func (f *File) Renamed(newDir p9.File, newName string) {}

var (
	_ ContextFile   = (*File)(nil)
	_ AttrReaddirer = (*File)(nil)
	_ ReadOpener    = (*File)(nil)
	_ Remover       = (*File)(nil)
	_ LockGetter    = (*File)(nil)
)
