//go:build linux

package mnt

import (
	"context"
	"fmt"
	"os"

	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// OpenFUSE opens /dev/fuse and mounts it on the directory dir, nosuid and nodev, open to every user of the namespace; no permission is
// checked here but by the side that has the files. It runs in the mount namespace where the mount is to be, as root or as the root of a
// user namespace. Until [ServeFUSE] serves the file, whoever touches dir waits; once every copy of the file is closed they get an error,
// so a process that sends it on must close its own. Unmounting is the caller's.
func OpenFUSE(dir string, o Options) (*os.File, error) {
	return nil, fmt.Errorf("mount: %s: %w", dir, unix.ENOSYS)
}

// ServeFUSE serves root to the mount that dev, from [OpenFUSE], was made for. It owns dev and root and closes both. It returns nil once
// the mount is gone, or ctx's cause once ctx is done: requests under way are cancelled then, processes that wait get an error at once,
// and those that come later get ENOTCONN until the directory is unmounted. All its goroutines have ended when it returns.
func ServeFUSE(ctx context.Context, dev *os.File, root p9.File, o Options) error {
	return fmt.Errorf("serve %s: %w", o.FSName, unix.ENOSYS)
}
