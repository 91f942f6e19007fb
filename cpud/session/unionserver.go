//go:build linux

package session

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"

	"cpu/exportfs"
	"cpu/lib/mnt"
	"cpu/lib/ninep"
	"cpu/lib/union"

	"golang.org/x/sys/unix"
)

// unionName tells this program, started again, that it is to serve a union.
const unionName = "cpud-union"

// unionFD is the descriptor of /dev/fuse, or of the socket that the kernel speaks 9P on; those of the members follow.
const unionFD = 3

// serveUnion starts the server. The mount on dev answers from then on; if the server does not come about, with errors.
//
// The server has a mount namespace of its own, or the session's next root would leave it without /proc.
func (b *builder) serveUnion(u *joined, name string, dev *os.File) error {
	how := "v9fs"
	if b.setup.FUSE {
		how = "fuse"
	}
	ids := ""
	if !b.setup.Become {
		ids = strconv.Itoa(int(b.setup.UID)) + ":" + strconv.Itoa(int(b.setup.GID))
	}
	args := []string{unionName, how, name, ids}
	attr := &syscall.ProcAttr{Dir: "/", Files: []uintptr{2, 2, 2, dev.Fd()},
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, Unshareflags: syscall.CLONE_NEWNS}}
	for _, m := range u.members {
		c := "-"
		if m.create {
			c = "c"
		}
		args = append(args, c)
		attr.Files = append(attr.Files, uintptr(m.dir))
	}
	if b.setup.Become {
		attr.Sys.Credential = &syscall.Credential{Uid: b.setup.UID, Gid: b.setup.GID, Groups: b.setup.Groups}
	}
	root, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	return b.inServer(root, func() error {
		pid, err := syscall.ForkExec("/proc/self/exe", args, attr)
		if err != nil {
			return os.NewSyscallError("fork", err)
		}
		u.server, err = os.FindProcess(pid)
		return err
	})
}

// unionMain serves a union until its mount is gone, as its arguments say; see serveUnion.
func unionMain(args []string) error {
	how, name, owner, create := args[0], args[1], args[2], args[3:]
	members := make([]union.Member, len(create))
	for i, c := range create {
		fd := unionFD + 1 + i
		tree, err := exportfs.New(exportfs.Options{Root: "/proc/self/fd/" + strconv.Itoa(fd)})
		if err != nil {
			return err
		}
		unix.Close(fd)
		root, err := tree.Attach()
		if err != nil {
			return err
		}
		members[i] = union.Member{Root: root, Create: c == "c"}
	}
	u, err := union.New(members)
	if err != nil {
		return err
	}
	dev := os.NewFile(unionFD, name)
	if how == "v9fs" {
		w, err := newSocket(dev)
		if err != nil {
			return err
		}
		return (&ninep.Server{Attacher: u, Versions: []string{ninep.Version9P2000L}}).Serve(context.Background(), w.UnixConn)
	}
	o := mnt.Options{FSName: name, IDs: ownIDs(owner)}
	root, err := u.Attach()
	if err != nil {
		return err
	}
	return mnt.ServeFUSE(context.Background(), dev, root, o)
}

// ownIDs makes every file the one user's of a user namespace, `uid:gid`, as terminalIDs does.
func ownIDs(owner string) (ids []mnt.IDMap) {
	var id [2]uint32
	uid, gid, ok := strings.Cut(owner, ":")
	if !ok {
		return nil
	}
	for i, s := range []string{uid, gid} {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return nil
		}
		id[i] = uint32(n)
	}
	return []mnt.IDMap{{Far: mnt.AnyID, Near: id[0]}, {Far: mnt.AnyID, Near: id[1], Group: true}}
}
