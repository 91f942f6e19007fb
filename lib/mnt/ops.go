//go:build linux

package mnt

import (
	"github.com/hugelgupf/p9/linux"
	"golang.org/x/sys/unix"
)

// handle does what the request asks for.
func (r *request) handle() error {
	n := r.s.nodes.node(r.node)
	if n == nil {
		return linux.ESTALE
	}
	switch r.op {
	case opLookup:
		return r.lookup(n)
	case opGetattr:
		return r.getattr(n)
	case opSetattr:
		return r.setattr(n)
	case opReadlink:
		return r.readlink(n)
	case opAccess:
		return r.access(n)
	case opStatfs:
		return r.statfs(n)
	case opSymlink:
		return r.symlink(n)
	case opMknod:
		return r.mknod(n)
	case opMkdir:
		return r.mkdir(n)
	case opUnlink:
		return r.unlink(n, 0)
	case opRmdir:
		return r.unlink(n, unix.AT_REMOVEDIR)
	case opRename, opRename2:
		return r.rename(n)
	case opLink:
		return r.link(n)
	case opOpen:
		return r.open(n)
	case opCreate:
		return r.create(n)
	case opRead:
		return r.read()
	case opWrite:
		return r.write()
	case opFlush:
		return r.flush()
	case opFsync:
		return r.fsync()
	case opRelease:
		return r.release()
	case opOpendir:
		return r.opendir(n)
	case opReaddir:
		return r.readdir(n, false)
	case opReaddirplus:
		return r.readdir(n, true)
	case opReleasedir:
		return r.releasedir()
	case opFsyncdir:
		return r.fsyncdir()
	case opGetlk:
		return r.getlk()
	case opSetlk:
		return r.setlk(false)
	case opSetlkw:
		return r.setlk(true)
	case opGetxattr:
		return r.getxattr(n)
	case opListxattr:
		return r.listxattr(n)
	case opSetxattr:
		return r.setxattr(n)
	case opRemovexattr:
		return r.removexattr(n)
	case opIoctl:
		return linux.ENOTTY
	}
	// Among others FALLOCATE, LSEEK, COPY_FILE_RANGE and POLL: the kernel does these without us from then on, or says EOPNOTSUPP.
	return errNoOp
}
