package exportfs

import (
	"os"
	"syscall"
	"time"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// neverBlock: there is nothing in a directory here whose opening waits.
const neverBlock = 0

// identify completes i by what the system says of the file. Without the file open it cannot tell it apart, and returns false.
func identify(i *info, fi os.FileInfo, f *os.File) bool {
	if s, ok := fi.Sys().(*syscall.Win32FileAttributeData); ok {
		set := func(sec, nsec *uint64, t syscall.Filetime) {
			n := t.Nanoseconds()
			*sec, *nsec = uint64(n/1e9), uint64(n%1e9)
		}
		set(&i.attr.ATimeSeconds, &i.attr.ATimeNanoSeconds, s.LastAccessTime)
		set(&i.attr.BTimeSeconds, &i.attr.BTimeNanoSeconds, s.CreationTime)
		i.valid.BTime = true
	}
	if f == nil {
		return false
	}
	var s syscall.ByHandleFileInformation
	if err := syscall.GetFileInformationByHandle(syscall.Handle(f.Fd()), &s); err != nil {
		return false
	}
	i.id = ident{dev: uint64(s.VolumeSerialNumber), ino: uint64(s.FileIndexHigh)<<32 | uint64(s.FileIndexLow)}
	i.attr.NLink = p9.NLink(s.NumberOfLinks)
	return true
}

// fileTimes sets the times of an open file; the zero time leaves one as it is.
func fileTimes(f *os.File, a, m time.Time) error {
	var ft [2]*syscall.Filetime
	for i, t := range []time.Time{a, m} {
		if !t.IsZero() {
			n := syscall.NsecToFiletime(t.UnixNano())
			ft[i] = &n
		}
	}
	return syscall.SetFileTime(syscall.Handle(f.Fd()), nil, ft[0], ft[1])
}

// fileSystem has nothing to say here.
func fileSystem(*os.File) (p9.FSStat, error) { return p9.FSStat{}, linux.ENOSYS }
