package sshconfig

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	errMissing = errors.New("no value")
	errExtra   = errors.New("more values than it takes")
)

func none(s string) bool { return strings.EqualFold(s, "none") }

// one is the only argument of a line.
func (l *line) one() (string, error) {
	switch {
	case len(l.args) == 0 || l.args[0] == "":
		return "", errMissing
	case len(l.args) > 1:
		return "", errExtra
	}
	return l.args[0], nil
}

func word(l *line) ([]string, error) {
	v, err := l.one()
	return []string{v}, err
}

// words is a list, or none alone.
func words(l *line) ([]string, error) {
	if len(l.args) == 0 || slices.Contains(l.args, "") {
		return nil, errMissing
	}
	if len(l.args) > 1 && slices.ContainsFunc(l.args, none) {
		return nil, errors.New("none stands alone")
	}
	return l.args, nil
}

// oneOf is one of some words, in whatever case; a=b takes a to mean b.
func oneOf(all ...string) func(l *line) ([]string, error) {
	return func(l *line) ([]string, error) {
		v, err := l.one()
		if err != nil {
			return nil, err
		}
		var names []string
		for _, a := range all {
			name, meaning, ok := strings.Cut(a, "=")
			if !ok {
				meaning = name
			}
			if strings.EqualFold(v, name) {
				return []string{meaning}, nil
			}
			names = append(names, name)
		}
		return nil, fmt.Errorf("%q: want one of %s", v, strings.Join(names, ", "))
	}
}

var flag = oneOf("yes", "no", "true=yes", "false=no")

// command is the rest of the line, quotes and all.
func command(l *line) ([]string, error) {
	v := strings.TrimLeft(l.rest, blanks+"=")
	if v == "" {
		return nil, errMissing
	}
	return []string{v}, nil
}

// jump is the rest of the line up to a comment: hosts that commas separate, each a value.
func jump(l *line) ([]string, error) {
	v, _ := command(l)
	if len(v) == 1 && none(v[0]) {
		return []string{"none"}, nil
	}
	text, _, _ := strings.Cut(strings.Join(v, ""), "#")
	hops := strings.Split(strings.TrimRight(text, blanks), ",")
	for _, h := range hops {
		if h == "" || strings.ContainsAny(h, blanks) {
			return nil, fmt.Errorf("%q: want hosts that commas separate", text)
		}
	}
	return hops, nil
}

func integer(l *line) ([]string, error) {
	v, err := l.one()
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%q: not a number", v)
	}
	return []string{strconv.FormatInt(n, 10)}, nil
}

func port(l *line) ([]string, error) {
	v, err := l.one()
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil || n == 0 {
		if n, err := net.LookupPort("tcp", v); err == nil && n > 0 {
			return []string{strconv.Itoa(n)}, nil
		}
		return nil, fmt.Errorf("%q: not a port", v)
	}
	return []string{strconv.FormatUint(n, 10)}, nil
}

// duration is a time; none says nothing, so that a later line may.
func duration(l *line) ([]string, error) {
	v, err := l.one()
	if err != nil || v == "none" {
		return nil, err
	}
	return seconds(v)
}

// persistence is a time, or whether there is one.
func persistence(l *line) ([]string, error) {
	v, err := l.one()
	switch {
	case err != nil:
		return nil, err
	case v == "yes" || v == "true":
		return []string{"yes"}, nil
	case v == "no" || v == "false":
		return []string{"no"}, nil
	}
	return seconds(v)
}

func seconds(v string) ([]string, error) {
	d, err := ParseTime(v)
	if err != nil {
		return nil, err
	}
	return []string{strconv.FormatInt(int64(d/time.Second), 10)}, nil
}

// maxTime is the most that a time may be, in seconds.
const maxTime = 1<<31 - 1

// ParseTime reads a time as TIME FORMATS in sshd_config(5) has it: seconds, or numbers with units.
func ParseTime(s string) (time.Duration, error) {
	units := map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 24 * 3600, 'w': 7 * 24 * 3600}
	total := int64(0)
	for rest := s; rest != "" || s == ""; {
		i := 0
		for i < len(rest) && rest[i] >= '0' && rest[i] <= '9' {
			i++
		}
		n, err := strconv.ParseInt(rest[:i], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("%q: not a time", s)
		}
		unit := int64(1)
		if rest = rest[i:]; rest != "" {
			var ok bool
			if unit, ok = units[rest[0]|0x20]; !ok {
				return 0, fmt.Errorf("%q: not a time", s)
			}
			rest = rest[1:]
		}
		if total += n * unit; total > maxTime {
			return 0, fmt.Errorf("%q: too long a time", s)
		}
	}
	return time.Duration(total) * time.Second, nil
}

// escape is a character, one with ^ before it, or none.
func escape(l *line) ([]string, error) {
	v, err := l.one()
	switch {
	case err != nil:
		return nil, err
	case v == "none", len(v) == 1:
		return []string{v}, nil
	case len(v) == 2 && v[0] == '^' && v[1] >= 64 && v[1] < 128:
		return []string{string(rune(v[1] & 31))}, nil
	}
	return nil, fmt.Errorf("%q: want a character, ^ and a letter, or none", v)
}

// agentConstraints are whether a key is handed to the agent, and how long it is to keep it.
func agentConstraints(l *line) ([]string, error) {
	if len(l.args) == 2 && strings.EqualFold(l.args[0], "confirm") {
		t, err := seconds(l.args[1])
		return append([]string{"confirm"}, t...), err
	}
	v, err := l.one()
	if err != nil {
		return nil, err
	}
	if known, err := oneOf("yes", "no", "ask", "confirm", "true=yes", "false=no")(l); err == nil {
		return known, nil
	}
	t, err := seconds(v)
	if err != nil {
		return nil, fmt.Errorf("%q: want yes, no, ask, confirm or a time", v)
	}
	return append([]string{"yes"}, t...), nil
}

func flagOrSocket(l *line) ([]string, error) {
	if v, err := flag(l); err == nil {
		return v, nil
	}
	return socket(l)
}

// socket is the path of one, or $NAME of the environment.
func socket(l *line) ([]string, error) {
	v, err := l.one()
	if err != nil {
		return nil, err
	}
	if name, ok := strings.CutPrefix(v, "$"); ok && !strings.HasPrefix(name, "{") && !variableName(name) {
		return nil, fmt.Errorf("%q: not the name of a variable", v)
	}
	return []string{v}, nil
}

func variableName(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

func variableNames(l *line) ([]string, error) {
	if len(l.args) == 0 {
		return nil, errMissing
	}
	for _, a := range l.args {
		if a == "" || strings.Contains(a, "=") {
			return nil, fmt.Errorf("%q: not the name of a variable", a)
		}
	}
	return l.args, nil
}

// variables are name=value each; of two with the same name the first counts.
func variables(l *line) ([]string, error) {
	if len(l.args) == 0 {
		return nil, errMissing
	}
	var all []string
	for _, a := range l.args {
		name, _, ok := strings.Cut(a, "=")
		if !ok {
			return nil, fmt.Errorf("%q: want name=value", a)
		}
		if !slices.ContainsFunc(all, func(have string) bool { return strings.HasPrefix(have, name+"=") }) {
			all = append(all, a)
		}
	}
	return all, nil
}

// addNew adds what is not there yet.
func addNew(have, values []string) []string {
	for _, v := range values {
		if !slices.Contains(have, v) {
			have = append(have, v)
		}
	}
	return have
}

// addNames adds names, and takes out those that a pattern with - before it matches.
func addNames(have, values []string) []string {
	for _, v := range values {
		if pattern, remove := strings.CutPrefix(v, "-"); remove {
			have = slices.DeleteFunc(have, func(h string) bool { return Matches(pattern, h) })
		} else {
			have = addNew(have, []string{v})
		}
	}
	return have
}
