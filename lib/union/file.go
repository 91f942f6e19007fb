package union

import (
	"context"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"

	"cpu/lib/ninep"
)

// file is a file below the root. It is its member's, but for its number.
type file struct {
	p9.File
	u      *Union
	member int
}

var (
	_ ninep.ContextFile   = file{}
	_ ninep.AttrReaddirer = file{}
	_ ninep.Remover       = file{}
	_ ninep.LockGetter    = file{}
)

func (u *Union) file(member int, f p9.File) p9.File {
	if f == nil {
		return nil
	}
	return file{f, u, member}
}

// WithContext implements ninep.ContextFile.
func (f file) WithContext(ctx context.Context) p9.File {
	return file{withContext(f.File, ctx), f.u, f.member}
}

// Walk implements p9.File.
func (f file) Walk(names []string) ([]p9.QID, p9.File, error) {
	q, to, err := f.File.Walk(names)
	return qids(f.member, q), f.u.file(f.member, to), err
}

// WalkGetAttr implements p9.File.
func (f file) WalkGetAttr(names []string) ([]p9.QID, p9.File, p9.AttrMask, p9.Attr, error) {
	q, to, mask, attr, err := f.File.WalkGetAttr(names)
	return qids(f.member, q), f.u.file(f.member, to), mask, attr, err
}

// GetAttr implements p9.File.
func (f file) GetAttr(req p9.AttrMask) (p9.QID, p9.AttrMask, p9.Attr, error) {
	q, mask, attr, err := f.File.GetAttr(req)
	return qid(f.member, q), mask, attr, err
}

// Open implements p9.File.
func (f file) Open(mode p9.OpenFlags) (p9.QID, uint32, error) {
	q, unit, err := f.File.Open(mode)
	return qid(f.member, q), unit, err
}

// Create implements p9.File.
func (f file) Create(name string, flags p9.OpenFlags, mode p9.FileMode, uid p9.UID, gid p9.GID) (p9.File, p9.QID, uint32, error) {
	made, q, unit, err := f.File.Create(name, flags, mode, uid, gid)
	return f.u.file(f.member, made), qid(f.member, q), unit, err
}

// Mkdir implements p9.File.
func (f file) Mkdir(name string, mode p9.FileMode, uid p9.UID, gid p9.GID) (p9.QID, error) {
	q, err := f.File.Mkdir(name, mode, uid, gid)
	return qid(f.member, q), err
}

// Symlink implements p9.File.
func (f file) Symlink(target, name string, uid p9.UID, gid p9.GID) (p9.QID, error) {
	q, err := f.File.Symlink(target, name, uid, gid)
	return qid(f.member, q), err
}

// Mknod implements p9.File.
func (f file) Mknod(name string, mode p9.FileMode, major, minor uint32, uid p9.UID, gid p9.GID) (p9.QID, error) {
	q, err := f.File.Mknod(name, mode, major, minor, uid, gid)
	return qid(f.member, q), err
}

// Link implements p9.File.
func (f file) Link(target p9.File, name string) error {
	t, err := f.u.of(f.member, target)
	if err != nil {
		return err
	}
	return f.File.Link(t, name)
}

// Rename implements p9.File.
func (f file) Rename(dir p9.File, name string) error {
	d, err := f.u.into(f.member, dir, name)
	if err != nil {
		return err
	}
	return f.File.Rename(d, name)
}

// RenameAt implements p9.File.
func (f file) RenameAt(oldName string, dir p9.File, newName string) error {
	d, err := f.u.into(f.member, dir, newName)
	if err != nil {
		return err
	}
	return f.File.RenameAt(oldName, d, newName)
}

// Renamed implements p9.File.
func (f file) Renamed(dir p9.File, name string) {
	if d, err := f.u.of(f.member, dir); err == nil {
		f.File.Renamed(d, name)
	}
}

// Readdir implements p9.File.
func (f file) Readdir(offset uint64, count uint32) (p9.Dirents, error) {
	list, err := f.File.Readdir(offset, count)
	for i := range list {
		list[i].QID = qid(f.member, list[i].QID)
	}
	return list, err
}

// ReaddirAttr implements ninep.AttrReaddirer, if the member does.
func (f file) ReaddirAttr(offset uint64, count uint32) ([]ninep.DirentAttr, error) {
	d, ok := f.File.(ninep.AttrReaddirer)
	if !ok {
		return nil, linux.ENOSYS
	}
	list, err := d.ReaddirAttr(offset, count)
	for i := range list {
		list[i].QID = qid(f.member, list[i].QID)
	}
	return list, err
}

// Remove implements ninep.Remover, if the member does.
func (f file) Remove() error {
	if r, ok := f.File.(ninep.Remover); ok {
		return r.Remove()
	}
	return linux.ENOSYS
}

// GetLock implements ninep.LockGetter, if the member does.
func (f file) GetLock(l ninep.Lock) (ninep.Lock, error) {
	if g, ok := f.File.(ninep.LockGetter); ok {
		return g.GetLock(l)
	}
	return ninep.Lock{}, linux.ENOSYS
}

// of is what f, a file of the union, is in that member; EXDEV if it is another's.
func (u *Union) of(member int, f p9.File) (p9.File, error) {
	if f, ok := f.(file); ok && f.u == u && f.member == member {
		return f.File, nil
	}
	return nil, linux.EXDEV
}

// into is what dir is in a member for a file that is to get a name in it: the root is that member's, unless another member, whose file
// would then be hidden or hide this one, has the name.
func (u *Union) into(member int, dir p9.File, name string) (p9.File, error) {
	r, ok := dir.(*root)
	if !ok || r.u != u {
		return u.of(member, dir)
	}
	has, err := r.find(name)
	if err != nil && !absent(err) {
		return nil, err
	}
	if err == nil && has != member {
		return nil, linux.EXDEV
	}
	return withContext(u.members[member].Root, r.ctx), nil
}
