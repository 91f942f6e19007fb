package exportfs

import (
	"bufio"
	"fmt"
	"io"
	"regexp/syntax"
	"strings"
)

// Patterns say which files of a tree are hidden, as exportfs(4) has it: each is a regular expression, matched against a file's path
// below the root, which begins with a slash. To be seen, a file must match every pattern marked + and none marked -, and so must
// each directory on the way to it. The root itself is always seen.
type Patterns struct {
	exclude *automaton   // all - patterns in one; nil: none
	include []*automaton // the + patterns
}

// ParsePatterns reads patterns: `+ regexp` or `- regexp`, one a line. The expressions are Go's (regexp/syntax), of which those of
// regexp(6) are a part; a dot also matches a newline. Blank lines and lines that begin with # are ignored. Errors begin with NAME:LINE.
func ParsePatterns(name string, r io.Reader) (*Patterns, error) {
	var p Patterns
	var excludes []*syntax.Regexp
	lines := bufio.NewScanner(r)
	line := 0
	for lines.Scan() {
		line++
		text := strings.TrimRight(lines.Text(), " \t\r")
		if text == "" || text[0] == '#' {
			continue
		}
		expr := strings.TrimLeft(text[1:], " \t")
		if text[0] != '+' && text[0] != '-' || len(expr) == len(text)-1 {
			return nil, fmt.Errorf("%s:%d: want + or -, a blank and a regular expression", name, line)
		}
		re, err := syntax.Parse(expr, syntax.Perl|syntax.DotNL)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		if text[0] == '-' {
			excludes = append(excludes, re)
			continue
		}
		a, err := newAutomaton(re)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		p.include = append(p.include, a)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, line+1, err)
	}
	if len(excludes) > 0 {
		a, err := newAutomaton(excludes...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		p.exclude = a
	}
	return &p, nil
}

// DefaultPatterns hides private keys: a server that somebody logs in to has no business with them. It also hides the memory of
// processes, for agents and cpu itself keep keys there.
func DefaultPatterns() *Patterns {
	p, err := ParsePatterns("default patterns", strings.NewReader(defaultPatterns))
	if err != nil {
		panic(err) // the text is below, and tested
	}
	return p
}

// Case is ignored: some file systems do.
const defaultPatterns = `
# SSH: every identity but its public half, older and foreign formats, host keys
- (?i)/\.ssh/id_(|b|ub|pub|[^/]*([^b/]|[^u/]b|[^p/]ub|[^./]pub))$
- (?i)/\.ssh/identity$
- (?i)/\.ssh/[^/]*\.(pem|key|ppk)$
- (?i)/ssh/ssh_host_[^/]*key$
# GnuPG
- (?i)/\.gnupg/(private-keys[^/]*|secring[^/]*)$
# age, minisign, signify, WireGuard
- (?i)/\.config/(sops/)?age/
- (?i)/(age|minisign|signify|wireguard)/[^/]*\.(key|sec)$
- (?i)/\.(age|minisign|signify)/[^/]*\.(key|sec)$
# keyrings, and TLS
- (?i)/\.local/share/(keyrings|kwalletd)$
- (?i)/library/keychains$
- (?i)/ssl/private$
# what processes have in memory
- ^/proc/([^/]*/)+mem$
- ^/proc/kcore$
`

// matcher tells which names in one directory are hidden.
type matcher struct {
	exclude *state // after the directory's path and a slash; nil: none
	include []*state
}

// in is the matcher of the directory at path, "" for the root.
func (p *Patterns) in(path string) *matcher {
	path += "/"
	var m matcher
	if p.exclude != nil {
		m.exclude = p.exclude.start.run(path)
	}
	for _, a := range p.include {
		m.include = append(m.include, a.start.run(path))
	}
	return &m
}

func (m *matcher) hidden(name string) bool {
	if m.exclude != nil && m.exclude.run(name).matches {
		return true
	}
	for _, s := range m.include {
		if !s.run(name).matches {
			return true
		}
	}
	return false
}

// covers says whether everything that is hidden beneath directory old would be hidden beneath it under its new name. It may deny it
// of a pair for which it is true, but not the other way round.
func (p *Patterns) covers(old, new string) bool {
	o, n := p.in(old), p.in(new)
	if o.exclude != nil && !o.exclude.within(n.exclude) {
		return false
	}
	for i := range o.include {
		if !n.include[i].within(o.include[i]) {
			return false
		}
	}
	return true
}
