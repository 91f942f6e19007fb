//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"cpu/lib/transport"
)

// register tells a controller at address, as transport.Dial and -a have it, that cpud listens: it connects, writes "ok" and goes. Controllers of
// u-root's cpud understand it. It takes no longer than limit.
func register(ctx context.Context, address string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	host, port, err := hostPort(address)
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	c, err := transport.Dial(ctx, "tcp", "", host, port)
	if err != nil {
		return fmt.Errorf("register at %s: %w", address, err)
	}
	defer context.AfterFunc(ctx, func() { c.Close() })()
	_, err = io.WriteString(c, "ok")
	if closed := c.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("register at %s: %w", address, err)
	}
	return nil
}

// hostPort parts an address; a Unix socket has no port.
func hostPort(address string) (host, port string, err error) {
	switch network, _ := transport.Split(address); network {
	case transport.TCP:
		return net.SplitHostPort(address)
	case transport.Unix:
		return address, "", nil
	}
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return "", "", fmt.Errorf("%s: no port", address)
	}
	return address[:i], address[i+1:], nil
}
