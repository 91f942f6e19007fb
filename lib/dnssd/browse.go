package dnssd

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/brutella/dnssd"
	"github.com/brutella/dnssd/log"
)

// A sighting is a host that a packet has told of, or that has said goodbye.
type sighting struct {
	Host
	gone bool
}

// browse asks the links once for all instances of a service, and tells of those that answer, or speak up by themselves, until ctx is done:
// of one on several links once for each.
func browse(ctx context.Context, service Name, seen chan<- sighting) error {
	service.Instance = ""
	log.Info.Disable() // it would go to standard output
	// The library's readers end when their context was cancelled, and spin when its deadline has passed.
	only, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	tell := func(e dnssd.BrowseEntry, gone bool) {
		h := entryHost(e)
		if !gone && !isHost(h.Target) {
			return
		}
		select {
		case seen <- sighting{h, gone}:
		case <-only.Done():
		}
	}
	err := dnssd.LookupType(only, service.String(), func(e dnssd.BrowseEntry) { tell(e, false) }, func(e dnssd.BrowseEntry) { tell(e, true) })
	if err != nil && only.Err() == nil {
		return fmt.Errorf("multicast DNS: %w", err)
	}
	return nil
}

// entryHost is what the library has found.
func entryHost(e dnssd.BrowseEntry) Host {
	h := Host{Name: Name{e.Name, e.Type, e.Domain}, Target: e.Host + "." + e.Domain, Port: e.Port, Text: lower(e.Text)}
	for _, ip := range e.IPs {
		h.addIP(ip, e.IfaceName)
	}
	h.sortAddrs()
	return h
}

// addIP adds an address that was heard of on a link.
func (h *Host) addIP(ip net.IP, link string) {
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return
	}
	if a = a.Unmap(); a.Is6() && a.IsLinkLocalUnicast() {
		a = a.WithZone(link)
	}
	h.Addrs = append(h.Addrs, a)
}
