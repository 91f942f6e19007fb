package dnssd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// links are the interfaces of this machine that have multicast and an address, for as long as it is open. On each, the questions that are asked by
// multicast DNS are heard, by every socket of this machine: the library's joins its group on the interfaces that are there when it begins, and the
// kernel hands what comes for a group that anybody has joined to all who are bound to the port (IP_MULTICAST_ALL in ip(7)).
type links struct {
	names   []string        // of those that count; none: all do
	changes *netlink.Conn   // tells
	kernel  *rtnetlink.Conn // to be asked
	joined  map[int]*membership
	known   map[int][]netip.Prefix // addresses by the interface's index, in order
}

func openLinks(names []string) (*links, error) {
	changes, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR})
	if err != nil {
		return nil, err
	}
	kernel, err := rtnetlink.Dial(nil)
	if err != nil {
		changes.Close()
		return nil, err
	}
	l := &links{names: names, changes: changes, kernel: kernel, joined: map[int]*membership{}}
	if _, err := l.update(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *links) close() {
	l.changes.Close()
	l.kernel.Close()
	for _, m := range l.joined {
		m.close()
	}
}

// update looks what there is now, and gives the indices of those interfaces that are new or have other addresses than before.
func (l *links) update() (changed []int, err error) {
	now, err := l.usable()
	if err != nil {
		return nil, err
	}
	for i, m := range l.joined {
		if _, ok := now[i]; !ok {
			m.close()
			delete(l.joined, i)
		}
	}
	for _, i := range slices.Sorted(maps.Keys(now)) {
		if l.joined[i] == nil {
			l.joined[i] = join(i)
		}
		if !slices.Equal(now[i], l.known[i]) {
			changed = append(changed, i)
		}
	}
	l.known = now
	return changed, nil
}

// usable is the addresses of the interfaces that have multicast. An address is none before it is known to be nobody else's.
func (l *links) usable() (map[int][]netip.Prefix, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	addresses, err := l.kernel.Address.List()
	if err != nil {
		return nil, err
	}
	ports := l.ports()
	all := map[int][]netip.Prefix{}
	for _, i := range interfaces {
		switch {
		case i.Flags&net.FlagUp == 0 || i.Flags&net.FlagMulticast == 0 || ports[i.Index]:
			continue
		case len(l.names) > 0 && !slices.Contains(l.names, i.Name):
			continue
		}
		for _, a := range addresses {
			if int(a.Index) != i.Index || a.Attributes == nil || (uint32(a.Flags)|a.Attributes.Flags)&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0 {
				continue
			}
			ip := a.Attributes.Local // the other end's is Address, where there are two
			if ip == nil {
				ip = a.Attributes.Address
			}
			if addr, ok := netip.AddrFromSlice(ip); ok {
				all[i.Index] = append(all[i.Index], netip.PrefixFrom(addr, int(a.PrefixLength)))
			}
		}
		slices.SortFunc(all[i.Index], netip.Prefix.Compare)
	}
	return all, nil
}

// ports are the interfaces that are part of another one, where what comes in by them is heard: as a bridge has for each container. Where the kernel
// cannot be understood there are none.
func (l *links) ports() map[int]bool {
	all := map[int]bool{}
	found, err := l.kernel.Link.List()
	if err != nil {
		return nil
	}
	for _, i := range found {
		if a := i.Attributes; a != nil && a.Info != nil && slices.Contains([]string{"bridge", "bond", "team"}, a.Info.SlaveKind) {
			all[int(i.Index)] = true
		}
	}
	return all
}

// announcedAgain is how long after the first announcement of a change the second comes (section 8.3 of RFC 6762).
const announcedAgain = time.Second

// follow tells of each interface that comes or gets other addresses, twice, until ctx is done, which is nil, or the kernel does not tell any more.
func (l *links) follow(ctx context.Context, tell chan<- net.Interface) error {
	defer context.AfterFunc(ctx, func() { l.changes.Close() })()
	announce := func(indices []int) {
		for _, index := range indices {
			i, err := net.InterfaceByIndex(index)
			if err != nil {
				continue // it is gone again
			}
			select {
			case tell <- *i:
			case <-ctx.Done():
			}
		}
	}
	var again []int
	var when time.Time // that those are told of once more; zero: nothing is to be done
	for {
		changed, err := l.update()
		announce(changed)
		for _, i := range changed {
			if !slices.Contains(again, i) {
				again = append(again, i)
			}
		}
		if err != nil || len(changed) > 0 { // who could not look, for want of file descriptors say, looks again then
			when = time.Now().Add(announcedAgain)
		}
		l.changes.SetReadDeadline(when)
		// What has changed is not read: one message may stand for many, and some may be lost.
		_, err = l.changes.Receive()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			announce(again)
			again, when = nil, time.Time{}
		case err != nil && !errors.Is(err, unix.ENOBUFS):
			return fmt.Errorf("interfaces: %w", err)
		}
	}
}
