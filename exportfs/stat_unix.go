//go:build darwin || freebsd || portable

package exportfs

import (
	"os"
	"syscall"
	"time"

	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// neverBlock keeps an open from waiting should a FIFO have taken a file's place.
const neverBlock = unix.O_NONBLOCK

// times are what stat(2) tells of them; each system has its own names for the fields.
type times struct {
	access, modification, change syscall.Timespec
	birth                        *syscall.Timespec // nil: the system does not say
}

// identify completes i by what the system says of the file. It never needs the file open.
func identify(i *info, fi os.FileInfo, _ *os.File) bool {
	s, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	i.id = ident{dev: uint64(s.Dev), ino: s.Ino}
	a := &i.attr
	a.Mode = p9.FileMode(s.Mode)
	a.UID, a.GID = p9.UID(s.Uid), p9.GID(s.Gid)
	a.NLink = p9.NLink(s.Nlink)
	a.RDev = p9.Dev(unix.Major(uint64(s.Rdev)))<<8 | p9.Dev(unix.Minor(uint64(s.Rdev)))&0xff
	a.BlockSize, a.Blocks = uint64(s.Blksize), uint64(s.Blocks)
	set := func(sec, nsec *uint64, t syscall.Timespec) { *sec, *nsec = uint64(t.Sec), uint64(t.Nsec) }
	t := timesOf(s)
	set(&a.ATimeSeconds, &a.ATimeNanoSeconds, t.access)
	set(&a.MTimeSeconds, &a.MTimeNanoSeconds, t.modification)
	set(&a.CTimeSeconds, &a.CTimeNanoSeconds, t.change)
	i.valid.UID, i.valid.GID = true, true
	if i.valid.BTime = t.birth != nil; i.valid.BTime {
		set(&a.BTimeSeconds, &a.BTimeNanoSeconds, *t.birth)
	}
	return true
}

// fileTimes sets the times of an open file; the zero time leaves one as it is.
func fileTimes(f *os.File, a, m time.Time) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	s, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return unix.ENOSYS
	}
	is := timesOf(s)
	tv := []unix.Timeval{unix.NsecToTimeval(syscall.TimespecToNsec(is.access)), unix.NsecToTimeval(syscall.TimespecToNsec(is.modification))}
	for i, t := range []time.Time{a, m} {
		if !t.IsZero() {
			tv[i] = unix.NsecToTimeval(t.UnixNano())
		}
	}
	return unix.Futimes(int(f.Fd()), tv)
}

// fileSystem describes the file system f is on.
func fileSystem(f *os.File) (p9.FSStat, error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
		return p9.FSStat{}, errno(err)
	}
	return p9.FSStat{
		BlockSize:       uint32(s.Bsize),
		Blocks:          uint64(s.Blocks),
		BlocksFree:      uint64(s.Bfree),
		BlocksAvailable: uint64(s.Bavail),
		Files:           uint64(s.Files),
		FilesFree:       uint64(s.Ffree),
		FSID:            uint64(uint32(s.Fsid.Val[0])) | uint64(uint32(s.Fsid.Val[1]))<<32,
		NameLength:      255,
	}, nil
}
