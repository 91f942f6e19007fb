package dnssd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/miekg/dns"
)

// maxHosts is how many instances a name server may tell of.
const maxHosts = 1000

// askServer asks a name server for all instances of a service, over TCP, for their texts need not fit into a packet. What it does not send
// along with the names it is asked for.
func askServer(ctx context.Context, server string, service Name) (map[string]Host, error) {
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(strings.Trim(server, "[]"), "53")
	}
	fail := func(err error) (map[string]Host, error) {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("name server %s: %w", server, err)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", server)
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	r := records{conn: &dns.Conn{Conn: conn}, known: map[dns.Question][]dns.RR{}}
	instances, err := r.ask(Name{Service: service.Service, Domain: service.Domain}.String(), dns.TypePTR)
	if err != nil {
		return fail(err)
	}
	all := map[string]Host{}
	for _, rr := range instances {
		if len(all) == maxHosts {
			break
		}
		h, err := r.host(rr.(*dns.PTR).Ptr)
		if err != nil {
			return fail(err)
		}
		if h != nil {
			all[strings.ToLower(h.Name.String())] = *h
		}
	}
	return all, nil
}

// records are what a name server has said.
type records struct {
	conn  *dns.Conn
	known map[dns.Question][]dns.RR
}

func question(name string, kind uint16) dns.Question {
	return dns.Question{Name: strings.ToLower(dns.Fqdn(name)), Qtype: kind, Qclass: dns.ClassINET}
}

// ask is the records of a kind that a name has; none is no error.
func (r *records) ask(name string, kind uint16) ([]dns.RR, error) {
	q := question(name, kind)
	if all, ok := r.known[q]; ok {
		return all, nil
	}
	m := new(dns.Msg)
	m.SetQuestion(q.Name, kind)
	if err := r.conn.WriteMsg(m); err != nil {
		return nil, err
	}
	answer, err := r.conn.ReadMsg()
	switch {
	case err != nil:
		return nil, err
	case answer.Id != m.Id:
		return nil, errors.New("it answers another question")
	case answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
		return nil, fmt.Errorf("%s: %s", name, dns.RcodeToString[answer.Rcode])
	}
	r.known[q] = nil
	for i, rr := range append(answer.Answer, answer.Extra...) {
		h := rr.Header()
		k := question(h.Name, h.Rrtype)
		// What comes along is not taken for more than what was asked for.
		if i < len(answer.Answer) && k == q || k != q && h.Rrtype != dns.TypePTR {
			r.known[k] = append(r.known[k], rr)
		}
	}
	return r.known[q], nil
}

// host is the instance of a full name; nil is none.
func (r *records) host(full string) (*Host, error) {
	labels := dns.SplitDomainName(full)
	if len(labels) < 3 {
		return nil, nil
	}
	h := &Host{Name: Name{unescapeLabel(labels[0]), strings.Join(labels[1:3], "."), strings.Join(labels[3:], ".")}, Text: Text{}}
	if h.Name.check() != nil {
		return nil, nil
	}
	srv, err := r.ask(full, dns.TypeSRV)
	if err != nil || len(srv) == 0 {
		return nil, err
	}
	h.Port, h.Target = int(srv[0].(*dns.SRV).Port), strings.TrimSuffix(srv[0].(*dns.SRV).Target, ".")
	if !isHost(h.Target) {
		return nil, nil
	}
	txt, err := r.ask(full, dns.TypeTXT)
	if err != nil {
		return nil, err
	}
	if len(txt) > 0 {
		h.Text = readText(txt[0].(*dns.TXT).Txt)
	}
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		addrs, err := r.ask(h.Target, kind)
		if err != nil {
			return nil, err
		}
		for _, rr := range addrs {
			switch rr := rr.(type) {
			case *dns.A:
				h.addIP(rr.A, "")
			case *dns.AAAA:
				h.addIP(rr.AAAA, "")
			}
		}
	}
	h.sortAddrs()
	return h, nil
}
