package dnssd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/brutella/dnssd"
	"github.com/brutella/dnssd/log"
	"github.com/miekg/dns"
)

// An Announcement says where a cpu server listens.
type Announcement struct {
	Name       Name
	Host       string        // the machine's name, without a domain; "" is what the system says
	Port       int           // TCP
	Addrs      []net.IP      // that it listens at; none: all of each interface
	Interfaces []string      // on whose links it is announced, once they are there; none: all that have multicast
	TTL        time.Duration // how long others may remember it, in whole seconds; 0 is the usual. It is set for the whole process
}

// Check says what is wrong with it.
func (a *Announcement) Check() error {
	if a.Name.Instance == "" {
		return errors.New("the instance has no name")
	}
	if err := a.Name.onLink(); err != nil {
		return err
	}
	if a.TTL < 0 || a.TTL%time.Second != 0 || a.TTL > 1<<31*time.Second {
		return fmt.Errorf("ttl %v: want whole seconds", a.TTL)
	}
	return nil
}

// Announce announces a server until ctx is done; then it withdraws it, which takes half a second an interface at most, and returns nil. On
// Linux it is announced on interfaces that come meanwhile as well, and where addresses change.
// Texts are what is said of it, each in place of the one before; nothing is announced before the first. Where another machine has the name
// already, the instance gets another, with a number. An error is that of the network.
func Announce(ctx context.Context, a Announcement, texts <-chan Text) error {
	if err := a.Check(); err != nil {
		return err
	}
	var text Text
	select {
	case text = <-texts:
	case <-ctx.Done():
		return nil
	}
	if err := text.check(); err != nil {
		return err
	}
	if a.TTL > 0 {
		dnssd.TTLDefault, dnssd.TTLHostname = uint32(a.TTL/time.Second), uint32(a.TTL/time.Second)
	}
	log.Info.Disable() // it would go to standard output
	// The links are known from before the library looks at them: what changes from then on is not missed.
	links, err := openLinks(a.Interfaces)
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	defer links.close()
	service, err := dnssd.NewService(dnssd.Config{Name: a.Name.Instance, Type: a.Name.Service, Domain: a.Name.Domain, Host: a.Host,
		Port: a.Port, IPs: a.Addrs, Ifaces: a.Interfaces, Text: maps.Clone(text)})
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	responder, err := dnssd.NewResponder()
	if err != nil {
		return fmt.Errorf("announce: %w", err)
	}
	// A service that is added before the responder runs cannot be told from one that is announced already, and a text that changes
	// meanwhile is lost. So it runs first.
	only, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	running := &watched{Context: only, waited: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- responder.Respond(running) }()
	<-running.waited
	end := func() error {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			return fmt.Errorf("announce: %w", err)
		}
		return nil
	}
	handle, err := responder.Add(service)
	if err != nil {
		end()
		return fmt.Errorf("announce: %w", err)
	}
	changed, lost := make(chan net.Interface), make(chan error, 1)
	var following sync.WaitGroup
	defer following.Wait()
	follow, unfollow := context.WithCancel(ctx)
	defer unfollow()
	following.Go(func() {
		if err := links.follow(follow, changed); err != nil {
			lost <- err
		}
	})
	for {
		select {
		case text := <-texts:
			if err := text.check(); err != nil {
				end()
				return err
			}
			handle.UpdateText(maps.Clone(text), responder) // which keeps the map
		case i := <-changed:
			announceOn(&i, handle.Service())
		case err := <-lost:
			end()
			return fmt.Errorf("announce: %w", err)
		case <-ctx.Done():
			return end()
		}
	}
}

// announceOn announces a service on an interface to those who have not asked. What cannot be sent there is found by asking.
func announceOn(i *net.Interface, s dnssd.Service) {
	m := &dns.Msg{Answer: []dns.RR{dnssd.PTR(s), dnssd.SRV(s), dnssd.TXT(s)}}
	m.Response, m.Authoritative = true, true
	for _, a := range dnssd.A(s, i) {
		m.Answer = append(m.Answer, a)
	}
	for _, a := range dnssd.AAAA(s, i) {
		m.Answer = append(m.Answer, a)
	}
	if len(m.Answer) == 3 {
		return // it has no address there, or is not to be announced there
	}
	for _, r := range m.Answer[1:] {
		r.Header().Class |= cacheFlush
	}
	packet, err := m.Pack()
	if err == nil {
		err = multicast(packet, i)
	}
	if err != nil {
		log.Debug.Printf("%s: %v", i.Name, err)
	}
}

// cacheFlush says of a record that there is no other of its name and kind but those beside it (section 10.2 of RFC 6762).
const cacheFlush = 1 << 15

// watched is a context that tells when it is waited for.
type watched struct {
	context.Context
	once   sync.Once
	waited chan struct{}
}

func (w *watched) Done() <-chan struct{} {
	w.once.Do(func() { close(w.waited) })
	return w.Context.Done()
}
