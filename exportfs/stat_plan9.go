package exportfs

import (
	"os"
	"syscall"
	"time"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// neverBlock: an open that waits is the business of whoever serves the file.
const neverBlock = 0

// identify completes i by what the system says of the file. Users are names here, and have no numbers.
func identify(i *info, fi os.FileInfo, _ *os.File) bool {
	s, ok := fi.Sys().(*syscall.Dir)
	if !ok {
		return true
	}
	i.id = ident{dev: uint64(s.Type)<<32 | uint64(s.Dev), ino: s.Qid.Path}
	i.attr.ATimeSeconds, i.attr.ATimeNanoSeconds = uint64(s.Atime), 0
	i.live = s.Length == 0 && i.attr.Mode.IsRegular() // what devices serve has no length
	return true
}

// fileTimes: an open file's times cannot be set without its name.
func fileTimes(*os.File, time.Time, time.Time) error { return linux.EOPNOTSUPP }

// fileSystem has nothing to say here.
func fileSystem(*os.File) (p9.FSStat, error) { return p9.FSStat{}, linux.ENOSYS }
