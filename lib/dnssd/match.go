package dnssd

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Match says which requirements a text does not meet, one after the other, in words; none if it meets all.
func (q *Query) Match(t Text) (failed []string) {
	wanted := q.alternatives()
	done := map[string]bool{}
	for _, r := range q.require {
		if q.anything[r.key] {
			continue
		}
		got, has := t[r.key]
		switch r.op {
		case '=':
			if done[r.key] {
				continue
			}
			done[r.key] = true
			if !has || !slices.ContainsFunc(wanted[r.key], func(v string) bool { return same(v, got) }) {
				failed = append(failed, fmt.Sprintf("%s, want %s", is(r.key, got, has), strings.Join(wanted[r.key], " or ")))
			}
		case '!':
			if has && same(r.value, got) {
				failed = append(failed, fmt.Sprintf("%s, want another", is(r.key, got, has)))
			}
		case '<', '>':
			n, isNumber := number(got)
			words := map[byte]string{'<': "at most", '>': "at least"}[r.op]
			if !isNumber || r.op == '<' && n > r.number || r.op == '>' && n < r.number {
				failed = append(failed, fmt.Sprintf("%s, want %s %s", is(r.key, got, has), words, r.value))
			}
		}
	}
	return failed
}

// alternatives are the values by their keys, of which each is to have one.
func (q *Query) alternatives() map[string][]string {
	all := map[string][]string{}
	for _, r := range q.require {
		if r.op == '=' {
			all[r.key] = append(all[r.key], r.value)
		}
	}
	return all
}

func is(key, value string, has bool) string {
	if !has {
		return key + " is not announced"
	}
	return fmt.Sprintf("%s is %s", key, Printable(value))
}

// same says whether two values are, as text or as numbers.
func same(a, b string) bool {
	if a == b {
		return true
	}
	x, ok := number(a)
	y, ok2 := number(b)
	return ok && ok2 && x == y
}

// Sort puts the best hosts first; equals, and all where the query says nothing, by name.
func (q *Query) Sort(hosts []Host) {
	slices.SortFunc(hosts, func(a, b Host) int {
		for _, o := range q.sort {
			if c := o.compare(a.Text, b.Text); c != 0 {
				return c
			}
		}
		return cmp.Or(strings.Compare(a.Name.Instance, b.Name.Instance), strings.Compare(a.Name.String(), b.Name.String()))
	})
}

// compare is less than 0 where a comes first. Numbers come before other values, and those before none.
func (o order) compare(a, b Text) int {
	x, hasX := a[o.key]
	y, hasY := b[o.key]
	switch o.op {
	case '=':
		return first(hasX, hasY)
	case '!':
		return first(!hasX, !hasY)
	}
	n, isN := number(x)
	m, isM := number(y)
	switch {
	case hasX != hasY:
		return first(hasX, hasY)
	case isN != isM:
		return first(isN, isM)
	}
	c := strings.Compare(x, y)
	if isN {
		c = cmp.Compare(n, m)
	}
	if o.op == '>' {
		return -c
	}
	return c
}

// first puts what is so before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
