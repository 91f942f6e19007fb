//go:build linux

package boot

import (
	"context"
	"errors"
	"net"
	"path"
	"sync"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// network keeps interfaces configured by DHCP, those that are there and those that come later, as over USB.
type network struct {
	pattern string // of the interfaces' names, as path.Match has them
	resolv  string // the file for the name servers
	logf    func(format string, args ...any)
}

// run returns when ctx is done, or the kernel does not tell of interfaces any more. The addresses stay.
func (n *network) run(ctx context.Context) error {
	changes, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: unix.RTMGRP_LINK})
	if err != nil {
		return err
	}
	defer changes.Close()
	defer context.AfterFunc(ctx, func() { changes.Close() })()
	// A board that has just begun may have no randomness yet. To wait for it makes the kernel gather it; the library only asks again and again.
	if _, err := unix.Getrandom(make([]byte, 1), 0); err != nil {
		return err
	}
	leases := map[int]context.CancelFunc{}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		interfaces, err := n.interfaces()
		if err != nil {
			return err
		}
		for index, end := range leases {
			if _, ok := interfaces[index]; !ok {
				end()
				delete(leases, index)
			}
		}
		for index, i := range interfaces {
			if leases[index] == nil {
				leaseCtx, end := context.WithCancel(ctx)
				leases[index] = end
				wg.Go(func() { n.keep(leaseCtx, i) })
			}
		}
		// What has changed is not read: one message may stand for many, and some may be lost.
		if _, err := changes.Receive(); err != nil && !errors.Is(err, unix.ENOBUFS) {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return err
		}
	}
}

// interfaces are those to be configured: whose names match, and that have an address as Ethernet has them.
func (n *network) interfaces() (map[int]net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	found := map[int]net.Interface{}
	for _, i := range all {
		ok, err := path.Match(n.pattern, i.Name)
		if err != nil {
			return nil, err
		}
		if ok && len(i.HardwareAddr) == 6 && i.Flags&net.FlagLoopback == 0 {
			found[i.Index] = i
		}
	}
	return found, nil
}
