//go:build linux

package session

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// user is whose eyes a helper sees the file system with while it resolves paths. All of it belongs to the calling thread, which must be
// locked. Where the helper is not root, or the user is, there is nothing to change.
type user struct {
	uid, gid uint32
	groups   []uint32
	become   bool
}

// as runs f with the user's file system ids. Linux takes the capabilities that pass over permissions away with them, and leaves the one
// for mounting.
func (u *user) as(f func() error) error {
	if !u.become || u.uid == 0 {
		return f()
	}
	groups := make([]int, len(u.groups))
	for i, g := range u.groups {
		groups[i] = int(g)
	}
	if err := unix.Setgroups(groups); err != nil {
		return os.NewSyscallError("setgroups", err)
	}
	if err := fsIDs(u.uid, u.gid); err != nil {
		return err
	}
	err := f()
	if back := fsIDs(0, 0); back != nil {
		return back
	}
	return err
}

// fsIDs sets the thread's file system ids and checks that they are set, for the calls themselves report nothing.
func fsIDs(uid, gid uint32) error {
	unix.Setfsgid(int(gid))
	unix.Setfsuid(int(uid))
	const query = -1
	if got, _ := unix.SetfsgidRetGid(query); uint32(got) != gid {
		return fmt.Errorf("setfsgid %d: %w", gid, unix.EPERM)
	}
	if got, _ := unix.SetfsuidRetUid(query); uint32(got) != uid {
		return fmt.Errorf("setfsuid %d: %w", uid, unix.EPERM)
	}
	return nil
}

// allCapabilities is what the root of a user namespace may do; a helper that is not uid 0 there has to be given it across its exec.
func allCapabilities() []uintptr {
	var all []uintptr
	for c := range uintptr(unix.CAP_LAST_CAP + 1) {
		if v, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0); err == nil && v >= 0 {
			all = append(all, c)
		}
	}
	return all
}

// passNoCapabilities makes sure that what the calling thread runs inherits none of its capabilities.
func passNoCapabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&h, &data[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	if err := unix.Capset(&h, &data[0]); err != nil {
		return os.NewSyscallError("capset", err)
	}
	return nil
}
