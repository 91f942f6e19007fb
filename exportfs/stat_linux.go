//go:build !portable

package exportfs

import (
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// statx describes a file relative to fd.
func statx(fd int, name string, flags int) (info, error) {
	var s unix.Statx_t
	for {
		err := unix.Statx(fd, name, flags, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &s)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return info{}, errno(err)
		}
		break
	}
	i := info{
		id:    ident{dev: unix.Mkdev(s.Dev_major, s.Dev_minor), ino: s.Ino},
		mount: s.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0,
		valid: p9.AttrMask{
			Mode: true, NLink: true, UID: true, GID: true, RDev: true, ATime: true, MTime: true, CTime: true,
			INo: true, Size: true, Blocks: true, BTime: s.Mask&unix.STATX_BTIME != 0,
		},
		attr: p9.Attr{
			Mode:             p9.FileMode(s.Mode),
			UID:              p9.UID(s.Uid),
			GID:              p9.GID(s.Gid),
			NLink:            p9.NLink(s.Nlink),
			RDev:             p9.Dev(unix.Mkdev(s.Rdev_major, s.Rdev_minor)),
			Size:             s.Size,
			BlockSize:        uint64(s.Blksize),
			Blocks:           s.Blocks,
			ATimeSeconds:     uint64(s.Atime.Sec),
			ATimeNanoSeconds: uint64(s.Atime.Nsec),
			MTimeSeconds:     uint64(s.Mtime.Sec),
			MTimeNanoSeconds: uint64(s.Mtime.Nsec),
			CTimeSeconds:     uint64(s.Ctime.Sec),
			CTimeNanoSeconds: uint64(s.Ctime.Nsec),
		},
	}
	if i.valid.BTime {
		i.attr.BTimeSeconds, i.attr.BTimeNanoSeconds = uint64(s.Btime.Sec), uint64(s.Btime.Nsec)
	}
	return i, nil
}

// liveness says which files of a file system are live: their content is made when it is read, and nothing tells that it has changed.
type liveness uint8

const (
	allLive   liveness = 1 + iota // the kernel's own: proc, sysfs and their kind
	emptyLive                     // served by a program: those files that pretend to be empty
)

func (l liveness) holds(i *info) bool {
	return l == allLive || l == emptyLive && i.attr.Size == 0 && i.attr.Mode.IsRegular()
}

// liveFS goes by statfs(2)'s f_type.
func liveFS(magic int64) liveness {
	switch uint32(magic) {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.DEBUGFS_MAGIC,
		unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.SELINUX_MAGIC, unix.SMACK_MAGIC, unix.BPF_FS_MAGIC, unix.EFIVARFS_MAGIC,
		unix.PSTOREFS_MAGIC, unix.BINFMTFS_MAGIC, unix.RDTGROUP_SUPER_MAGIC, unix.NSFS_MAGIC, unix.DEVPTS_SUPER_MAGIC,
		unix.XENFS_SUPER_MAGIC, configfsMagic, fusectlMagic, mqueueMagic:
		return allLive
	case unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC:
		return emptyLive
	}
	return 0
}

// Numbers which golang.org/x/sys/unix lacks.
const (
	configfsMagic = 0x62656570
	fusectlMagic  = 0x65735543
	mqueueMagic   = 0x19800202
)
