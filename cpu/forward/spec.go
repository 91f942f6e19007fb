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

// String is the address as it is written in a Spec.
func (a Address) String() string {
	if a.Path != "" {
		return a.Path
	}
	return net.JoinHostPort(a.Host, strconv.Itoa(a.Port))
}

// A Spec is one forwarding: who connects to Listen is connected with Connect, at the other end.
type Spec struct{ Listen, Connect Address }

// errSpec has the forms that there are.
var errSpec = errors.New("want [bind:]port:host:hostport, [bind:]port:socket, socket:host:hostport or socket:socket")

// ParseLocal reads what -L of ssh(1) takes, and ParseRemote what -R does, where the port to listen at may be 0, for one that is free. A field with
// a slash is the path of a Unix socket; an IPv6 address stands in brackets; a backslash takes the meaning from what follows it.
func ParseLocal(s string) (Spec, error) { return parse(s, 1) }

// ParseRemote is ParseLocal for -R.
func ParseRemote(s string) (Spec, error) { return parse(s, 0) }

func parse(s string, minPort int) (Spec, error) {
	fields, err := split(s)
	var spec Spec
	if err == nil {
		spec, err = assemble(fields, minPort)
	}
	if err != nil {
		return Spec{}, fmt.Errorf("%s: %w", s, err)
	}
	return spec, nil
}

// assemble tells the forms apart by their paths.
func assemble(f []field, minPort int) (spec Spec, err error) {
	if n := len(f); n >= 2 && f[n-1].path {
		spec.Connect = Address{Path: f[n-1].text}
		f = f[:n-1]
	} else if n >= 3 && f[n-2].text != "" && !f[n-2].path {
		spec.Connect.Host = f[n-2].text
		if spec.Connect.Port, err = port(f[n-1].text, 1); err != nil {
			return spec, err
		}
		f = f[:n-2]
	} else {
		return spec, errSpec
	}
	spec.Listen.Host = "localhost"
	switch {
	case len(f) == 1 && f[0].path:
		spec.Listen = Address{Path: f[0].text}
		return spec, nil
	case len(f) == 2 && !f[0].path && !f[1].path:
		if spec.Listen.Host = f[0].text; spec.Listen.Host == "*" {
			spec.Listen.Host = ""
		}
		f = f[1:]
	case len(f) != 1:
		return spec, errSpec
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
