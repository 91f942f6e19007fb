//go:build linux

package server

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Startups bounds the connections whose clients have not logged in, in the numbers of MaxStartups in sshd_config(5): from Start of them on,
// one gives way to a new one with a probability of Rate percent, which grows to certainty at Full. The one that gives way is the oldest of
// whichever source has most, where sshd refuses the new one, so that nobody can keep others out by holding them.
type Startups struct{ Start, Rate, Full int }

// DefaultStartups are OpenSSH's.
var DefaultStartups = Startups{10, 30, 100}

// ParseStartups reads start:rate:full, or a number, from which on one always gives way.
func ParseStartups(s string) (Startups, error) {
	fields := strings.Split(s, ":")
	var n [3]int
	for i, f := range fields {
		var err error
		if i == len(n) {
			return Startups{}, fmt.Errorf("%s: want start:rate:full", s)
		}
		if n[i], err = strconv.Atoi(f); err != nil || n[i] < 1 {
			return Startups{}, fmt.Errorf("%s: %q is not a number of connections", s, f)
		}
	}
	switch l := (Startups{n[0], n[1], n[2]}); {
	case len(fields) == 1:
		return Startups{n[0], 100, n[0]}, nil
	case len(fields) != 3 || l.Rate > 100 || l.Start > l.Full:
		return Startups{}, fmt.Errorf("%s: want start:rate:full", s)
	default:
		return l, nil
	}
}

// String is what ParseStartups reads.
func (l Startups) String() string { return fmt.Sprintf("%d:%d:%d", l.Start, l.Rate, l.Full) }

// startups are the connections whose clients have not logged in.
type startups struct {
	limits Startups
	mu     sync.Mutex
	open   []startup // oldest first
}

type startup struct {
	conn net.Conn
	from string // the source
}

// crowded says whether one is to give way to a new one where there are n already. Chance is from 0 to 99.
func (l Startups) crowded(n, chance int) bool {
	switch {
	case n < l.Start:
		return false
	case n >= l.Full:
		return true
	}
	return chance < l.Rate+(100-l.Rate)*(n-l.Start)/(l.Full-l.Start)
}

// begin enters a connection. Another may be closed for it.
func (s *startups) begin(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	crowded := s.limits.crowded(len(s.open), rand.IntN(100))
	s.open = append(s.open, startup{c, source(c.RemoteAddr())})
	if !crowded {
		return
	}
	counts := map[string]int{}
	for _, o := range s.open {
		counts[o.from]++
	}
	worst := 0
	for i, o := range s.open {
		if counts[o.from] > counts[s.open[worst].from] {
			worst = i
		}
	}
	s.open[worst].conn.Close()
	s.open = slices.Delete(s.open, worst, worst+1)
}

// end takes a connection out that has logged in, or failed to; false if it has given way to another.
func (s *startups) end(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.open)
	s.open = slices.DeleteFunc(s.open, func(o startup) bool { return o.conn == c })
	return len(s.open) < before
}

// source is whoever an address belongs to: itself without the port, and of IPv6 the network of 64 bits, of which a single machine has all.
func source(a net.Addr) string {
	if ip, ok := sourceIP(a); ok {
		return ip.String()
	}
	return cmp.Or(a.String(), a.Network())
}
