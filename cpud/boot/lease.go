//go:build linux

package boot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"
)

// A server is asked four times, after 2, 4 and 8 seconds again, before the log says that there is none.
const (
	answerTime = 2 * time.Second
	tries      = 4
)

// shortest is how soon a lease is renewed at the earliest, whatever the server says.
const shortest = time.Second

// keep has a lease for an interface until ctx is done.
func (n *network) keep(ctx context.Context, i net.Interface) {
	for {
		err := n.lease(ctx, i)
		if ctx.Err() != nil {
			return
		}
		n.logf("dhcp %s: %v", i.Name, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// lease gets a lease, and renews it until that fails or ctx is done; see RFC 2131, 4.4.5. Only when it has run out, or is taken back, does the
// interface lose its address.
func (n *network) lease(ctx context.Context, i net.Interface) error {
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := setUp(i.Name); err != nil {
		return err
	}
	client, err := nclient4.New(i.Name, nclient4.WithTimeout(answerTime), nclient4.WithRetry(tries))
	if err != nil {
		return err
	}
	defer client.Close()
	var options []dhcpv4.Modifier
	if name, err := os.Hostname(); err == nil && name != "(none)" {
		options = append(options, dhcpv4.WithOption(dhcpv4.OptHostName(name)))
	}
	l, err := client.Request(ctx, options...)
	if err != nil {
		return err
	}
	address := addressOf(l.ACK, i.Index)
	if err := conn.Address.New(address); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("address: %w", err)
	}
	n.logf("dhcp %s: %s/%d for %v", i.Name, l.ACK.YourIPAddr, address.PrefixLength, leaseTime(l.ACK))
	for {
		n.configure(conn, l.ACK, i)
		l, err = n.renewed(ctx, client, l, options)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return errors.Join(err, conn.Address.Delete(address))
		}
	}
}

// renewed waits until half of the lease's time is over, and renews it; without an answer again after half of what is left. It fails when the server
// says no, or the time is over.
func (n *network) renewed(ctx context.Context, client *nclient4.Client, l *nclient4.Lease, options []dhcpv4.Modifier) (*nclient4.Lease, error) {
	end := l.CreationTime.Add(leaseTime(l.ACK))
	wait := l.ACK.IPAddressRenewalTime(leaseTime(l.ACK) / 2)
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(max(min(wait, time.Until(end)), shortest)):
		}
		if left := time.Until(end); left <= 0 {
			return nil, errors.New("the lease has run out")
		}
		attempt, cancel := context.WithDeadline(ctx, end)
		next, err := client.Renew(attempt, l, options...)
		cancel()
		if nak := (*nclient4.ErrNak)(nil); err == nil || errors.As(err, &nak) {
			return next, err
		}
		wait = time.Until(end) / 2
	}
}

// leaseTime is how long a lease lasts; a server that does not say so has broken RFC 2131.
func leaseTime(ack *dhcpv4.DHCPv4) time.Duration { return ack.IPAddressLeaseTime(time.Hour) }

func addressOf(ack *dhcpv4.DHCPv4, index int) *rtnetlink.AddressMessage {
	mask := maskOf(ack)
	length, _ := mask.Size()
	ip := ack.YourIPAddr.To4()
	broadcast := make(net.IP, len(ip))
	for i := range ip {
		broadcast[i] = ip[i] | ^mask[i]
	}
	return &rtnetlink.AddressMessage{Family: unix.AF_INET, PrefixLength: uint8(length), Scope: unix.RT_SCOPE_UNIVERSE, Index: uint32(index),
		Attributes: &rtnetlink.AddressAttributes{Address: ip, Local: ip, Broadcast: broadcast}}
}

// maskOf is the network's mask, or that of the address's class where the server names none.
func maskOf(ack *dhcpv4.DHCPv4) net.IPMask {
	if mask := ack.SubnetMask(); len(mask) == net.IPv4len {
		return mask
	}
	return ack.YourIPAddr.DefaultMask()
}

// configure sets the routes and the name servers. What of it fails is logged: the address is of use without.
func (n *network) configure(conn *rtnetlink.Conn, ack *dhcpv4.DHCPv4, i net.Interface) {
	for _, r := range routesOf(ack) {
		if err := conn.Route.Replace(routeMessage(r, ack, i.Index)); err != nil {
			n.logf("dhcp %s: route to %s by %s: %v", i.Name, r.Dest, r.Router, err)
		}
	}
	if text := resolvConf(ack); text != "" {
		if err := writeResolv(n.resolv, text); err != nil {
			n.logf("dhcp %s: %v", i.Name, err)
		}
	}
}

// routesOf are the classless routes, or else the default route; see RFC 3442.
func routesOf(ack *dhcpv4.DHCPv4) []*dhcpv4.Route {
	if routes := ack.ClasslessStaticRoute(); len(routes) > 0 {
		return routes
	}
	if routers := ack.Router(); len(routers) > 0 {
		return []*dhcpv4.Route{{Dest: &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, Router: routers[0]}}
	}
	return nil
}

func routeMessage(r *dhcpv4.Route, ack *dhcpv4.DHCPv4, index int) *rtnetlink.RouteMessage {
	length, _ := r.Dest.Mask.Size()
	m := &rtnetlink.RouteMessage{Family: unix.AF_INET, DstLength: uint8(length), Table: unix.RT_TABLE_MAIN, Protocol: unix.RTPROT_DHCP,
		Scope: unix.RT_SCOPE_UNIVERSE, Type: unix.RTN_UNICAST,
		// Each interface's routes are its own: the first interface's come first.
		Attributes: rtnetlink.RouteAttributes{OutIface: uint32(index), Priority: uint32(1000 + index)}}
	if length > 0 {
		m.Attributes.Dst = r.Dest.IP.To4()
	}
	if r.Router.IsUnspecified() {
		m.Scope = unix.RT_SCOPE_LINK
		return m
	}
	m.Attributes.Gateway = r.Router.To4()
	if mask := maskOf(ack); !r.Router.Mask(mask).Equal(ack.YourIPAddr.Mask(mask)) {
		m.Flags = unix.RTNH_F_ONLINK
	}
	return m
}

// resolvConf is what a lease says of name servers, as resolv.conf(5) has it; "": nothing.
func resolvConf(ack *dhcpv4.DHCPv4) string {
	var b strings.Builder
	if domain := strings.Fields(ack.DomainName()); len(domain) == 1 {
		fmt.Fprintf(&b, "search %s\n", domain[0])
	}
	servers := ack.DNS()
	for _, s := range servers {
		fmt.Fprintf(&b, "nameserver %s\n", s)
	}
	if len(servers) == 0 {
		return ""
	}
	return b.String()
}

func writeResolv(file, text string) error {
	if old, err := os.ReadFile(file); err == nil && string(old) == text {
		return nil
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
