package forward

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// An Address is a host and a port, or the path of a Unix socket.
type Address struct {
	Host string // to listen at: "" is all addresses, localhost those of the loopback
	Port int
	Path string // "" unless it is a Unix socket
}

// anywhere is where each client asks to be connected to.
var anywhere Address

// String is the address as it is written in a Spec; where clients ask for it, socks.
func (a Address) String() string {
	switch {
	case a == anywhere:
		return "socks"
	case a.Path != "":
		return a.Path
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// A Spec is one forwarding: who connects to Listen is connected with Connect, at the other end. A Connect that is zero is where each one asks
// for, who is a client of SOCKS, version 4 or 5.
type Spec struct {
	Listen, Connect Address
	Unbound         bool // no host to listen at was given: it is localhost
}

var (
	errSpec        = errors.New("want [bind:]port:host:hostport, [bind:]port:socket, socket:host:hostport or socket:socket")
	errDynamicSpec = errors.New("want [bind:]port, or a socket")
)

// ParseLocal reads what -L of ssh(1) takes. A field with a slash is the path of a Unix socket; an IPv6 address stands in brackets; a backslash
// takes the meaning from what follows it.
func ParseLocal(s string) (Spec, error) {
	return parse(s, func(f []field) (Spec, error) { return assemble(f, 1) })
}

// ParseRemote is ParseLocal for -R, where the port to listen at may be 0, for one that is free, and [bind:]port stand alone.
func ParseRemote(s string) (Spec, error) {
	return parse(s, func(f []field) (Spec, error) {
		if len(f) <= 2 && !f[0].path && !f[len(f)-1].path {
			return listenAt(f, 0, errSpec)
		}
		return assemble(f, 0)
	})
}

// ParseDynamic is ParseLocal for -D, whose Spec connects to where it is asked for.
func ParseDynamic(s string) (Spec, error) {
	return parse(s, func(f []field) (Spec, error) { return listenAt(f, 1, errDynamicSpec) })
}

func parse(s string, assemble func([]field) (Spec, error)) (Spec, error) {
	fields, err := split(s)
	var spec Spec
	if err == nil {
		spec, err = assemble(fields)
	}
	if err != nil {
		return Spec{}, fmt.Errorf("%s: %w", s, err)
	}
	return spec, nil
}

// assemble tells the forms apart by their paths.
func assemble(f []field, minPort int) (Spec, error) {
	var to Address
	var err error
	if n := len(f); n >= 2 && f[n-1].path {
		to.Path = f[n-1].text
		f = f[:n-1]
	} else if n >= 3 && f[n-2].text != "" && !f[n-2].path {
		to.Host = f[n-2].text
		if to.Port, err = port(f[n-1].text, 1); err != nil {
			return Spec{}, err
		}
		f = f[:n-2]
	} else {
		return Spec{}, errSpec
	}
	spec, err := listenAt(f, minPort, errSpec)
	spec.Connect = to
	return spec, err
}

// listenAt is where to listen: a socket, or [bind:]port; else the error is the one given.
func listenAt(f []field, minPort int, other error) (spec Spec, err error) {
	switch {
	case len(f) == 1 && f[0].path:
		spec.Listen.Path = f[0].text
		return spec, nil
	case len(f) == 2 && !f[0].path && !f[1].path:
		if spec.Listen.Host = f[0].text; spec.Listen.Host == "*" {
			spec.Listen.Host = ""
		}
		f = f[1:]
	case len(f) == 1:
		spec.Listen.Host, spec.Unbound = "localhost", true
	default:
		return spec, other
	}
	spec.Listen.Port, err = port(f[0].text, minPort)
	return spec, err
}

// port is a number, or the name of a service.
func port(s string, min int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil && s != "" {
		n, err = net.LookupPort("tcp", s)
	}
	if err != nil || n < min || n > 1<<16-1 {
		return 0, fmt.Errorf("%q: not a port", s)
	}
	return n, nil
}

// A field is what stands between colons.
type field struct {
	text string
	path bool
}

func split(s string) (all []field, err error) {
	for {
		var f field
		var more bool
		if inner, ok := strings.CutPrefix(s, "["); ok {
			text, rest, closed := strings.Cut(inner, "]")
			if !closed || rest != "" && rest[0] != ':' {
				return nil, errors.New("a bracket is not closed, or something follows it")
			}
			f.text = text
			s, more = strings.CutPrefix(rest, ":")
		} else {
			f, s, more = cutField(s)
		}
		all = append(all, f)
		if !more {
			return all, nil
		}
	}
}

// cutField takes off what stands before the first colon.
func cutField(s string) (f field, rest string, more bool) {
	var text strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ':':
			f.text = text.String()
			return f, s[i+1:], true
		case c == '\\' && i+1 < len(s):
			i++
			text.WriteByte(s[i])
		default:
			f.path = f.path || c == '/'
			text.WriteByte(c)
		}
	}
	f.text = text.String()
	return f, "", false
}
