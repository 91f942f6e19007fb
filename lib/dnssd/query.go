package dnssd

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Scheme is what a URI begins with that ParseQuery reads.
const Scheme = "dnssd:"

// A Query says which hosts are wanted, and which of them is best.
type Query struct {
	Name     Name
	uri      string
	require  []requirement
	sort     []order
	anything map[string]bool // keys whose requirement is dropped
}

// A requirement is key=[<>!]value.
type requirement struct {
	key    string
	op     byte // =, !, < or >
	value  string
	number float64 // with < and >
}

// An order is a key that hosts are sorted by.
type order struct {
	key string
	op  byte // < ascending, > descending, = those first that have it, ! those that do not
}

// A SyntaxError is a URI that cannot be read.
type SyntaxError struct {
	URI    string
	Offset int // of the byte where the mistake is
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s: at %q: %s", e.URI, e.URI[e.Offset:], e.Reason)
}

// ParseQuery reads a URI:
//
//	dnssd://[instance._service._proto.domain][/][?key=value&...]
//
// The service is _ncpu._tcp, and the domain local, where they are not given. Decpu's forms are read too: `dnssd:?...` and
// dnssd://domain/_service._proto[/instance]. What is no letter may be written as %XX.
//
// Of the values of a key, `<n` and `>n` ask for at most and at least n, a number with a unit of K, M, G, T or P or without; `!v` asks for
// another value or none; and any other is the value itself, which may be one of several that are given in turn. `*` asks for nothing, and
// drops what Default would ask for. The key sort is another: its values are keys, in the order in which they count, each with one of < >
// = ! before it, for ascending (as without any), descending, and those that have, or lack, the key first.
//
// An error is a *SyntaxError.
func ParseQuery(uri string) (*Query, error) {
	q := &Query{uri: uri, anything: map[string]bool{}}
	if !strings.HasPrefix(uri, Scheme) {
		return nil, &SyntaxError{uri, 0, "want dnssd:"}
	}
	name, rest, _ := strings.Cut(uri[len(Scheme):], "?")
	var err error
	if q.Name, err = parseURIName(name); err != nil {
		return nil, &SyntaxError{uri, len(Scheme), err.Error()}
	}
	offset := len(uri) - len(rest)
	for rest != "" {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		if pair != "" {
			if err := q.add(pair); err != nil {
				return nil, &SyntaxError{uri, offset, err.Error()}
			}
		}
		offset = len(uri) - len(rest)
	}
	return q, nil
}

// parseURIName reads what stands between the scheme and the question mark.
func parseURIName(s string) (Name, error) {
	n := Name{Service: DefaultService, Domain: DefaultDomain}
	first, path := strings.TrimPrefix(s, "//"), ""
	if i := strings.IndexByte(first, '/'); i >= 0 {
		first, path = first[:i], strings.Trim(first[i:], "/")
	}
	first, err := url.PathUnescape(first)
	if err != nil {
		return n, err
	}
	first = strings.TrimSuffix(first, ".")
	if full, ok := splitName(first); ok {
		if path != "" {
			return n, errors.New("the service is named twice")
		}
		n.Instance, n.Service = full.Instance, full.Service
		if full.Domain != "" {
			n.Domain = full.Domain
		}
		return n, n.check()
	}
	if first != "" {
		n.Domain = first
	}
	if path != "" {
		service, instance, _ := strings.Cut(path, "/")
		if n.Service, err = url.PathUnescape(service); err != nil {
			return n, err
		}
		if n.Instance, err = url.PathUnescape(instance); err != nil {
			return n, err
		}
	}
	return n, n.check()
}

// add reads key=value.
func (q *Query) add(pair string) error {
	key, value, ok := strings.Cut(pair, "=")
	if !ok {
		return errors.New("want key=value")
	}
	key, err := url.QueryUnescape(key)
	if err != nil {
		return err
	}
	if value, err = url.QueryUnescape(value); err != nil {
		return err
	}
	key = strings.ToLower(key)
	if err := checkKey(key); err != nil {
		return err
	}
	if key == "sort" {
		o := order{key: strings.ToLower(value), op: '<'}
		if value != "" && strings.IndexByte("<>=!", value[0]) >= 0 {
			o = order{key: o.key[1:], op: value[0]}
		}
		if err := checkKey(o.key); err != nil {
			return err
		}
		q.sort = append(q.sort, o)
		return nil
	}
	r := requirement{key: key, op: '=', value: value}
	switch {
	case value == "*":
		q.anything[key] = true
		return nil
	case value == "":
	case value[0] == '<', value[0] == '>':
		r.op, r.value = value[0], value[1:]
		if r.number, ok = number(r.value); !ok {
			return fmt.Errorf("%q is not a number", r.value)
		}
	case value[0] == '!':
		if r.op, r.value = '!', value[1:]; r.value == "" {
			return errors.New("want a value after the exclamation mark")
		}
	}
	q.require = append(q.require, r)
	return nil
}

// Default asks for what is usual where the query says nothing: the architecture and the system, by Go's names, and the host with the fewest
// tenants and, of those, the processors least in use.
func (q *Query) Default(arch, os string) {
	for _, d := range []requirement{{key: KeyArch, op: '=', value: arch}, {key: KeyOS, op: '=', value: os}} {
		if !q.mentions(d.key) {
			q.require = append(q.require, d)
		}
	}
	if q.sort == nil {
		q.sort = []order{{KeyTenants, '<'}, {KeyCPU, '<'}}
	}
}

func (q *Query) mentions(key string) bool {
	for _, r := range q.require {
		if r.key == key {
			return true
		}
	}
	return q.anything[key]
}

// String is the URI as it was given.
func (q *Query) String() string { return q.uri }
