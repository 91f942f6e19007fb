package dnssd

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A Host is a cpu server as it was found.
type Host struct {
	Name   Name
	Target string       // the machine's own name, as box.local
	Addrs  []netip.Addr // of it, the most useful first; those of a link have its interface as their zone
	Port   int
	Text   Text
}

// merge takes over what another packet says of the same host. Its addresses are those of all interfaces.
func (h *Host) merge(other Host) {
	other.Addrs = append(other.Addrs, h.Addrs...)
	*h = other
	h.sortAddrs()
}

// sortAddrs orders the addresses: IPv4, IPv6, then those that are good on one link only.
func (h *Host) sortAddrs() {
	kind := func(a netip.Addr) int {
		switch {
		case a.IsLinkLocalUnicast():
			return 2
		case a.Is6():
			return 1
		}
		return 0
	}
	slices.SortFunc(h.Addrs, func(a, b netip.Addr) int { return cmp.Or(kind(a)-kind(b), a.Compare(b)) })
	h.Addrs = slices.Compact(h.Addrs)
}

// A NoMatchError is a search that has found no host, or none that the query wants.
type NoMatchError struct {
	Query *Query
	Found []Host // that the query does not want
}

func (e *NoMatchError) Error() string {
	if len(e.Found) == 0 {
		return fmt.Sprintf("%s: nobody answers", e.Query)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: of those that answer none is wanted:", e.Query)
	for _, h := range e.Found {
		fmt.Fprintf(&b, "\n\t%s: ", Printable(h.Name.Instance))
		if e.Query.Name.Instance != "" && !strings.EqualFold(e.Query.Name.Instance, h.Name.Instance) {
			b.WriteString("another instance")
			continue
		}
		b.WriteString(strings.Join(e.Query.Match(h.Text), "; "))
	}
	return b.String()
}
