package dnssd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// A Relay is a name server that knows the instances of one service which are heard of on this machine's links: a discovery proxy, as RFC 8766
// has it, for that service alone. It answers over TCP only, so that nobody can have it send anything to an address that is not his own.
type Relay struct {
	Service Name   // whose instance does not count
	Finder  Finder // that finds them

	mu    sync.Mutex
	found map[string]Host
	at    time.Time
}

// relayTTL is how long what the Relay has found is good for.
const relayTTL = 2 * time.Second

// Serve answers those who connect to l until ctx is done, which is nil, or l fails. It closes l.
func (r *Relay) Serve(ctx context.Context, l net.Listener) error {
	s := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) { w.WriteMsg(r.answer(ctx, m)) })}
	started := make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	ended := make(chan error, 1)
	go func() { ended <- s.ActivateAndServe() }()
	select {
	case <-started:
	case err := <-ended:
		l.Close()
		return fmt.Errorf("relay: %w", err)
	}
	select {
	case <-ctx.Done():
		err := s.Shutdown()
		<-ended
		if err != nil {
			return fmt.Errorf("relay: %w", err)
		}
		return nil
	case err := <-ended:
		return fmt.Errorf("relay: %w", err)
	}
}

// answer is the answer to a message.
func (r *Relay) answer(ctx context.Context, m *dns.Msg) *dns.Msg {
	a := new(dns.Msg)
	a.SetReply(m)
	a.Compress = true
	if len(m.Question) != 1 || m.Opcode != dns.OpcodeQuery {
		a.Rcode = dns.RcodeRefused
		return a
	}
	q := m.Question[0]
	if !dns.IsSubDomain(dns.Fqdn(strings.ToLower(r.Service.Domain)), strings.ToLower(q.Name)) {
		a.Rcode = dns.RcodeRefused
		return a
	}
	a.Authoritative = true
	hosts, err := r.hosts(ctx)
	if err != nil {
		a.Rcode = dns.RcodeServerFailure
		return a
	}
	service := Name{Service: r.Service.Service, Domain: r.Service.Domain}.String()
	known := false
	for _, h := range hosts {
		for i, rr := range h.records(service) {
			named := strings.EqualFold(rr.Header().Name, q.Name)
			known = known || named
			switch {
			case named && (q.Qtype == rr.Header().Rrtype || q.Qtype == dns.TypeANY):
				a.Answer = append(a.Answer, rr)
			case i > 0 && q.Qtype == dns.TypePTR && strings.EqualFold(q.Name, service):
				a.Extra = append(a.Extra, rr)
			}
		}
	}
	if !known && !strings.EqualFold(q.Name, service) {
		a.Rcode = dns.RcodeNameError
	}
	a.Truncate(dns.MaxMsgSize)
	return a
}

// hosts is who is there, by name: those found a moment ago, or found now.
func (r *Relay) hosts(ctx context.Context) ([]Host, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.found == nil || time.Since(r.at) > relayTTL {
		q := &Query{Name: Name{Service: r.Service.Service, Domain: r.Service.Domain}}
		found, err := r.Finder.found(ctx, q, 0, untold)
		if err != nil {
			return nil, err
		}
		r.found, r.at = found, time.Now()
	}
	var all []Host
	for _, h := range r.found {
		// Addresses of a link are of no use to who is not on it.
		h.Addrs = slices.DeleteFunc(slices.Clone(h.Addrs), func(a netip.Addr) bool { return a.IsLinkLocalUnicast() })
		if len(h.Addrs) > 0 {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b Host) int { return strings.Compare(a.Name.String(), b.Name.String()) })
	return all, nil
}

// records are those of a host: PTR, SRV, TXT, and its addresses.
func (h *Host) records(service string) []dns.RR {
	header := func(name string, kind uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: uint32(relayTTL / time.Second)}
	}
	full, target := h.Name.String(), dns.Fqdn(h.Target)
	text := h.Text.strings()
	if len(text) == 0 {
		text = []string{""} // section 6.1 of RFC 6763
	}
	all := []dns.RR{
		&dns.PTR{Hdr: header(service, dns.TypePTR), Ptr: full},
		&dns.SRV{Hdr: header(full, dns.TypeSRV), Port: uint16(h.Port), Target: target},
		&dns.TXT{Hdr: header(full, dns.TypeTXT), Txt: text},
	}
	for _, a := range h.Addrs {
		if a.Is4() {
			all = append(all, &dns.A{Hdr: header(target, dns.TypeA), A: a.AsSlice()})
		} else {
			all = append(all, &dns.AAAA{Hdr: header(target, dns.TypeAAAA), AAAA: a.AsSlice()})
		}
	}
	return all
}
