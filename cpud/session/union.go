//go:build linux

package session

import (
	"cmp"
	"os"
	"path"
	"slices"

	"cpu/lib/mnt"
	"cpu/nsfile"

	"golang.org/x/sys/unix"
)

// A union is a mount like any other, served by a process of its own: this executable again, as the session's user, in the session, with a
// descriptor for each member's directory. It sees the members as they were when they joined, so that a union never meets itself. Joining or
// leaving makes the union anew, in place of the old one.

// member is one directory of a union.
type member struct {
	dir    int    // a descriptor, on a mount that is detached
	what   string // the name it joined by; the union's own for what was there before
	create bool   // takes new files
	line   bool   // it joined by a line of the file
}

func closeMembers(members []member) {
	for _, m := range members {
		unix.Close(m.dir)
	}
}

// joined is a union, from one change to the next.
type joined struct {
	members []member
	dev     uint64      // of its mount, by which it is known again
	server  *os.Process // nil once it has been ended
}

// join puts tree, a detached mount called what, into a union with what is at old. It owns tree. It returns the union that is there then.
func (b *builder) join(tree int, what, old string, f nsfile.Flags) (u *joined, err error) {
	made := []member{{dir: tree}} // whose descriptors are of no use if it fails
	defer func() {
		if err != nil {
			closeMembers(made)
		}
	}()
	if dir, err := isDir(tree); err != nil || !dir {
		return nil, cmp.Or(err, error(unix.ENOTDIR))
	}
	was, members, err := b.unionAt(old)
	if err != nil {
		return nil, err
	}
	if was == nil {
		made = append(made, members...)
	}
	m := member{tree, what, f&nsfile.Create != 0, true}
	if f&nsfile.Before != 0 {
		members = append([]member{m}, members...)
	} else {
		members = append(members, m)
	}
	return b.remake(was, members, old)
}

// unionAt is the union that is seen at old, nil if there is none, and the members that it has, or begins with.
func (b *builder) unionAt(old string) (*joined, []member, error) {
	at, err := b.place(old)
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(at)
	var st unix.Stat_t
	if err := unix.Fstat(at, &st); err != nil {
		return nil, nil, err
	}
	if l := b.top(old); l != nil && l.union != nil && l.union.dev == st.Dev {
		return l.union, slices.Clone(l.union.members), nil
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil, nil, unix.ENOTDIR
	}
	tree, err := cloneTree(at, "")
	if err != nil {
		return nil, nil, err
	}
	return nil, []member{{dir: tree, what: old}}, nil
}

// place opens what is at old, as the user, following links; what is missing is made.
func (b *builder) place(old string) (fd int, err error) {
	look := func() (err error) { fd, err = lookup(unix.AT_FDCWD, old, 0, 0); return err }
	if err = b.user.as(look); err != unix.ENOENT {
		return fd, err
	}
	made, err := b.point(b.user, old, true)
	if err != nil {
		return -1, err
	}
	unix.Close(made)
	err = b.user.as(look)
	return fd, err
}

// remake mounts a union of members at old, in the place of was if that is not nil, whose lines become the new one's.
func (b *builder) remake(was *joined, members []member, old string) (*joined, error) {
	u := &joined{members: members}
	tree, err := b.mountUnion(u, path.Base(old))
	if err != nil {
		return nil, err
	}
	defer unix.Close(tree)
	if was != nil {
		err = b.unmountUnion(was, old)
	}
	if err == nil {
		var at int
		if at, err = b.point(b.user, old, true); err == nil {
			err = attach(tree, at, "")
			unix.Close(at)
		}
	}
	if err != nil {
		u.end()
		return nil, err
	}
	u.shorten(tree)
	for _, l := range b.done {
		if was != nil && l.union == was {
			l.union = u
		}
	}
	return u, nil
}

// maxShort bounds how many directories of a union are reached directly.
const maxShort = 256

// shorten spares what is below the union the way through its server: a union is shallow, so that a directory in it is its member's alone, and
// can be bound. Not those of members that take new files, where directories may be expected to be moved and removed. What cannot be bound is
// reached through the server all the same.
func (u *joined) shorten(root int) {
	seen := map[string]bool{}
	n := 0
	for _, m := range u.members {
		entries, err := listTypes(m.dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if seen[e.Name()] {
				continue
			}
			seen[e.Name()] = true
			if !e.IsDir() || m.create || n == maxShort {
				continue
			}
			if tree, err := cloneTree(m.dir, e.Name()); err == nil {
				if attach(tree, root, e.Name()) == nil {
					n++
				}
				unix.Close(tree)
			}
		}
	}
}

// leave takes the last member called what out of u, the union seen at old. What is left of it may be a union no more.
func (b *builder) leave(u *joined, what, old string) error {
	i := len(u.members) - 1
	for i >= 0 && u.members[i].what != what {
		i--
	}
	if i < 0 {
		return unix.EINVAL
	}
	left := slices.Delete(slices.Clone(u.members), i, i+1)
	gone := u.members[i : i+1]
	var err error
	switch {
	case len(left) == 1 && !left[0].line:
		gone = u.members
		err = b.unmountUnion(u, old)
	case len(left) == 0:
		err = unix.EBUSY
	default:
		_, err = b.remake(u, left, old)
	}
	if err == nil {
		closeMembers(gone)
	}
	return err
}

func (b *builder) unmountUnion(u *joined, old string) error {
	if err := b.unmountAt(old); err != nil {
		return err
	}
	u.end()
	return nil
}

// end ends the process that serves the union, whose mount nobody is to see any more, and reaps it.
func (u *joined) end() {
	if u.server != nil {
		u.server.Kill()
		u.server.Wait()
		u.server = nil
	}
}

// mountUnion starts the union's server and returns its mount, detached.
func (b *builder) mountUnion(u *joined, name string) (tree int, err error) {
	tree, err = b.stage(func(at int, undo func()) error {
		o := mnt.Options{FSName: name, CheckModes: b.setup.Become}
		if b.setup.FUSE {
			return b.withFUSE(at, o, undo, func(dev *os.File) error { return b.serveUnion(u, name, dev) })
		}
		return b.withV9FS(at, o, "", func(conn *os.File) error { return b.serveUnion(u, name, conn) })
	})
	if err == nil {
		var st unix.Stat_t
		if err = unix.Fstat(tree, &st); err == nil { // the server answers
			u.dev = st.Dev
			return tree, nil
		}
		unix.Close(tree)
	}
	u.end()
	return -1, err
}
