//go:build linux && !nodnssd

package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"sync"
	"time"

	"cpu/cpud/session"
	"cpu/ctlfs"
	"cpu/lib/dnssd"

	"golang.org/x/crypto/ssh"
)

// announcing is what the command line says of DNS-SD.
type announcing struct {
	on           bool
	announcement dnssd.Announcement // without the port
	text         dnssd.Text         // besides the usual
	relay        string             // where a dnssd.Relay listens; "" is nowhere
}

// flags adds those of announcing to a set.
func (a *announcing) flags(set *flag.FlagSet) {
	set.BoolVar(&a.on, "dnssd", false, "")
	set.Func("txt", "", func(v string) (err error) {
		a.text, err = dnssd.ParseText(v)
		return err
	})
	set.StringVar(&a.announcement.Name.Instance, "instance", "", "")
	set.StringVar(&a.announcement.Name.Service, "service", dnssd.DefaultService, "")
	set.StringVar(&a.announcement.Name.Domain, "domain", dnssd.DefaultDomain, "")
	set.Var((*addresses)(&a.announcement.Interfaces), "interface", "")
	set.DurationVar(&a.announcement.TTL, "ttl", 0, "")
	set.StringVar(&a.relay, "relay", "", "")
}

// The times of announcements.
const (
	renewal  = time.Minute // after which a text that nothing has changed is announced anew, for what it says of the load
	interval = time.Second // between two announcements at least, as section 6 of RFC 6762 has it
)

// complete adds to an announcement what the machine and the listeners say, and checks it.
func (a *announcing) complete(listeners []net.Listener) error {
	if !a.on {
		return nil
	}
	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("-dnssd: %w", err)
	}
	a.announcement.Name.Instance = cmp.Or(a.announcement.Name.Instance, name)
	if err := a.announcement.Check(); err != nil {
		return fmt.Errorf("-dnssd: %w", err)
	}
	for _, l := range listeners {
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok || addr.IP.IsLoopback() {
			continue
		}
		a.announcement.Port = addr.Port
		if !addr.IP.IsUnspecified() {
			a.announcement.Addrs = []net.IP{addr.IP}
		}
		return nil
	}
	return errors.New("-dnssd: nothing listens on TCP where others could reach it")
}

// start announces the server while it takes sessions, and answers for the relay, until stop is called, which withdraws and waits.
func (a *announcing) start(ctx context.Context, table *session.Table, changed <-chan struct{}, key ssh.PublicKey, log *slog.Logger) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	stop = func() { cancel(); running.Wait() }
	if a.relay != "" {
		l, err := net.Listen("tcp", a.relay)
		if err != nil {
			cancel()
			return nil, fmt.Errorf("-relay: %w", err)
		}
		log.Info("relay", "on", l.Addr().String())
		running.Go(func() {
			if err := (&dnssd.Relay{Service: a.announcement.Name}).Serve(ctx, l); err != nil {
				log.Error("relay", "err", err)
			}
		})
	}
	if a.on {
		for _, name := range a.announcement.Interfaces {
			if _, err := net.InterfaceByName(name); err != nil {
				log.Warn("announced there when it comes", "interface", name, "err", err)
			}
		}
		running.Go(func() {
			if err := a.run(ctx, table, changed, ssh.FingerprintSHA256(key)); err != nil {
				log.Error("not announced", "err", err)
			}
		})
	}
	return stop, nil
}

// run announces the server whenever it takes sessions.
func (a *announcing) run(ctx context.Context, table *session.Table, changed <-chan struct{}, fingerprint string) error {
	for ctx.Err() == nil {
		if table.Takes() {
			if err := a.while(ctx, table, changed, fingerprint); err != nil {
				return err
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil
}

// while announces the server until it takes no sessions any more, and then withdraws it.
func (a *announcing) while(ctx context.Context, table *session.Table, changed <-chan struct{}, fingerprint string) error {
	ctx, cancel := context.WithCancel(ctx)
	texts, ended := make(chan dnssd.Text), make(chan error, 1)
	go func() { ended <- dnssd.Announce(ctx, a.announcement, texts) }()
	withdraw := func() error {
		cancel()
		return <-ended
	}
	for {
		select {
		case texts <- a.facts(table.Info(), fingerprint):
		case err := <-ended:
			cancel()
			return err
		case <-ctx.Done():
			return withdraw()
		}
		soon, later := time.After(interval), time.After(renewal)
		select {
		case <-changed:
			if !table.Takes() {
				return withdraw()
			}
			select { // it may change again meanwhile, and is announced once
			case <-soon:
			case <-ctx.Done():
			}
		case <-later:
		case err := <-ended:
			cancel()
			return err
		case <-ctx.Done():
			return withdraw()
		}
	}
}

// keys are those of what ctl says.
var keys = map[string]string{"arch": dnssd.KeyArch, "os": dnssd.KeyOS, "ncpu": dnssd.KeyCores, "mem": dnssd.KeyMemTotal, "memavail": dnssd.KeyMemAvail,
	"load": dnssd.KeyLoad, "cpu": dnssd.KeyCPU, "sessions": dnssd.KeyTenants, "version": dnssd.KeyVersion}

// facts is what is announced: what ctl says, the host key, and what the administrator adds, or says otherwise.
func (a *announcing) facts(info []ctlfs.Pair, fingerprint string) dnssd.Text {
	t := dnssd.Text{dnssd.KeyHostKey: fingerprint}
	for _, p := range info {
		if key, ok := keys[p.Name]; ok {
			t[key] = p.Value
		}
	}
	maps.Copy(t, a.text)
	return t
}
