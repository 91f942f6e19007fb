package forward

import (
	"bytes"
	"errors"
	"io"
	"net"
)

// The parts of SOCKS that there are: connections that the client makes, without a login. Version 5 is RFC 1928; of version 4, names are 4a's.
const (
	socks4 = 4
	socks5 = 5

	socksConnect = 1

	socks4Granted = 90
	socks4Refused = 91

	socks5NoLogin     = 0
	socks5NoMethod    = 0xff
	socks5IPv4        = 1
	socks5Name        = 3
	socks5IPv6        = 4
	socks5Granted     = 0
	socks5Refused     = 1
	socks5NoCommand   = 7
	socks5NoSuchKind  = 8
	maxSOCKSText      = 255
	socks5AddressSize = 4 + 2 // of the address that an answer has, which is no use to anybody
)

var (
	errSOCKS      = errors.New("not a client of SOCKS")
	errSOCKSLogin = errors.New("a client of SOCKS that wants to log in")
	errSOCKSOther = errors.New("a client of SOCKS that wants something else than to be connected")
)

// asked reads where a client of SOCKS wants to be connected to, and no more. Answer tells it whether it is. After an error it has been told
// already.
func asked(client io.ReadWriter) (to Address, answer func(ok bool), err error) {
	s := &socks{client: client}
	switch s.byte() {
	case socks4:
		to, answer = s.version4()
	case socks5:
		to, answer = s.version5()
	default:
		s.fail(errSOCKS)
	}
	if s.err == nil && to.Host == "" {
		answer(false)
		s.fail(errSOCKS)
	}
	return to, answer, s.err
}

// socks reads from a client, and writes to it. The first error stays, and what is read after it is zero.
type socks struct {
	client io.ReadWriter
	err    error
}

func (s *socks) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *socks) read(n int) []byte {
	p := make([]byte, n)
	if s.err == nil {
		if _, err := io.ReadFull(s.client, p); err != nil {
			s.err = err
			clear(p)
		}
	}
	return p
}

func (s *socks) byte() byte { return s.read(1)[0] }

// text is what stands before a zero byte.
func (s *socks) text() string {
	var text []byte
	for {
		b := s.byte()
		if b == 0 {
			return string(text)
		}
		if text = append(text, b); len(text) > maxSOCKSText {
			s.fail(errSOCKS)
		}
	}
}

func (s *socks) write(p ...byte) {
	if s.err == nil {
		_, s.err = s.client.Write(p)
	}
}

func (s *socks) version4() (to Address, answer func(ok bool)) {
	command, port, ip := s.byte(), s.port(), s.read(net.IPv4len)
	s.text() // the user's name
	to = Address{Host: net.IP(ip).String(), Port: port}
	if bytes.Equal(ip[:3], []byte{0, 0, 0}) && ip[3] != 0 {
		to.Host = s.text()
	}
	answer = func(ok bool) {
		code := byte(socks4Refused)
		if ok {
			code = socks4Granted
		}
		s.write(append([]byte{0, code}, make([]byte, 2+net.IPv4len)...)...)
	}
	if command != socksConnect {
		answer(false)
		s.fail(errSOCKSOther)
	}
	return to, answer
}

func (s *socks) version5() (to Address, answer func(ok bool)) {
	if !bytes.Contains(s.read(int(s.byte())), []byte{socks5NoLogin}) {
		s.write(socks5, socks5NoMethod)
		s.fail(errSOCKSLogin)
	}
	s.write(socks5, socks5NoLogin)
	version, command := s.byte(), s.byte()
	s.byte() // reserved
	if version != socks5 {
		s.fail(errSOCKS)
	}
	say := func(code byte) {
		s.write(append([]byte{socks5, code, 0, socks5IPv4}, make([]byte, socks5AddressSize)...)...)
	}
	switch s.byte() {
	case socks5IPv4:
		to.Host = net.IP(s.read(net.IPv4len)).String()
	case socks5IPv6:
		to.Host = net.IP(s.read(net.IPv6len)).String()
	case socks5Name:
		to.Host = string(s.read(int(s.byte())))
	default:
		say(socks5NoSuchKind)
		s.fail(errSOCKS)
	}
	to.Port = s.port()
	if command != socksConnect {
		say(socks5NoCommand)
		s.fail(errSOCKSOther)
	}
	return to, func(ok bool) {
		if ok {
			say(socks5Granted)
		} else {
			say(socks5Refused)
		}
	}
}

func (s *socks) port() int {
	p := s.read(2)
	return int(p[0])<<8 | int(p[1])
}
