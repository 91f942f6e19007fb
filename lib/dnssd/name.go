package dnssd

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// What cpu servers are announced as, where nothing else is said.
const (
	DefaultService = "_ncpu._tcp"
	DefaultDomain  = "local"
)

// A Name is that of a service instance (section 4.1 of RFC 6763), without escapes.
type Name struct {
	Instance string // one label of any text; in a Query, "" is any instance
	Service  string // as _ncpu._tcp
	Domain   string // as local, without a dot at its end
}

// String is the name as DNS writes it, with escapes and the dot at the end; without an instance it is that of the service.
func (n Name) String() string {
	s := n.Service + "." + n.Domain + "."
	if n.Instance != "" {
		s = escapeLabel(n.Instance) + "." + s
	}
	return s
}

// escapeLabel writes a label so that DNS reads it as one (section 5.1 of RFC 1035).
func escapeLabel(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case strings.IndexByte(`. '@;()"\`, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescapeLabel is the reverse.
func unescapeLabel(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i+2 < len(s) && digits(s[i:i+3]) {
			b.WriteByte((s[i]-'0')*100 + (s[i+1]-'0')*10 + s[i+2] - '0')
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// The lengths that DNS allows.
const (
	maxLabel   = 63
	maxName    = 253
	maxService = 16 // with its underscore; section 7.2 of RFC 6763
)

// check says what is wrong with a name that is to be announced or looked for.
func (n Name) check() error {
	if err := checkService(n.Service); err != nil {
		return err
	}
	if len(n.Instance) > maxLabel {
		return fmt.Errorf("instance %q: longer than %d bytes", n.Instance, maxLabel)
	}
	if strings.ContainsFunc(n.Instance, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("instance %q: not a text", n.Instance)
	}
	for l := range strings.SplitSeq(n.Domain, ".") {
		if l == "" || len(l) > maxLabel || strings.Trim(l, labelCharacters) != "" {
			return fmt.Errorf("domain %q: not the name of a domain", n.Domain)
		}
	}
	if len(n.Instance)+len(n.Service)+len(n.Domain)+2 > maxName {
		return errors.New("the name is too long")
	}
	return nil
}

const labelCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

func checkService(s string) error {
	name, proto, ok := strings.Cut(s, ".")
	if !ok || len(name) < 2 || name[0] != '_' || len(name) > maxService || strings.Trim(name, labelCharacters) != "" || !isProto(proto) {
		return fmt.Errorf("service %q: want _name._tcp or _name._udp", s)
	}
	return nil
}

func isProto(label string) bool {
	return strings.EqualFold(label, "_tcp") || strings.EqualFold(label, "_udp")
}

// splitName takes [instance.]_service._proto[.domain] apart. It is false where there is no service in it.
func splitName(s string) (Name, bool) {
	labels := strings.Split(s, ".")
	for i := len(labels) - 1; i > 0; i-- {
		if isProto(labels[i]) && strings.HasPrefix(labels[i-1], "_") {
			return Name{
				Instance: strings.Join(labels[:i-1], "."),
				Service:  labels[i-1] + "." + labels[i],
				Domain:   strings.Join(labels[i+1:], "."),
			}, true
		}
	}
	return Name{}, false
}

// Printable is s as it may be shown at a terminal: what others announce can be anything.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// isHost says whether a target is a name such as hosts have, and nothing that could be taken for something else.
func isHost(target string) bool {
	return target != "" && target[0] != '-' && target[0] != '.' && len(target) <= maxName && strings.Trim(target, labelCharacters+".") == ""
}
