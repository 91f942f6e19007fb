//go:build !linux || portable

package exportfs

import (
	"github.com/hugelgupf/p9/p9"

	"cpu/lib/ninep"
)

// systemLock does nothing: the locks of these systems belong to processes, and the first descriptor of a file to be closed would
// release all that are held on it. Far processes see each other's locks, this machine's do not.
type systemLock struct{}

func (*systemLock) set(*handle, *lockedFile, *heldLock) error { return nil }
func (*systemLock) clear(*lockedFile, lockRange) error        { return nil }
func (*systemLock) close()                                    {}
func (*systemLock) test(_ *handle, _ *heldLock, l ninep.Lock) (ninep.Lock, error) {
	l.Type = p9.Unlock
	return l, nil
}
