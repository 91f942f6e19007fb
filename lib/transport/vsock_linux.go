package transport

import (
	"context"
	"net"

	"github.com/mdlayher/vsock"
)

func dialVsock(ctx context.Context, cid, port uint32) (net.Conn, error) {
	return vsock.DialContext(ctx, cid, port, nil)
}

// listenVsock does not ask for the machine's own number, which there may not be yet.
func listenVsock(cid, port uint32) (net.Listener, error) {
	return vsock.ListenContextID(cid, port, nil)
}
