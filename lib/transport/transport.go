// Package transport is the ways to a cpu server: TCP, Unix sockets, and vsock, between a virtual machine and its host.
//
// Cpu/dial dials and cpud listens with it. An address names its own network, as systemd-ssh-proxy(1) has taught people to write it:
//
//	host:port               TCP
//	unix/PATH               a Unix socket; an absolute path begins with a second slash
//	vsock/CID:PORT          a virtual machine, by its number, or `local` for this one, `host` for the machine that runs it. To listen, the
//	                        CID is left out, which is any
//	vsock-mux/PATH:PORT     a virtual machine of Firecracker's or Cloud Hypervisor's, by the Unix socket of its monitor
//
// The package neither authenticates nor encrypts; SSH does, on top of it.
package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// The networks, by the names that -net has for them.
const (
	TCP       = "tcp"
	Unix      = "unix"
	Vsock     = "vsock"
	UnixVsock = "unix-vsock"
)

// prefixes are what an address of each network begins with.
var prefixes = []struct{ network, prefix string }{{Unix, "unix/"}, {Vsock, "vsock/"}, {UnixVsock, "vsock-mux/"}}

// Split tells the network of an address, and the rest.
func Split(address string) (network, rest string) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(address, p.prefix); ok {
			return p.network, rest
		}
	}
	return TCP, address
}

// Join makes an address of a network's name and what it is called there; one that names its network already stays as it is. It fails for a
// network that there is not.
func Join(network, rest string) (string, error) {
	if n, _ := Split(rest); n != TCP || network == "" || network == TCP {
		return rest, nil
	}
	for _, p := range prefixes {
		if p.network == network {
			return p.prefix + rest, nil
		}
	}
	return "", fmt.Errorf("%s: unknown network: want tcp, unix, vsock or unix-vsock", network)
}

// dialTime is how long a dial over vsock may take: a machine that is not there does not always say so.
const dialTime = 10 * time.Second

// Dial connects. Host is an address without the port, which counts where the network has ports. The network of TCP is tcp, tcp4 or tcp6, and
// from the address of this machine that its connections come from, or a name for it; "" is any.
func Dial(ctx context.Context, tcp, from, host, port string) (net.Conn, error) {
	var d net.Dialer
	switch network, rest := Split(host); network {
	case Unix:
		return d.DialContext(ctx, "unix", rest)
	case UnixVsock:
		return dialMonitor(ctx, rest, port)
	case Vsock:
		cid, err := contextID(rest)
		if err != nil {
			return nil, err
		}
		n, err := portNumber(port)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, dialTime)
		defer cancel()
		return dialVsock(ctx, cid, n)
	}
	if from != "" {
		local, err := net.ResolveTCPAddr(tcp, net.JoinHostPort(from, "0"))
		if err != nil {
			return nil, fmt.Errorf("bind address: %w", err)
		}
		d.LocalAddr = local
	}
	return d.DialContext(ctx, tcp, net.JoinHostPort(host, port))
}

// Listen listens at an address. A stale Unix socket is replaced.
func Listen(address string) (net.Listener, error) {
	switch network, rest := Split(address); network {
	case Unix:
		return listenUnix(rest)
	case UnixVsock:
		// What a machine dials at its host comes out at a socket named after the port.
		path, port, err := cutPort(rest)
		if err != nil {
			return nil, err
		}
		return listenUnix(path + "_" + strconv.FormatUint(uint64(port), 10))
	case Vsock:
		cid, port, err := cutPort(rest)
		if err != nil {
			return nil, err
		}
		id := anyCID
		if cid != "" {
			if id, err = contextID(cid); err != nil {
				return nil, err
			}
		}
		return listenVsock(id, port)
	}
	return net.Listen("tcp", address)
}

// cutPort takes `:PORT` off.
func cutPort(s string) (rest string, port uint32, err error) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return "", 0, fmt.Errorf("%s: no port", s)
	}
	port, err = portNumber(s[i+1:])
	return s[:i], port, err
}

func portNumber(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s: not a port", s)
	}
	return uint32(n), nil
}

const anyCID = ^uint32(0) // VMADDR_CID_ANY

// contextID is the number of a machine on vsock; see vsock(7).
func contextID(s string) (uint32, error) {
	switch s {
	case "local":
		return 1, nil
	case "host":
		return 2, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || uint32(n) == anyCID {
		return 0, fmt.Errorf("%s: not the number of a machine", s)
	}
	return uint32(n), nil
}

func listenUnix(path string) (net.Listener, error) {
	l, err := net.Listen("unix", path)
	if err == nil {
		return l, nil
	}
	if c, dialErr := net.Dial("unix", path); dialErr == nil {
		c.Close()
		return nil, err
	}
	if info, statErr := os.Lstat(path); statErr != nil || info.Mode()&os.ModeSocket == 0 {
		return nil, err
	}
	os.Remove(path)
	return net.Listen("unix", path)
}

// dialMonitor asks the monitor of a virtual machine for a connection to a port in it: a line, and one in answer.
func dialMonitor(ctx context.Context, path, port string) (net.Conn, error) {
	if _, err := portNumber(port); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.Close() })
	_, err = fmt.Fprintf(c, "CONNECT %s\n", port)
	if err == nil {
		err = accepted(c)
	}
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: port %s: %w", path, port, err)
	}
	return c, nil
}

// accepted reads the monitor's answer, a byte at a time, for what follows is the machine's.
func accepted(r io.Reader) error {
	var line []byte
	for b := make([]byte, 1); len(line) < 64; line = append(line, b[0]) {
		if _, err := io.ReadFull(r, b); err != nil {
			return errors.New("nobody listens in the machine")
		}
		if b[0] == '\n' {
			if strings.HasPrefix(string(line), "OK ") {
				return nil
			}
			break
		}
	}
	return fmt.Errorf("the monitor says %q", line)
}
