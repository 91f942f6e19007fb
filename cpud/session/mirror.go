//go:build linux

package session

import (
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links may stand in the way of a missing mount point.
const maxLinks = 40

// point returns the place at the absolute path p, to be mounted on: a directory if dir is set, a file if not. What is missing of it is made, in
// the session's own file systems alone. The place is looked up as the user, made as the helper.
//
// A symbolic link in the place of a directory gives way to one; it is not followed as in the place of a file. Otherwise two names that are
// one on the server, such as /bin and /usr/bin, could not be two in the session, as they may be at the terminal.
func (r *root) point(u *user, p string, dir bool) (int, error) {
	follow := uint64(0)
	if dir {
		follow = unix.O_NOFOLLOW
	}
	for range maxLinks {
		fd := -1
		err := u.as(func() (err error) { fd, err = lookup(unix.AT_FDCWD, p, follow, 0); return err })
		if err == unix.ENOENT {
			if p, err = r.make(u, p, dir); err != nil {
				return -1, err
			}
			continue
		}
		if err != nil {
			return -1, err
		}
		var st unix.Stat_t
		err = unix.Fstat(fd, &st)
		switch is := st.Mode & unix.S_IFMT; {
		case err != nil:
		case is == unix.S_IFLNK:
			unix.Close(fd)
			if err := r.shadow(u, p); err != nil {
				return -1, err
			}
			continue
		case is == unix.S_IFDIR && !dir:
			err = unix.EISDIR
		case is != unix.S_IFDIR && dir:
			err = unix.ENOTDIR
		}
		if err != nil {
			unix.Close(fd)
			return -1, err
		}
		return fd, nil
	}
	return -1, unix.ELOOP
}

// shadow puts a directory in the place of the symbolic link p.
func (r *root) shadow(u *user, p string) error {
	dir, err := r.own(u, path.Dir(p))
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if err := unix.Unlinkat(dir, path.Base(p), 0); err != nil {
		return err
	}
	return unix.Mkdirat(dir, path.Base(p), 0o755)
}

// own opens the directory p, as the user finds it, after it has been covered with one of ours, if it is none.
func (r *root) own(u *user, p string) (int, error) {
	for {
		fd := -1
		err := u.as(func() (err error) { fd, err = lookup(unix.AT_FDCWD, p, unix.O_DIRECTORY, 0); return err })
		if err != nil {
			return -1, err
		}
		var st unix.Stat_t
		err = unix.Fstat(fd, &st)
		if err == nil && r.ours[st.Dev] {
			return fd, nil
		}
		if err == nil {
			err = r.mirror(fd, p, &st)
		}
		unix.Close(fd)
		if err != nil {
			return -1, err
		}
	}
}

// make makes what is missing of p. It returns the path to look up next, which is another one where a symbolic link leads nowhere.
func (r *root) make(u *user, p string, dir bool) (string, error) {
	parent, rest := "/", strings.TrimPrefix(path.Clean(p), "/")
	for {
		name, more, below := strings.Cut(rest, "/")
		at := path.Join(parent, name)
		fd := -1
		err := u.as(func() (err error) { fd, err = lookup(unix.AT_FDCWD, at, 0, 0); return err })
		if err == nil {
			unix.Close(fd)
			if !below {
				return p, nil
			}
			parent, rest = at, more
			continue
		}
		if err != unix.ENOENT {
			return "", err
		}
		in, err := r.own(u, parent)
		if err != nil {
			return "", err
		}
		defer unix.Close(in)
		if target, err := readlink(in, name); err == nil {
			if !path.IsAbs(target) {
				target = path.Join(parent, target)
			}
			return path.Join(target, more), nil
		}
		if below || dir {
			err = unix.Mkdirat(in, name, 0o755)
		} else {
			err = touch(in, name)
		}
		return p, err
	}
}

// mirror covers the directory fd, found at p, with a tmpfs that has the same entries.
func (r *root) mirror(fd int, p string, st *unix.Stat_t) error {
	// The root is the one directory that is its own parent. A copy of it that is bound somewhere is not.
	var up unix.Stat_t
	if err := unix.Fstatat(fd, "..", &up, 0); err != nil {
		return err
	}
	if st.Dev == up.Dev && st.Ino == up.Ino {
		return r.replace(true)
	}
	fresh, err := r.tmpfs(st.Mode, st.Uid, st.Gid)
	if err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	defer unix.Close(fresh)
	if err := attach(fresh, fd, ""); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	if err := fill(fresh, fd, p, func(string) bool { return true }); err != nil {
		if unix.Fchdir(fresh) == nil {
			unix.Unmount(".", unix.MNT_DETACH)
			unix.Chdir("/")
		}
		return err
	}
	return nil
}

// fill gives the directory to the entries of the directory from, found at p, those that want says: symbolic links as they are, all else
// bound. An entry that cannot be looked at, because it has gone or is the mount of a file system that is dead, is left out.
func fill(to, from int, p string, want func(name string) bool) error {
	names, err := list(from)
	if err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	for _, name := range names {
		if !want(name) {
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstatat(from, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			continue
		}
		if err := copyEntry(to, from, name, st.Mode); err != nil && err != unix.ENOENT {
			return fmt.Errorf("%s: %w", path.Join(p, name), err)
		}
	}
	return nil
}

func copyEntry(to, from int, name string, mode uint32) error {
	switch mode & unix.S_IFMT {
	case unix.S_IFLNK:
		target, err := readlink(from, name)
		if err == nil {
			err = unix.Symlinkat(target, to, name)
		}
		return err
	case unix.S_IFDIR:
		if err := unix.Mkdirat(to, name, 0o755); err != nil {
			return err
		}
	default:
		if err := touch(to, name); err != nil {
			return err
		}
	}
	tree, err := cloneTree(from, name)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	return attach(tree, to, name)
}

// maxEntries bounds a directory that is read: the terminal's may never end.
const maxEntries = 1 << 17

// list returns the names in the directory dir, opened O_PATH.
func list(dir int) ([]string, error) { return entries(dir, (*os.File).Readdirnames) }

// listTypes returns the entries of the directory dir, opened O_PATH, as far as the directory itself tells.
func listTypes(dir int) ([]os.DirEntry, error) { return entries(dir, (*os.File).ReadDir) }

func entries[T any](dir int, read func(*os.File, int) ([]T, error)) ([]T, error) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), ".")
	defer f.Close()
	all, err := read(f, maxEntries)
	if err == nil && len(all) == maxEntries {
		return nil, fmt.Errorf("more than %d entries", maxEntries-1)
	}
	if err == io.EOF {
		err = nil
	}
	return all, reason(err)
}

func touch(dir int, name string) error {
	fd, err := unix.Openat(dir, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func readlink(dir int, name string) (string, error) {
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, b)
	if err != nil {
		return "", err
	}
	return string(b[:n]), nil
}
