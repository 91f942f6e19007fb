package dnssd

import (
	"errors"
	"net"

	"github.com/brutella/dnssd"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// multicast sends a packet of multicast DNS's on an interface, by each protocol that there is. It comes from the port where questions are taken, as
// section 6 of RFC 6762 wants it of answers.
func multicast(packet []byte, i *net.Interface) error {
	err4 := multicast4(packet, i)
	err6 := multicast6(packet, i)
	if err4 == nil || err6 == nil {
		return nil
	}
	return errors.Join(err4, err6)
}

func multicast4(packet []byte, i *net.Interface) error {
	s, err := net.ListenUDP("udp4", dnssd.AddrIPv4LinkLocalMulticast) // beside others who have the port
	if err != nil {
		return err
	}
	defer s.Close()
	p := ipv4.NewPacketConn(s)
	if err := p.SetMulticastTTL(255); err != nil {
		return err
	}
	_, err = p.WriteTo(packet, &ipv4.ControlMessage{IfIndex: i.Index}, dnssd.AddrIPv4LinkLocalMulticast)
	return err
}

func multicast6(packet []byte, i *net.Interface) error {
	s, err := net.ListenUDP("udp6", dnssd.AddrIPv6LinkLocalMulticast)
	if err != nil {
		return err
	}
	defer s.Close()
	p := ipv6.NewPacketConn(s)
	if err := p.SetMulticastHopLimit(255); err != nil {
		return err
	}
	_, err = p.WriteTo(packet, &ipv6.ControlMessage{IfIndex: i.Index}, dnssd.AddrIPv6LinkLocalMulticast)
	return err
}
