package dnssd

import (
	"net"

	"github.com/brutella/dnssd"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// A membership is that of this machine in multicast DNS's groups on one interface. The sockets are this interface's alone, for the kernel lets one
// socket join only so many, and they are not read.
type membership struct{ sockets []net.PacketConn }

// join makes a machine a member as far as it has the protocols: without IPv6 there is none in its group.
func join(index int) *membership {
	m := &membership{}
	i := &net.Interface{Index: index}
	if s, err := net.ListenPacket("udp4", ":0"); err == nil {
		m.sockets = append(m.sockets, s)
		ipv4.NewPacketConn(s).JoinGroup(i, &net.UDPAddr{IP: dnssd.IPv4LinkLocalMulticast})
	}
	if s, err := net.ListenPacket("udp6", ":0"); err == nil {
		m.sockets = append(m.sockets, s)
		ipv6.NewPacketConn(s).JoinGroup(i, &net.UDPAddr{IP: dnssd.IPv6LinkLocalMulticast})
	}
	return m
}

func (m *membership) close() {
	for _, s := range m.sockets {
		s.Close()
	}
}
