//go:build linux

package session

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// root is the root of the session's namespace, and what stays of the server's. A helper has one.
type root struct {
	// server is the server's own root as it was, a mount that nothing in the namespace has a name for: it sits on a directory of a
	// tmpfs that srv covers. It has to be attached all the same, for Linux binds nothing from a tree that is not.
	server int
	// srv is the session's /srv, a tmpfs; cover is the one that it hides.
	srv, cover int
	// made are the trees of #e and #d by their letters, on directories of cover.
	made map[byte]int
	// proc is the server's /proc, for the helper itself: the session's may be something else.
	proc int
	// ours are the file systems that were made for the session, by device number: new names may be made there.
	ours map[uint64]bool
}

// newRoot makes the namespace that the helper was started in private, and gives it a /srv.
func newRoot(u *user) (*root, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return nil, fmt.Errorf("make / private: %w", err)
	}
	r := &root{server: -1, srv: -1, cover: -1, proc: -1, made: map[byte]int{}, ours: map[uint64]bool{}}
	var err error
	if r.proc, err = unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return nil, &os.PathError{Op: "open", Path: "/proc", Err: err}
	}
	if r.server, err = cloneTree(unix.AT_FDCWD, "/"); err != nil {
		return nil, fmt.Errorf("copy /: %w", err)
	}
	if r.srv, err = r.tmpfs(0o755, u.uid, u.gid); err != nil {
		return nil, fmt.Errorf("/srv: %w", err)
	}
	fd, err := lookup(unix.AT_FDCWD, "/srv", unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return r, r.replace(true)
	}
	defer unix.Close(fd)
	return r, r.hide(fd)
}

// tmpfs is newTmpfs, remembered as one of ours.
func (r *root) tmpfs(mode, uid, gid uint32) (int, error) {
	fd, err := newTmpfs(mode, uid, gid)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, err
	}
	r.ours[st.Dev] = true
	return fd, nil
}

// hide mounts the server's root and then srv, both detached, on the directory dir.
func (r *root) hide(dir int) error {
	cover, err := newTmpfs(0o700, 0, 0)
	if err != nil {
		return fmt.Errorf("/srv: %w", err)
	}
	unix.Close(r.cover)
	for letter, fd := range r.made {
		unix.Close(fd)
		delete(r.made, letter)
	}
	r.cover = cover
	if err := attach(cover, dir, ""); err != nil {
		return fmt.Errorf("/srv: %w", err)
	}
	if err := r.stow(r.server, "root"); err != nil {
		return fmt.Errorf("/srv: %w", err)
	}
	if err := attach(r.srv, cover, ""); err != nil {
		return fmt.Errorf("/srv: %w", err)
	}
	return nil
}

// stow attaches a detached tree where nothing in the namespace has a name for it.
func (r *root) stow(tree int, name string) error {
	if err := unix.Mkdirat(r.cover, name, 0o700); err != nil {
		return err
	}
	return attach(tree, r.cover, name)
}

// replace gives the namespace a new root, a tmpfs with /srv and, if keep, with all that the present root has. It is where the helper is
// afterwards. Descriptors of places below the old root cannot be mounted on, or from, any more.
func (r *root) replace(keep bool) error {
	old, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(old)
	var st unix.Stat_t
	if err := unix.Fstat(old, &st); err != nil {
		return err
	}
	fresh, err := r.tmpfs(st.Mode, st.Uid, st.Gid)
	if err != nil {
		return fmt.Errorf("/: %w", err)
	}
	defer unix.Close(fresh)
	// The old root, once left, takes what is below it along.
	if r.cover >= 0 {
		for _, fd := range []*int{&r.server, &r.srv} {
			clone, err := cloneTree(*fd, "")
			if err != nil {
				return fmt.Errorf("copy /: %w", err)
			}
			unix.Close(*fd)
			*fd = clone
		}
	}
	if err := attach(fresh, old, ""); err != nil {
		return fmt.Errorf("/: %w", err)
	}
	if err := unix.Mkdirat(fresh, "srv", 0o755); err != nil {
		return fmt.Errorf("/srv: %w", err)
	}
	srv, err := unix.Openat(fresh, "srv", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("/srv: %w", err)
	}
	defer unix.Close(srv)
	if err := r.hide(srv); err != nil {
		return err
	}
	if keep {
		if err := fill(fresh, old, "/", func(name string) bool { return name != "srv" }); err != nil {
			return err
		}
	}
	return enter(fresh)
}

// enter makes the directory fd, the root of a mount that covers /, the root. Pivot_root leaves nothing of the old one. Where the kernel
// refuses it, because the root is no mount of its own or is the first of all, or the filter of system calls of a container does, which
// lets nobody call it, the old root stays below, out of reach.
func enter(fd int) error {
	if err := unix.Fchdir(fd); err != nil {
		return err
	}
	switch err := unix.PivotRoot(".", "."); err {
	case nil:
		if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
			return fmt.Errorf("leave the old root: %w", err)
		}
	case unix.EINVAL, unix.EPERM:
		if err := unix.Chroot("."); err != nil {
			return os.NewSyscallError("chroot", err)
		}
	default:
		return os.NewSyscallError("pivot_root", err)
	}
	return unix.Chdir("/")
}

// inServer runs f with the server's root as the root, and then with dir, a descriptor, as the current directory.
func (r *root) inServer(dir int, f func() error) error {
	here, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(here)
	if err := chroot(r.server); err != nil {
		return err
	}
	err = unix.Fchdir(dir)
	if err == nil {
		err = f()
	}
	if back := chroot(here); back != nil {
		return back
	}
	return err
}

func chroot(fd int) error {
	if err := unix.Fchdir(fd); err != nil {
		return err
	}
	return os.NewSyscallError("chroot", unix.Chroot("."))
}
