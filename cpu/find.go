package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cpu/cpu/client"
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

// connectFound finds hosts and connects to the n best, or to all; the connections are in the order of the query. Where a session is wanted each
// host has promised it, for command. A host that refuses it, cannot be reached, or does not prove who it is, is passed over, and its place is taken
// by the next one. There being too few is an error, but where all are wanted: then it is one if there is none.
func (n *network) connectFound(ctx context.Context, f *flags, want int, session bool) ([]hostConn, error) {
	found := &search{finder: f.finder(), query: f.query}
	if err := found.first(ctx, max(want, 0)); err != nil {
		return nil, err
	}
	if want == allHosts {
		want = len(found.hosts)
	} else if len(found.hosts) < want {
		return nil, fmt.Errorf("%s: %d hosts are found, and %d are wanted", f.query, len(found.hosts), want)
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
		i, h := next, found.hosts[next]
		next++
		go func() {
			conn, err := one.dialFound(ctx, f, h, session)
			results <- result{i, conn, err}
		}()
	}
	for range want {
		connect()
	}
	var refused, failed []error
	conns := map[int]hostConn{}
	for range want {
		r := <-results
		for r.err != nil && found.more(ctx, next) {
			var full *client.RefusedError
			if errors.As(r.err, &full) {
				n.log.Info("another host is taken", "err", r.err)
				refused = append(refused, r.err)
			} else {
				fmt.Fprintf(n.dialer.Stderr, "cpu: %v; another is taken\n", r.err)
			}
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
	for i := range found.hosts {
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
	return nil, errors.Join(append(refused, failed...)...)
}

// A search is what is found, and what is found later where that will not do.
type search struct {
	finder *dnssd.Finder
	query  *dnssd.Query
	hosts  []dnssd.Host // in the order in which they are to be tried
	over   bool         // all time has been taken that there is
}

// first finds n hosts, or all with 0.
func (s *search) first(ctx context.Context, n int) (err error) {
	s.hosts, err = s.finder.Find(ctx, s.query, n)
	s.over = n == 0 || s.query.Name.Instance != ""
	return err
}

// more says whether there are more than so many hosts. Those that have not answered as soon as others may be among them.
func (s *search) more(ctx context.Context, than int) bool {
	if len(s.hosts) > than || s.over || ctx.Err() != nil {
		return len(s.hosts) > than && ctx.Err() == nil
	}
	s.over = true
	late, err := s.finder.Find(ctx, s.query, 0)
	if err != nil {
		return false // of those that were there before each has said why it will not do
	}
	for _, h := range late {
		if !slices.ContainsFunc(s.hosts, func(known dnssd.Host) bool { return strings.EqualFold(known.Name.String(), h.Name.String()) }) {
			s.hosts = append(s.hosts, h)
		}
	}
	return len(s.hosts) > than && ctx.Err() == nil
}

// dialFound connects to a host that was found: at the addresses it was heard of at, under the name that it gives itself, with the key that it has
// announced, which has to be known as any other's. Where a session is wanted it is made.
func (n *network) dialFound(ctx context.Context, f *flags, found dnssd.Host, session bool) (hostConn, error) {
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
	c := hostConn{Conn: conn, host: h, name: name}
	if session {
		c.reserved = conn.Command(command(f.command)...)
		if err := c.reserved.Reserve(ctx); err != nil {
			conn.Close()
			return hostConn{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return c, nil
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
	all, err := s.network.connectFound(ctx, s.flags, 1, s.flags.attach == 0)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer all[0].Close()
	s.env = all[0].environment(0)
	return linger(ctx, all[0].Conn, s.run(ctx, all[0]))
}
