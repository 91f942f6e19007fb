package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"cpu/lib/dnssd"
)

// anyHost is the host that stands for the least loaded there is.
const anyHost = "."

// foundTimeout is how long a host that was found may take to prove its key, if the configuration does not say. Others are waiting.
const foundTimeout = 5 * time.Second

// parseQuery reads what host is to be found, where one is, and looks that the flags about that go together.
func (f *flags) parseQuery() (err error) {
	switch {
	case f.timeout <= 0:
		return fmt.Errorf("-timeout %v: want a time", f.timeout)
	case (f.watch || f.json) && !f.list:
		return errors.New("-watch and -json are for -list")
	}
	uri := f.host
	if uri == anyHost {
		uri = dnssd.Scheme
	}
	if !strings.HasPrefix(uri, dnssd.Scheme) {
		switch {
		case f.hosts != 0:
			return errors.New("-hosts: want . or a dnssd: URI")
		case f.list:
			return errors.New("-list: want . or a dnssd: URI")
		}
		return nil
	}
	if f.query, err = dnssd.ParseQuery(uri); err != nil {
		return err
	}
	switch {
	case f.list && len(f.command) > 0:
		return errors.New("-list: no command is run")
	case f.list:
		return nil
	case f.ssh || f.network != "":
		return errors.New("-ssh and -net are for hosts that are named")
	case f.hosts != 0 && len(f.command) == 0:
		return errors.New("-hosts: want a command")
	case f.hosts != 0 && (f.tty || f.attach > 0 || f.control || f.top || f.controlDir != ""):
		return errors.New("-hosts does not go together with -t, -attach, -ctl, -top or -m")
	}
	f.query.Default(runtime.GOARCH, runtime.GOOS)
	return nil
}

func (f *flags) finder() *dnssd.Finder {
	return &dnssd.Finder{Server: f.nameServer, Timeout: f.timeout}
}

// environment is what a session there has in its environment: the host, and its own number among those of the same command.
func (c hostConn) environment(number int) []string {
	return []string{"cpuid=" + strconv.Itoa(number), "cpuhost=" + c.name}
}

// connectFound finds hosts and connects to the n best, or to all; the connections are in the order of the query. A host that cannot be
// reached, or does not prove who it is, is told of, and its place is taken by the next one. There being too few is an error, but where all
// are wanted: then it is one if there is none.
func (n *network) connectFound(ctx context.Context, f *flags, want int) ([]hostConn, error) {
	hosts, err := f.finder().Find(ctx, f.query, max(want, 0))
	if err != nil {
		return nil, err
	}
	if want == allHosts {
		want = len(hosts)
	} else if len(hosts) < want {
		return nil, fmt.Errorf("%s: %d hosts are found, and %d are wanted", f.query, len(hosts), want)
	}
	type result struct {
		host int
		conn hostConn
		err  error
	}
	one := *n
	one.dialer.Prompt = inTurn(n.dialer.Prompt)
	results := make(chan result)
	next := 0
	connect := func() {
		i := next
		next++
		go func() {
			conn, err := one.dialFound(ctx, f, hosts[i])
			results <- result{i, conn, err}
		}()
	}
	for range want {
		connect()
	}
	var failed []error
	conns := map[int]hostConn{}
	for range want {
		r := <-results
		for r.err != nil && next < len(hosts) && ctx.Err() == nil {
			fmt.Fprintf(n.dialer.Stderr, "cpu: %v; another is taken\n", r.err)
			connect()
			r = <-results
		}
		if r.err != nil {
			failed = append(failed, r.err)
			continue
		}
		conns[r.host] = r.conn
	}
	var all []hostConn
	for i := range hosts {
		if c, ok := conns[i]; ok {
			all = append(all, c)
		}
	}
	if len(failed) == 0 {
		return all, nil
	}
	if f.hosts == allHosts && len(all) > 0 {
		for _, err := range failed {
			fmt.Fprintf(n.dialer.Stderr, "cpu: %v\n", err)
		}
		return all, nil
	}
	for _, c := range all {
		c.Close()
	}
	return nil, errors.Join(failed...)
}

// dialFound connects to a host that was found: at the addresses it was heard of at, under the name that it gives itself, with the key that it has
// announced, which has to be known as any other's.
func (n *network) dialFound(ctx context.Context, f *flags, found dnssd.Host) (hostConn, error) {
	d := n.dialer
	d.User, d.Port = f.user, f.port
	name := dnssd.Printable(found.Name.Instance)
	if len(found.Addrs) == 0 {
		return hostConn{}, fmt.Errorf("%s: no address is announced", name)
	}
	h, err := d.Resolve(ctx, found.Target)
	if err != nil {
		return hostConn{}, fmt.Errorf("%s: %s: %w", name, found.Target, err)
	}
	if f.port == "" {
		h.Port = strconv.Itoa(found.Port)
	}
	for _, a := range found.Addrs {
		h.Addresses = append(h.Addresses, a.String())
	}
	h.Fingerprint = found.Text[dnssd.KeyHostKey]
	if h.ConnectTimeout == 0 {
		h.ConnectTimeout = foundTimeout
	}
	h.ControlPersist = 0 // who keeps the connection would have to find the host once more, and might find another
	conn, err := n.reach(ctx, f, h)
	if err != nil {
		return hostConn{}, fmt.Errorf("%s: %w", name, err)
	}
	return hostConn{conn, h, name}, nil
}

// inTurn asks one question after the other.
func inTurn(prompt func(context.Context, string, bool) (string, error)) func(context.Context, string, bool) (string, error) {
	if prompt == nil {
		return nil
	}
	var turn sync.Mutex
	return func(ctx context.Context, question string, secret bool) (string, error) {
		turn.Lock()
		defer turn.Unlock()
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return prompt(ctx, question, secret)
	}
}

// runFound runs the session on the best host.
func (s *setup) runFound(ctx context.Context) error {
	all, err := s.network.connectFound(ctx, s.flags, 1)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer all[0].Close()
	s.env = all[0].environment(0)
	return linger(ctx, all[0].Conn, s.run(ctx, all[0]))
}
