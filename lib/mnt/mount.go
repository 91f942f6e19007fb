//go:build linux

package mnt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// How to mount.
const (
	Auto = "auto" // FUSE where there is a /dev/fuse, else v9fs
	FUSE = "fuse"
	V9FS = "v9fs"
)

// A Mount is a tree that this process has mounted in its own namespace, and serves.
type Mount struct {
	dir    string
	cancel context.CancelFunc
	served sync.WaitGroup
	done   chan struct{}
	err    error
}

// MountTree mounts the tree on the directory dir and serves it until ctx is done, the directory is unmounted, or Close is called. It takes root,
// or for FUSE the program fusermount3. Processes of other users than this one's do not get in: the tree knows one user, whoever asks here.
func MountTree(ctx context.Context, dir, how string, tree p9.Attacher, o Options) (*Mount, error) {
	if how == Auto {
		how = FUSE
		if _, err := os.Stat(fuseDevice); err != nil && HaveV9FS() {
			how = V9FS
		}
	}
	o.private = true
	m := &Mount{dir: dir, done: make(chan struct{})}
	ctx, m.cancel = context.WithCancel(ctx)
	serve, err := m.mount(ctx, how, tree, o)
	if err != nil {
		m.cancel()
		return nil, err
	}
	m.served.Go(func() {
		defer close(m.done)
		m.err = serve()
		if errors.Is(m.err, context.Canceled) {
			m.err = nil
		}
	})
	return m, nil
}

// mount mounts, and returns what serves the mount.
func (m *Mount) mount(ctx context.Context, how string, tree p9.Attacher, o Options) (serve func() error, err error) {
	if how == V9FS {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, os.NewSyscallError("socketpair", err)
		}
		ours, theirs := os.NewFile(uintptr(pair[0]), o.source()), os.NewFile(uintptr(pair[1]), o.source())
		defer theirs.Close()
		conn, err := fileConn(ours)
		if err != nil {
			return nil, err
		}
		// The kernel speaks 9P before it has mounted.
		end := make(chan error, 1)
		go func() {
			end <- (&ninep.Server{Attacher: tree, Versions: []string{ninep.Version9P2000L}}).Serve(ctx, conn)
		}()
		if err := MountV9FS(m.dir, theirs, o, ""); err != nil {
			m.cancel()
			<-end
			return nil, err
		}
		return func() error { return <-end }, nil
	}
	root, err := tree.Attach()
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", m.dir, err)
	}
	dev, err := OpenFUSE(m.dir, o)
	if errors.Is(err, unix.EPERM) {
		dev, err = fusermount(m.dir, o)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return func() error { return ServeFUSE(ctx, dev, root, o) }, nil
}

// Done is closed when the tree is served no more.
func (m *Mount) Done() <-chan struct{} { return m.done }

// Close unmounts the directory, also where it is in use, and waits until all has ended. The error is why serving ended, if that was before.
func (m *Mount) Close() error {
	if err := unix.Unmount(m.dir, unix.MNT_DETACH); errors.Is(err, unix.EPERM) {
		fuserunmount(m.dir)
	}
	m.cancel()
	m.served.Wait()
	return m.err
}
