//go:build !linux

package main

import (
	"context"
	"errors"

	"cpu/cpu/client"
)

var errMount = errors.New("-m: only Linux can mount; see -ctl")

func mountControl(context.Context, *client.Conn, string, string) (<-chan struct{}, func() error, error) {
	return nil, nil, errMount
}

func serveControl(context.Context, *client.Conn, string, string) error { return errMount }
