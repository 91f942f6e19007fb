package union

import (
	"context"
	"errors"
	"sync"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"

	"cpu/lib/ninep"
)

// root is a fid of the union's root directory. The fids of the members' roots belong to the Union and are never opened; a view shares what
// the fid has of its own.
type root struct {
	u   *Union
	ctx context.Context
	*opened
}

// opened is a root's listing: what the members had when it was read from the start.
type opened struct {
	mu   sync.Mutex
	open bool
	list []ninep.DirentAttr
}

var (
	_ ninep.ContextFile   = (*root)(nil)
	_ ninep.AttrReaddirer = (*root)(nil)
)

func (u *Union) newRoot() *root { return &root{u, context.Background(), &opened{}} }

// WithContext implements ninep.ContextFile.
func (r *root) WithContext(ctx context.Context) p9.File { return &root{r.u, ctx, r.opened} }

// Close implements p9.File.
func (r *root) Close() error { return nil }

// member is the root of a member, for an operation of r's.
func (r *root) member(i int) p9.File { return withContext(r.u.members[i].Root, r.ctx) }

// each asks the members in order until one does not fail, and gives its number. Where all fail, the error of the first that failed for another
// reason than that it lacks the name is the one that counts.
func (r *root) each(do func(i int, m p9.File) error) (int, error) {
	var failed error
	for i := range r.u.members {
		err := do(i, r.member(i))
		if err == nil {
			return i, nil
		}
		if failed == nil || absent(failed) && !absent(err) {
			failed = err
		}
	}
	return -1, failed
}

// find is which member a name is found in.
func (r *root) find(name string) (int, error) {
	return r.each(func(_ int, m p9.File) error {
		_, f, err := m.Walk([]string{name})
		if err == nil {
			f.Close()
		}
		return err
	})
}

// creator is which member a new name goes to. A member that has the name already comes first, whether or not it takes new files.
func (r *root) creator(name string) (int, p9.File, error) {
	i, err := r.find(name)
	if absent(err) {
		i, err = r.taker()
	}
	if err != nil {
		return -1, nil, err
	}
	return i, r.member(i), nil
}

// newcomer is which member takes a name that must not be there.
func (r *root) newcomer(name string) (int, p9.File, error) {
	_, err := r.find(name)
	if err == nil {
		return -1, nil, linux.EEXIST
	}
	if !absent(err) {
		return -1, nil, err
	}
	i, err := r.taker()
	if err != nil {
		return -1, nil, err
	}
	return i, r.member(i), nil
}

// taker is the first member that takes new files.
func (r *root) taker() (int, error) {
	for i, m := range r.u.members {
		if m.Create {
			return i, nil
		}
	}
	return -1, linux.EPERM
}

// Walk implements p9.File.
func (r *root) Walk(names []string) (q []p9.QID, f p9.File, err error) {
	if len(names) == 0 {
		return nil, r.u.newRoot(), nil
	}
	i, err := r.each(func(_ int, m p9.File) (err error) {
		q, f, err = m.Walk(names[:1])
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	q, f = qids(i, q), r.u.file(i, f)
	if len(names) == 1 {
		return q, f, nil
	}
	defer f.Close()
	more, to, err := withContext(f, r.ctx).Walk(names[1:])
	return append(q, more...), to, err
}

// WalkGetAttr implements p9.File.
func (r *root) WalkGetAttr(names []string) (q []p9.QID, f p9.File, mask p9.AttrMask, attr p9.Attr, err error) {
	if len(names) != 1 {
		return nil, nil, p9.AttrMask{}, p9.Attr{}, linux.ENOSYS // to be done in two steps
	}
	i, err := r.each(func(_ int, m p9.File) (err error) {
		q, f, mask, attr, err = walkGetAttr(m, r.ctx, names)
		return err
	})
	if err != nil {
		return nil, nil, p9.AttrMask{}, p9.Attr{}, err
	}
	return qids(i, q), r.u.file(i, f), mask, attr, nil
}

// walkGetAttr is a member's WalkGetAttr, or what comes to the same.
func walkGetAttr(m p9.File, ctx context.Context, names []string) ([]p9.QID, p9.File, p9.AttrMask, p9.Attr, error) {
	q, f, mask, attr, err := m.WalkGetAttr(names)
	if !errors.Is(err, linux.ENOSYS) {
		return q, f, mask, attr, err
	}
	if q, f, err = m.Walk(names); err != nil {
		return q, nil, mask, attr, err
	}
	if _, mask, attr, err = withContext(f, ctx).GetAttr(p9.AttrMaskAll); err != nil {
		f.Close()
		return q, nil, mask, attr, err
	}
	return q, f, mask, attr, nil
}

// GetAttr implements p9.File: the root looks like its first member that can be looked at.
func (r *root) GetAttr(req p9.AttrMask) (q p9.QID, mask p9.AttrMask, attr p9.Attr, err error) {
	_, err = r.each(func(_ int, m p9.File) (err error) {
		q, mask, attr, err = m.GetAttr(req)
		return err
	})
	return q, mask, attr, err
}

// SetAttr implements p9.File.
func (r *root) SetAttr(valid p9.SetAttrMask, attr p9.SetAttr) error {
	return r.member(0).SetAttr(valid, attr)
}

// StatFS implements p9.File: the room is where new files go.
func (r *root) StatFS() (p9.FSStat, error) {
	i, err := r.taker()
	if err != nil {
		i = 0
	}
	return r.member(i).StatFS()
}

// FSync implements p9.File. A directory that is a union has nothing of its own to be written.
func (r *root) FSync() error { return nil }

// SetXattr implements p9.File.
func (r *root) SetXattr(attr string, data []byte, flags p9.XattrFlags) error {
	return r.member(0).SetXattr(attr, data, flags)
}

// GetXattr implements p9.File.
func (r *root) GetXattr(attr string) ([]byte, error) { return r.member(0).GetXattr(attr) }

// ListXattrs implements p9.File.
func (r *root) ListXattrs() ([]string, error) { return r.member(0).ListXattrs() }

// RemoveXattr implements p9.File.
func (r *root) RemoveXattr(attr string) error { return r.member(0).RemoveXattr(attr) }

// Create implements p9.File. A file that is there is opened where it is.
func (r *root) Create(name string, flags p9.OpenFlags, mode p9.FileMode, uid p9.UID, gid p9.GID) (p9.File, p9.QID, uint32, error) {
	i, m, err := r.creator(name)
	if err != nil {
		return nil, p9.QID{}, 0, err
	}
	_, dir, err := m.Walk(nil)
	if err != nil {
		return nil, p9.QID{}, 0, err
	}
	defer dir.Close()
	f, q, unit, err := withContext(dir, r.ctx).Create(name, flags, mode, uid, gid)
	if err != nil {
		return nil, p9.QID{}, 0, err
	}
	return r.u.file(i, f), qid(i, q), unit, nil
}

// Mkdir implements p9.File.
func (r *root) Mkdir(name string, mode p9.FileMode, uid p9.UID, gid p9.GID) (p9.QID, error) {
	i, m, err := r.newcomer(name)
	if err != nil {
		return p9.QID{}, err
	}
	q, err := m.Mkdir(name, mode, uid, gid)
	return qid(i, q), err
}

// Symlink implements p9.File.
func (r *root) Symlink(target, name string, uid p9.UID, gid p9.GID) (p9.QID, error) {
	i, m, err := r.newcomer(name)
	if err != nil {
		return p9.QID{}, err
	}
	q, err := m.Symlink(target, name, uid, gid)
	return qid(i, q), err
}

// Mknod implements p9.File.
func (r *root) Mknod(name string, mode p9.FileMode, major, minor uint32, uid p9.UID, gid p9.GID) (p9.QID, error) {
	i, m, err := r.newcomer(name)
	if err != nil {
		return p9.QID{}, err
	}
	q, err := m.Mknod(name, mode, major, minor, uid, gid)
	return qid(i, q), err
}

// Link implements p9.File. The new name is in the member that has the file, if that takes new files.
func (r *root) Link(target p9.File, name string) error {
	f, ok := target.(file)
	if !ok || f.u != r.u {
		return linux.EXDEV
	}
	if _, err := r.find(name); err == nil {
		return linux.EEXIST
	} else if !absent(err) {
		return err
	}
	if !r.u.members[f.member].Create {
		return linux.EPERM
	}
	return r.member(f.member).Link(f.File, name)
}

// UnlinkAt implements p9.File.
func (r *root) UnlinkAt(name string, flags uint32) error {
	i, err := r.find(name)
	if err != nil {
		return err
	}
	return r.member(i).UnlinkAt(name, flags)
}

// RenameAt implements p9.File.
func (r *root) RenameAt(oldName string, dir p9.File, newName string) error {
	i, err := r.find(oldName)
	if err != nil {
		return err
	}
	d, err := r.u.into(i, dir, newName)
	if err != nil {
		return err
	}
	return r.member(i).RenameAt(oldName, d, newName)
}

// Rename implements p9.File.
func (r *root) Rename(p9.File, string) error { return linux.EBUSY }

// Renamed implements p9.File.
func (r *root) Renamed(p9.File, string) {}

// Open implements p9.File.
func (r *root) Open(mode p9.OpenFlags) (p9.QID, uint32, error) {
	if mode&p9.OpenFlagsModeMask != p9.ReadOnly {
		return p9.QID{}, 0, linux.EISDIR
	}
	q, _, _, err := r.GetAttr(p9.AttrMask{})
	if err != nil {
		return p9.QID{}, 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open {
		return p9.QID{}, 0, linux.EBUSY
	}
	r.open = true
	return q, 0, nil
}

// Readdir implements p9.File.
func (r *root) Readdir(offset uint64, count uint32) (p9.Dirents, error) {
	list, err := r.ReaddirAttr(offset, count)
	var plain p9.Dirents
	for _, d := range list {
		plain = append(plain, d.Dirent)
	}
	return plain, err
}

// direntRoom is more than an entry takes besides its name, with its attributes.
const direntRoom = 192

// ReaddirAttr implements ninep.AttrReaddirer. From offset 0 on, the members are read anew.
func (r *root) ReaddirAttr(offset uint64, count uint32) ([]ninep.DirentAttr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.open {
		return nil, linux.EBADF
	}
	if offset == 0 {
		list, err := r.merge()
		if err != nil {
			return nil, err
		}
		r.list = list
	}
	if offset >= uint64(len(r.list)) {
		return nil, nil
	}
	rest := r.list[offset:]
	n, size := 0, 0
	for n < len(rest) {
		if size += direntRoom + len(rest[n].Name); n > 0 && size > int(count) {
			break
		}
		n++
	}
	return rest[:n], nil
}

// maxEntries bounds the listing of a union, for a member's may never end.
const maxEntries = 1 << 20

// merge lists the members' entries, each name once, numbered. A member that cannot be read is left out, unless none can.
func (r *root) merge() (list []ninep.DirentAttr, err error) {
	seen := map[string]bool{}
	read := false
	for i := range r.u.members {
		entries, e := r.entries(i, maxEntries-len(list))
		if e != nil {
			if err == nil {
				err = e
			}
			continue
		}
		read = true
		for _, d := range entries {
			if d.Name == "." || d.Name == ".." || seen[d.Name] {
				continue
			}
			seen[d.Name] = true
			d.QID = qid(i, d.QID)
			d.Offset = uint64(len(list) + 1)
			list = append(list, d)
		}
	}
	if read {
		err = nil
	}
	return list, err
}

// entries are those of one member, max at most.
func (r *root) entries(i, max int) (all []ninep.DirentAttr, err error) {
	_, f, err := r.member(i).Walk(nil)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	f = withContext(f, r.ctx)
	if _, _, err := f.Open(p9.ReadOnly); err != nil {
		return nil, err
	}
	for offset := uint64(0); len(all) < max; {
		list, err := readdir(f, offset)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return all, nil
		}
		all = append(all, list...)
		offset = list[len(list)-1].Offset
	}
	return nil, linux.EOVERFLOW
}

// readdir reads some entries of a member, with their attributes where it gives them.
func readdir(f p9.File, offset uint64) (list []ninep.DirentAttr, err error) {
	const count = 64 << 10
	if d, ok := f.(ninep.AttrReaddirer); ok {
		if list, err = d.ReaddirAttr(offset, count); !errors.Is(err, linux.ENOSYS) {
			return list, err
		}
	}
	plain, err := f.Readdir(offset, count)
	for _, d := range plain {
		list = append(list, ninep.DirentAttr{Dirent: d})
	}
	return list, err
}

// A directory is neither read as a file nor written, locked or followed.

// ReadAt implements p9.File.
func (r *root) ReadAt([]byte, int64) (int, error) { return 0, linux.EISDIR }

// WriteAt implements p9.File.
func (r *root) WriteAt([]byte, int64) (int, error) { return 0, linux.EISDIR }

// Readlink implements p9.File.
func (r *root) Readlink() (string, error) { return "", linux.EINVAL }

// Lock implements p9.File.
func (r *root) Lock(int, p9.LockType, p9.LockFlags, uint64, uint64, string) (p9.LockStatus, error) {
	return p9.LockStatusError, linux.EBADF
}
