//go:build !portable

package exportfs

import (
	"io"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"

	"cpu/lib/ninep"
)

// systemLock holds in the kernel what the far processes hold of one file, all on one open file description (fcntl(2), F_OFD_SETLK).
// It is not that of a fid, whose locks would end with it. Guarded by lockTable.mu.
type systemLock struct {
	open             bool
	fd               int
	reading, writing bool // what fd is open for
}

// set locks the range for l, with whom the table has no quarrel.
func (s *systemLock) set(h *handle, f *lockedFile, l *heldLock) error {
	if !s.open || l.write && !s.writing || !l.write && !s.reading {
		if err := s.reopen(h, f, l.write); err != nil {
			return err
		}
	}
	t := unix.F_RDLCK
	if l.write {
		t = unix.F_WRLCK
	}
	return s.lock(t, l.lockRange)
}

func (s *systemLock) lock(t int, r lockRange) error {
	k := flock(t, r)
	err := again(func() error { return unix.FcntlFlock(uintptr(s.fd), unix.F_OFD_SETLK, &k) })
	if err == linux.EAGAIN || err == linux.EACCES {
		return errLocked
	}
	return err
}

func flock(t int, r lockRange) unix.Flock_t {
	return unix.Flock_t{Type: int16(t), Whence: io.SeekStart, Start: int64(r.first), Len: int64(r.length())}
}

// reopen gets a description that allows the lock. To write is asked for only when a write lock is: on some file systems opening a
// file for writing alone makes a copy. All locks held till then are for reading, which the new description can share before the
// old one gives them up. Where the file's mode forbids to open it anew, the fid's own description must do.
func (s *systemLock) reopen(h *handle, f *lockedFile, write bool) error {
	o, err := h.object()
	if err != nil {
		return err
	}
	defer o.unpin()
	n := systemLock{open: true, reading: true, writing: write}
	how := unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK
	if write {
		how |= unix.O_RDWR
	}
	err = again(func() (err error) {
		n.fd, err = unix.Open(o.path(), how, 0)
		return err
	})
	if err != nil {
		n.reading, n.writing = h.readable(), h.writable()
		n.fd, err = unix.FcntlInt(uintptr(o.fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return errno(err)
		}
	}
	for _, l := range f.held {
		t := unix.F_RDLCK
		if l.write {
			t = unix.F_WRLCK // only where a description for reading was not to be had
		}
		if err := n.lock(t, l.lockRange); err != nil {
			unix.Close(n.fd)
			return linux.ENOLCK
		}
	}
	s.close()
	*s = n
	return nil
}

// clear releases what is not locked any more in a range.
func (s *systemLock) clear(f *lockedFile, r lockRange) error {
	if !s.open {
		return nil
	}
	// What is still held there is so for reading, or by an owner whom nobody shared with and who kept it.
	free := []lockRange{r}
	for _, k := range f.still(r) {
		free = subtract(free, k)
	}
	for _, k := range free {
		if err := s.lock(unix.F_UNLCK, k); err != nil {
			return err
		}
	}
	return nil
}

// subtract takes k out of rs.
func subtract(rs []lockRange, k lockRange) []lockRange {
	var left []lockRange
	for _, r := range rs {
		if !r.overlaps(k) {
			left = append(left, r)
			continue
		}
		if r.first < k.first {
			left = append(left, lockRange{r.first, k.first - 1})
		}
		if r.last > k.last {
			left = append(left, lockRange{k.last + 1, r.last})
		}
	}
	return left
}

// test asks for locks of this machine's processes.
func (s *systemLock) test(h *handle, want *heldLock, l ninep.Lock) (ninep.Lock, error) {
	o, err := h.object()
	if err != nil {
		return l, err
	}
	defer o.unpin()
	fd := o.fd
	if s.open {
		fd = s.fd // whose own locks do not count
	}
	t := unix.F_RDLCK
	if want.write {
		t = unix.F_WRLCK
	}
	k := flock(t, want.lockRange)
	if err := again(func() error { return unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &k) }); err != nil {
		return l, err
	}
	switch k.Type {
	case unix.F_UNLCK:
		l.Type = p9.Unlock
		return l, nil
	case unix.F_WRLCK:
		l.Type = p9.WriteLock
	default:
		l.Type = p9.ReadLock
	}
	l.Start, l.Length, l.PID, l.Client = uint64(k.Start), uint64(k.Len), int(k.Pid), ""
	return l, nil
}

func (s *systemLock) close() {
	if s.open {
		unix.Close(s.fd)
		s.open = false
	}
}
