//go:build linux && nodnssd

package main

import (
	"context"
	"flag"
	"log/slog"
	"net"

	"cpu/cpud/session"

	"golang.org/x/crypto/ssh"
)

// announcing is nothing in a cpud for boards that have no room for it.
type announcing struct {
	on    bool
	relay string
}

func (a *announcing) flags(*flag.FlagSet) {}

func (a *announcing) complete([]net.Listener) error { return nil }

func (a *announcing) start(context.Context, *session.Table, <-chan struct{}, ssh.PublicKey, *slog.Logger) (stop func(), err error) {
	return func() {}, nil
}
