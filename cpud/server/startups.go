//go:build linux

package server

import (
	"net"
	"slices"
	"sync"
)

// startups are the connections whose clients have not logged in. There are only so many: one that comes when they are full takes the place of the
// oldest of whichever address has most, so that nobody can keep others out by holding them.
type startups struct {
	mu   sync.Mutex
	max  int
	open []startup // oldest first
}

type startup struct {
	conn net.Conn
	from string // the address, without the port
}

// begin enters a connection. Another may be closed for it.
func (s *startups) begin(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(s.open, startup{c, source(c)})
	if len(s.open) <= s.max {
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

// end takes a connection out that has logged in, or failed to.
func (s *startups) end(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = slices.DeleteFunc(s.open, func(o startup) bool { return o.conn == c })
}

func source(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return c.RemoteAddr().String()
	}
	return host
}
