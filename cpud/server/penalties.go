//go:build linux

package server

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Penalties says for how long a source is refused whose clients do not log in, as PerSourcePenalties in sshd_config(5) does: each failure
// adds its time to the source's penalty, which passes by itself. Once it is more than Min the source is refused until it has passed. The zero
// value refuses nobody.
type Penalties struct {
	AuthFail      time.Duration // keys were tried, and none was accepted; whether or not there is such a user
	NoAuth        time.Duration // the client went without having tried one
	GraceExceeded time.Duration // the login took too long
	Min, Max      time.Duration // what a penalty must be more than to count, and the most that it grows to
}

// DefaultPenalties are OpenSSH's.
var DefaultPenalties = Penalties{AuthFail: 5 * time.Second, NoAuth: time.Second, GraceExceeded: 10 * time.Second, Min: 15 * time.Second, Max: 10 * time.Minute}

// ParsePenalties reads name:time, with the names that PerSourcePenalties has for them and commas or blanks in between; the others stay as they
// are by default. No is none at all.
func ParsePenalties(s string) (Penalties, error) {
	if s == "no" {
		return Penalties{}, nil
	}
	p := DefaultPenalties
	fields := map[string]*time.Duration{"authfail": &p.AuthFail, "noauth": &p.NoAuth, "grace-exceeded": &p.GraceExceeded, "min": &p.Min, "max": &p.Max}
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ' ' }) {
		name, value, _ := strings.Cut(word, ":")
		field := fields[name]
		if field == nil {
			return p, fmt.Errorf("%s: want authfail, noauth, grace-exceeded, min or max, a colon and a time; or no", word)
		}
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return p, fmt.Errorf("%s: not a time", word)
		}
		*field = d
	}
	if p.Max < p.Min {
		return p, fmt.Errorf("%s: max is less than min", s)
	}
	return p, nil
}

// maxPenalties is how many sources have a penalty at once. Beyond them no more are remembered, which is how sshd is by default too.
const maxPenalties = 65536

// penalties are those of all sources.
type penalties struct {
	Penalties
	exempt string // a pattern list, as in from=
	now    func() time.Time

	mu      sync.Mutex
	sources map[netip.Addr]*penalty
	swept   time.Time
}

type penalty struct {
	until  time.Time
	counts bool // it has been more than Min, and has not passed since
}

// add adds to the penalty of the source of an address. It says until when the source is refused, if that is because of this one.
func (p *penalties) add(from net.Addr, d time.Duration) (until time.Time, refused bool) {
	ip, ok := sourceIP(from)
	if !ok || d == 0 || p.exempt != "" && fromMatches(p.exempt, from) {
		return time.Time{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	e := p.sources[ip]
	if e == nil || e.until.Before(now) {
		if e == nil && !p.room(now) {
			return time.Time{}, false
		}
		e = &penalty{until: now}
		p.sources[ip] = e
	}
	e.until = e.until.Add(d)
	if latest := now.Add(p.Max); e.until.After(latest) {
		e.until = latest
	}
	if e.counts || e.until.Sub(now) <= p.Min {
		return time.Time{}, false
	}
	e.counts = true
	return e.until, true
}

// room makes room for one more source, if it can. Mu is held.
func (p *penalties) room(now time.Time) bool {
	if p.sources == nil {
		p.sources = map[netip.Addr]*penalty{}
	}
	if len(p.sources) >= maxPenalties && now.Sub(p.swept) >= time.Second {
		p.swept = now
		for ip, e := range p.sources {
			if e.until.Before(now) {
				delete(p.sources, ip)
			}
		}
	}
	return len(p.sources) < maxPenalties
}

// refuses says whether a connection from there is not to be served.
func (p *penalties) refuses(from net.Addr) bool {
	ip, ok := sourceIP(from)
	if !ok {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.sources[ip]
	if e == nil {
		return false
	}
	if e.until.Before(p.now()) {
		delete(p.sources, ip)
		return false
	}
	return e.counts
}

// sourceIP is the source that an address belongs to: of IPv6 the first address of the network of 64 bits. Only networks have any.
func sourceIP(a net.Addr) (netip.Addr, bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}, false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	if ip.Is6() {
		const network = 64
		return netip.PrefixFrom(ip, network).Masked().Addr(), true
	}
	return ip, ip.IsValid()
}
