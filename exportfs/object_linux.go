//go:build !portable

package exportfs

import (
	"fmt"
	"math"
	"strconv"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// object is a file to work on: whatever stands at its name meanwhile, it is this file. It is pinned, by a descriptor that is not open
// for I/O, or is that of an open handle.
type object struct {
	fd       int
	borrowed *handle // whose descriptor it is; nil: its own
}

func (o object) unpin() {
	if o.borrowed != nil {
		o.borrowed.mu.RUnlock()
		return
	}
	unix.Close(o.fd)
}

// path names the very file of a descriptor, for system calls that work on names only. The last component is the kernel's, and leads to
// that file also where it is a symbolic link.
func (o object) path() string { return "/proc/self/fd/" + strconv.Itoa(o.fd) }

// checkProc fails where path could not work.
func checkProc(fd int) error {
	path := object{fd: fd}.path()
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.F_OK, 0); err != nil {
		return fmt.Errorf("%s: %w; exportfs needs /proc", path, err)
	}
	return nil
}

func (o object) liveness() liveness {
	var fsys unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(o.fd, &fsys) }); err != nil {
		return 0
	}
	return liveFS(int64(fsys.Type))
}

func (o object) info() (info, error) {
	i, err := statx(o.fd, "", unix.AT_EMPTY_PATH)
	if err == nil && unix.Major(i.id.dev) == 0 {
		i.live = o.liveness().holds(&i)
	}
	return i, err
}

// open opens the file for I/O. The caller has seen that it is a regular file or a directory: of all else nothing is ever opened.
func (o object) open(flags p9.OpenFlags, i info) (*handle, error) {
	how := systemFlags(flags) &^ unix.O_NOFOLLOW
	if i.live {
		how |= unix.O_NONBLOCK // some files of kernel file systems wait for events
	}
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Open(o.path(), how, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	h := &handle{fd: fd, flags: flags, live: i.live, id: i.id}
	if i.attr.Mode.IsDir() {
		h.liveness = object{fd: fd}.liveness()
	}
	return h, nil
}

// permissions are the bits of a mode that chmod(2) sets.
const permissions p9.FileMode = 0o7777

func (o object) chmod(mode p9.FileMode) error {
	return again(func() error { return unix.Chmod(o.path(), uint32(mode&permissions)) })
}

// setAttr changes what valid says, in an order in which no step undoes another: truncating and chown clear the set-id bits, and both
// change times.
func (o object) setAttr(valid p9.SetAttrMask, attr p9.SetAttr) error {
	if valid.Size {
		if err := o.truncate(attr.Size); err != nil {
			return err
		}
	}
	if valid.UID || valid.GID {
		uid, gid := -1, -1
		if valid.UID {
			uid = int(int32(attr.UID))
		}
		if valid.GID {
			gid = int(int32(attr.GID))
		}
		err := again(func() error { return unix.Fchownat(o.fd, "", uid, gid, unix.AT_EMPTY_PATH) })
		if err != nil {
			return err
		}
	}
	if valid.Permissions {
		if err := o.chmod(attr.Permissions); err != nil {
			return err
		}
	}
	if valid.ATime || valid.MTime {
		times := []unix.Timespec{
			timespec(valid.ATime, valid.ATimeNotSystemTime, attr.ATimeSeconds, attr.ATimeNanoSeconds),
			timespec(valid.MTime, valid.MTimeNotSystemTime, attr.MTimeSeconds, attr.MTimeNanoSeconds),
		}
		return again(func() error { return unix.UtimesNanoAt(unix.AT_FDCWD, o.path(), times, 0) })
	}
	return nil
}

// timespec is a time for utimensat(2): the one given, now, or none.
func timespec(set, given bool, sec, nsec uint64) unix.Timespec {
	switch {
	case !set:
		return unix.Timespec{Nsec: unix.UTIME_OMIT}
	case !given:
		return unix.Timespec{Nsec: unix.UTIME_NOW}
	}
	t := unix.NsecToTimespec(0)
	setInt(&t.Sec, sec)
	setInt(&t.Nsec, nsec)
	return t
}

// setInt is an assignment to a field whose width is the processor's.
func setInt[T int32 | int64](to *T, v uint64) { *to = T(v) }

// truncate sets a regular file's size: through a descriptor that is open for writing if there is one, for that was allowed when it
// was opened.
func (o object) truncate(size uint64) error {
	if size > math.MaxInt64 {
		return linux.EFBIG
	}
	if o.borrowed != nil && o.borrowed.writable() {
		return again(func() error { return unix.Ftruncate(o.fd, int64(size)) })
	}
	return again(func() error { return unix.Truncate(o.path(), int64(size)) })
}

func (o object) readlink() (string, error) {
	buf := make([]byte, 256)
	for {
		var n int
		err := again(func() (err error) {
			n, err = unix.Readlinkat(o.fd, "", buf)
			return err
		})
		if err == linux.ENOENT {
			return "", linux.EINVAL // what readlinkat(2) says of an empty path to what is no link
		}
		if err != nil {
			return "", err
		}
		if n < len(buf) {
			return string(buf[:n]), nil
		}
		buf = make([]byte, 2*len(buf))
	}
}

func (o object) statfs() (p9.FSStat, error) {
	var s unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(o.fd, &s) }); err != nil {
		return p9.FSStat{}, err
	}
	return p9.FSStat{
		Type:            uint32(s.Type),
		BlockSize:       uint32(s.Bsize),
		Blocks:          s.Blocks,
		BlocksFree:      s.Bfree,
		BlocksAvailable: s.Bavail,
		Files:           s.Files,
		FilesFree:       s.Ffree,
		FSID:            uint64(uint32(s.Fsid.Val[0])) | uint64(uint32(s.Fsid.Val[1]))<<32,
		NameLength:      uint32(s.Namelen),
	}, nil
}
