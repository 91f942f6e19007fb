package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"cpu/cpu/client"
	"cpu/cpu/dial"
	"cpu/cpu/forward"
)

// forwards says whether anything is to be forwarded to or from h.
func (f *flags) forwards(h *dial.Host) bool {
	return len(f.local)+len(f.remote)+len(h.LocalForwards)+len(h.RemoteForwards)+len(h.DynamicForwards) > 0 || h.ForwardAgent != ""
}

// forwarding connects to a host for this process alone, for what is forwarded is its own, and ends with it. As with ssh, what cannot be forwarded
// is told, and the rest goes on, unless ExitOnForwardFailure is set.
func (n *network) forwarding(ctx context.Context, h *dial.Host, f *flags) (*client.Conn, error) {
	local, remote, err := f.specs(h)
	if err != nil {
		return nil, err
	}
	s, err := n.dialer.DialHost(ctx, h)
	if err != nil {
		return nil, err
	}
	set := forward.New(s, n.log)
	set.RemoteOpen = h.PermitRemoteOpen
	var failed []error
	for _, spec := range local {
		failed = append(failed, set.Local(spec))
	}
	for _, spec := range remote {
		port, err := set.Remote(spec)
		failed = append(failed, err)
		if err == nil && spec.Listen.Path == "" && spec.Listen.Port == 0 {
			fmt.Fprintf(os.Stderr, "Allocated port %d for remote forward to %s\n", port, spec.Connect)
		}
	}
	if h.ForwardAgent != "" {
		set.Agent(h.ForwardAgent)
	}
	conn := client.New(h.Name, forwarding{client.SSH(s), set}, n.trace)
	for _, err := range failed {
		switch {
		case err == nil:
		case h.ExitOnForwardFailure:
			conn.Close()
			return nil, err
		default:
			fmt.Fprintf(os.Stderr, "cpu: %v\n", err)
		}
	}
	return conn, nil
}

// specs are what is listened for at this end, and at the server's, by the command line and the configuration.
func (f *flags) specs(h *dial.Host) (local, remote []forward.Spec, err error) {
	if local, err = addSpecs(f.local, h.LocalForwards, forward.ParseLocal); err != nil {
		return nil, nil, fmt.Errorf("LocalForward: %w", err)
	}
	if local, err = addSpecs(local, h.DynamicForwards, forward.ParseDynamic); err != nil {
		return nil, nil, fmt.Errorf("DynamicForward: %w", err)
	}
	if remote, err = addSpecs(f.remote, h.RemoteForwards, forward.ParseRemote); err != nil {
		return nil, nil, fmt.Errorf("RemoteForward: %w", err)
	}
	for i := range local {
		if h.GatewayPorts && local[i].Unbound {
			local[i].Listen.Host = ""
		}
	}
	return local, remote, nil
}

// addSpecs are those of the command line and those of the configuration.
func addSpecs(specs []forward.Spec, configured []string, parse func(string) (forward.Spec, error)) ([]forward.Spec, error) {
	specs = slices.Clone(specs)
	for _, c := range configured {
		s, err := parse(c)
		if err != nil {
			return nil, err
		}
		specs = append(specs, s)
	}
	return specs, nil
}

// forwarding is a connection with what is forwarded over it, which ends with it.
type forwarding struct {
	client.Opener
	set *forward.Set
}

func (f forwarding) Close() error {
	err := f.Opener.Close()
	f.set.Close()
	return err
}

// waitFor waits until the connection, which forwards only, has ended, or this process is to.
func waitFor(ctx context.Context, conn *client.Conn) error {
	if _, err := conn.Control(ctx); err != nil {
		return interrupted(ctx, err)
	}
	select {
	case <-conn.Done():
		return errLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errLost = errors.New("connection lost")
