package main

import (
	"context"
	"errors"

	"cpu/cpu/client"
	"cpu/lib/mnt"
)

// mountControl mounts the server's control tree. The function it returns unmounts it.
func mountControl(ctx context.Context, conn *client.Conn, dir, how string) (gone <-chan struct{}, unmount func() error, err error) {
	tree, err := conn.Tree(ctx)
	if err != nil {
		return nil, nil, err
	}
	m, err := mnt.MountTree(context.WithoutCancel(ctx), dir, how, tree, mnt.Options{FSName: "cpu"})
	if err != nil {
		return nil, nil, err
	}
	return m.Done(), m.Close, nil
}

// serveControl keeps the control tree mounted until ctx is done, the directory is unmounted, or the connection is lost.
func serveControl(ctx context.Context, conn *client.Conn, dir, how string) error {
	gone, unmount, err := mountControl(ctx, conn, dir, how)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-gone:
	case <-conn.Done():
		err = errors.New("connection lost")
	}
	return errors.Join(err, unmount())
}
