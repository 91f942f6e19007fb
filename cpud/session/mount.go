//go:build linux

package session

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// The calls of mount(2)'s successors that work on descriptors: no name is looked up twice, and nothing depends on where the root is.

// cloneTree returns a detached copy of the mounts at name below dir, with all that is mounted below it. An empty name is dir itself. Copies
// are always recursive: in a user namespace nothing else is allowed, for a mount may be there to hide what is under it.
func cloneTree(dir int, name string) (int, error) {
	flags := unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_RECURSIVE | unix.AT_SYMLINK_NOFOLLOW
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	return unix.OpenTree(dir, name, uint(flags))
}

// attach mounts the detached tree on name below dir, on top of whatever is mounted there. An empty name is dir itself.
func attach(tree, dir int, name string) error {
	flags := unix.MOVE_MOUNT_F_EMPTY_PATH
	if name == "" {
		flags |= unix.MOVE_MOUNT_T_EMPTY_PATH
	}
	return unix.MoveMount(tree, "", dir, name, flags)
}

// newTmpfs returns a detached tmpfs whose root directory has that mode and, where the helper may say so, that owner.
func newTmpfs(mode, uid, gid uint32) (int, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("fsopen", err)
	}
	defer unix.Close(fs)
	unix.FsconfigSetString(fs, "source", "cpu")
	if err := unix.FsconfigSetString(fs, "mode", strconv.FormatUint(uint64(mode&0o7777), 8)); err != nil {
		return -1, os.NewSyscallError("fsconfig", err)
	}
	// An owner that is not mapped in the user namespace is refused; the directory is the helper's then.
	unix.FsconfigSetString(fs, "uid", strconv.FormatUint(uint64(uid), 10))
	unix.FsconfigSetString(fs, "gid", strconv.FormatUint(uint64(gid), 10))
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, os.NewSyscallError("fsconfig", err)
	}
	m, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	return m, os.NewSyscallError("fsmount", err)
}

// lookup opens path for its place alone, below dir if it is relative. As with any path of a user's, the links that /proc makes up are not
// followed: they lead where the helper may go and the user may not.
func lookup(dir int, path string, flags, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | flags, Resolve: unix.RESOLVE_NO_MAGICLINKS | resolve}
	for {
		fd, err := unix.Openat2(dir, path, &how)
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}

func isDir(fd int) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, err
	}
	return st.Mode&unix.S_IFMT == unix.S_IFDIR, nil
}
