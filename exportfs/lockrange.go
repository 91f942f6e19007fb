package exportfs

import (
	"math"
	"slices"

	"github.com/hugelgupf/p9/linux"
)

// lockRange is a run of bytes, both ends included.
type lockRange struct {
	first, last uint64
}

func (r lockRange) overlaps(s lockRange) bool { return r.first <= s.last && s.first <= r.last }

// heldLock is one lock. The locks of one owner on a file do not overlap.
type heldLock struct {
	lockRange
	owner lockOwner
	write bool
	by    *file // through which it was taken last
}

func (l *heldLock) bars(m *heldLock) bool {
	return l.owner != m.owner && (l.write || m.write) && l.overlaps(m.lockRange)
}

// toRange checks a range as fcntl(2) does. A length of 0 reaches to the end of whatever the file will be.
func toRange(start, length uint64) (lockRange, error) {
	if start > math.MaxInt64 {
		return lockRange{}, linux.EINVAL
	}
	if length == 0 {
		return lockRange{start, math.MaxInt64}, nil
	}
	if length-1 > math.MaxInt64-start {
		return lockRange{}, linux.EOVERFLOW
	}
	return lockRange{start, start + length - 1}, nil
}

// length is what toRange was given.
func (r lockRange) length() uint64 {
	if r.last == math.MaxInt64 {
		return 0
	}
	return r.last - r.first + 1
}

// lockedFile is a file that locks are held on or waited for.
type lockedFile struct {
	id     ident
	held   []heldLock // in order of their first byte
	waits  int
	system systemLock
}

// barring is the first lock that stands in l's way, or nil.
func (f *lockedFile) barring(l *heldLock) *heldLock {
	for i := range f.held {
		if f.held[i].bars(l) {
			return &f.held[i]
		}
	}
	return nil
}

// remove takes the range out of those locks that which picks; what they have on either side remains.
func (f *lockedFile) remove(r lockRange, which func(*heldLock) bool) {
	var left []heldLock
	for _, l := range f.held {
		if !which(&l) || !l.overlaps(r) {
			left = append(left, l)
			continue
		}
		if l.first < r.first {
			before := l
			before.last = r.first - 1
			left = append(left, before)
		}
		if l.last > r.last {
			after := l
			after.first = r.last + 1
			left = append(left, after)
		}
	}
	f.held = left
	f.sort()
}

// insert puts l in, in place of what its owner had there, and joins it to what adjoins it and is alike.
func (f *lockedFile) insert(l heldLock) {
	f.remove(l.lockRange, func(m *heldLock) bool { return m.owner == l.owner })
	f.held = slices.DeleteFunc(f.held, func(m heldLock) bool {
		if m.owner != l.owner || m.write != l.write || m.by != l.by || m.last+1 != l.first && l.last+1 != m.first {
			return false
		}
		l.first, l.last = min(l.first, m.first), max(l.last, m.last)
		return true
	})
	f.held = append(f.held, l)
	f.sort()
}

func (f *lockedFile) sort() {
	slices.SortStableFunc(f.held, func(a, b heldLock) int {
		switch {
		case a.first < b.first:
			return -1
		case a.first > b.first:
			return 1
		}
		return 0
	})
}

// still are the parts of a range on which locks are held.
func (f *lockedFile) still(r lockRange) []lockRange {
	var rs []lockRange
	for _, l := range f.held {
		if l.overlaps(r) {
			rs = append(rs, lockRange{max(l.first, r.first), min(l.last, r.last)})
		}
	}
	return rs
}
