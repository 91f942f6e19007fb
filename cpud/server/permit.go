//go:build linux

package server

import (
	"cmp"
	"fmt"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A permit is what an option permitopen or permitlisten names.
type permit struct {
	host string // as the client writes it; * is any
	port uint32 // 0 is any
}

// mayConnect says whether the connection may be used to reach a port from here: -L, direct-tcpip. The host is as the client wrote it.
func (r *keyRights) mayConnect(host string, port uint32) bool {
	if r.noForwarding {
		return false
	}
	return r.connect == nil || slices.ContainsFunc(r.connect, func(p permit) bool {
		return (p.host == "*" || p.host == host) && (p.port == 0 || p.port == port)
	})
}

// mayListen says whether the connection may be used to listen at a port here: -R, tcpip-forward. The host is as the client wrote it.
func (r *keyRights) mayListen(host string, port uint32) bool {
	if r.noForwarding {
		return false
	}
	return r.listen == nil || slices.ContainsFunc(r.listen, func(p permit) bool {
		hit, _ := path.Match(literal.Replace(p.host), host)
		return (hit || p.host == "*") && (p.port == 0 || p.port == port)
	})
}

// mayForwardSockets says whether the connection may be used to reach Unix sockets here, or to listen at them: direct-streamlocal@openssh.com,
// streamlocal-forward@openssh.com. A key that names the ports it is for is not for sockets.
func (r *keyRights) mayForwardSockets() bool {
	return !r.noForwarding && r.connect == nil && r.listen == nil
}

// mayForwardAgent says whether sessions may reach the client's agent: auth-agent-req@openssh.com.
func (r *keyRights) mayForwardAgent() bool { return !r.noAgent }

// parsePermit reads host:port, where * as a port is any, and an IPv6 address is in brackets. Where a bare port will do its host is any.
func parsePermit(s string, bare bool) (permit, error) {
	host, port := "*", s
	if !bare || strings.Contains(s, ":") {
		var err error
		if host, port, err = net.SplitHostPort(s); err != nil {
			return permit{}, err
		}
	}
	if port == "*" {
		return permit{host: cmp.Or(host, "*")}, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || host == "" {
		return permit{}, fmt.Errorf("%q: want host:port", s)
	}
	return permit{host, uint32(n)}, nil
}
