//go:build !linux

package transport

import (
	"context"
	"errors"
	"net"
)

var errVsock = errors.New("only Linux has vsock")

func dialVsock(context.Context, uint32, uint32) (net.Conn, error) { return nil, errVsock }

func listenVsock(uint32, uint32) (net.Listener, error) { return nil, errVsock }
