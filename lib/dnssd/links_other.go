//go:build !linux

package dnssd

import (
	"context"
	"net"
)

// links are what the library sees of them when it begins: where no server runs, nothing is announced for long.
type links struct{}

func openLinks([]string) (*links, error) { return &links{}, nil }

func (*links) close() {}

func (*links) follow(ctx context.Context, _ chan<- net.Interface) error {
	<-ctx.Done()
	return nil
}
