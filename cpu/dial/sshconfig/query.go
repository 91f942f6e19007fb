package sshconfig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
)

// A Query asks what a configuration comes to for one host. What it says itself comes before all files.
type Query struct {
	Host       string   // as the user gave it, without user@
	User, Port string   // "": as configured
	Identities []string // files, before those that are configured
	Options    []string // Keyword=value or `Keyword value` each
	Command    string   // what is to be run on the host, for Match command; "" is a shell

	// File is read in place of the user's and the system's; "" is none.
	File string
	// The user's and the system's configuration, either of which may be missing; "" is none. What the user's and all included files say
	// counts only if nobody but the user and root can write to them.
	UserFile, SystemFile string
	// UserDir and SystemDir are where a relative Include is looked for: in a file of the user's, or File, and in one of the system's.
	UserDir, SystemDir string

	DefaultPort string // where tokens are replaced and none is configured; "" is 22

	Home, LocalUser, UID, LocalHost string
	Getenv                          func(name string) string // nil: nothing is set

	// Lookup gives a name's canonical form, for CanonicalizeHostname; an error says that there is no such name. nil: there is none.
	Lookup func(ctx context.Context, name string) (canonical string, err error)
	Log    *slog.Logger // what is passed over; nil: not told
}

// A resolver answers one Query.
type resolver struct {
	*Query
	ctx       context.Context
	settings  Settings
	hostname  string // in the last pass: what the first one has made of the name
	final     bool   // this is the last pass
	wantFinal bool   // Match final asks for one
	told      map[string]bool
}

// Resolve answers q. Errors say at which line. It blocks as long as what Match exec runs, and the lookups for CanonicalizeHostname; ctx ends
// both.
func Resolve(ctx context.Context, q *Query) (Settings, error) {
	r := &resolver{Query: q, ctx: ctx, settings: Settings{}, told: map[string]bool{}}
	for keyword, value := range map[string]string{"user": q.User, "port": q.Port} {
		if value != "" {
			r.settings[keyword] = []string{value}
		}
	}
	r.settings.add("identityfile", q.Identities)
	for _, o := range q.Options {
		if err := r.option(o); err != nil {
			return nil, err
		}
	}
	if err := r.pass(q.Host); err != nil {
		return nil, err
	}
	host, err := r.named()
	if err != nil {
		return nil, err
	}
	if !strings.Contains(host, "/") { // a name of a file is as it is
		if addr, err := netip.ParseAddr(host); err == nil {
			host = addr.String()
		} else if host, err = r.canonical(strings.ToLower(host)); err != nil {
			return nil, err
		}
	}
	if c := r.settings.First("canonicalizehostname"); r.wantFinal || c != "" && c != "no" {
		r.final, r.hostname = true, host
		if err := r.pass(host); err != nil {
			return nil, err
		}
	}
	r.settings["hostname"] = []string{host}
	return r.settings, nil
}

// add adds values of a keyword as its lines do.
func (s Settings) add(name string, values []string) {
	switch k := keywords[name]; {
	case len(values) == 0:
	case k.add != nil:
		s[name] = k.add(s[name], values)
	case len(s[name]) == 0:
		s[name] = values
	}
}

// named is what HostName makes of the host so far.
func (r *resolver) named() (string, error) {
	if r.final {
		return r.hostname, nil
	}
	return expand(cmp.Or(r.settings.First("hostname"), "%h"), func(token byte) (string, bool) {
		return map[byte]string{'h': r.Host, '%': "%"}[token], token == 'h' || token == '%'
	}, nil)
}

// tokens are what they stand for so far.
func (r *resolver) tokens() (*Tokens, error) {
	host, err := r.named()
	if err != nil {
		return nil, err
	}
	return &Tokens{Host: host, Port: cmp.Or(r.settings.First("port"), r.DefaultPort, "22"), User: cmp.Or(r.settings.First("user"), r.LocalUser), Original: r.Host,
		KeyAlias: cmp.Or(r.settings.First("hostkeyalias"), host), Jump: JumpHost(r.settings["proxyjump"]), LocalUser: r.LocalUser, Home: r.Home, UID: r.UID,
		LocalHost: r.LocalHost, Getenv: r.Getenv}, nil
}

// JumpHost is the name of the last of some hosts of ProxyJump, without user and port; "" for none.
func JumpHost(hops []string) string {
	if len(hops) == 0 || none(hops[0]) {
		return ""
	}
	last := strings.TrimPrefix(hops[len(hops)-1], "ssh://")
	last = last[strings.LastIndexByte(last, '@')+1:]
	if inner, ok := strings.CutPrefix(last, "["); ok {
		inner, _, _ = strings.Cut(inner, "]")
		return inner
	}
	if strings.Count(last, ":") == 1 {
		last, _, _ = strings.Cut(last, ":")
	}
	return last
}

// option reads one of the command line.
func (r *resolver) option(text string) error {
	l, err := parseLine("-o "+text, text)
	switch {
	case err != nil:
		return err
	case l == nil:
		return fmt.Errorf("-o %s: want option=value", text)
	case l.keyword == "host" || l.keyword == "match" || l.keyword == "include":
		return l.errorf("not an option, but a line of a file")
	}
	return r.set(l, true, true)
}

// set reads the values of a line, which count if it is active.
func (r *resolver) set(l *line, active, isOption bool) error {
	name := cmp.Or(aliases[l.keyword], l.keyword)
	k, ok := keywords[name]
	switch {
	case !ok && isOption && !others[name] && !MatchesList(strings.ToLower(r.settings.First("ignoreunknown")), name):
		return l.errorf("no such option")
	case !ok && active && !r.told[name]:
		r.told[name] = true
		if r.Log != nil {
			r.Log.Info("ssh_config: passed over", "keyword", l.keyword, "at", l.at)
		}
	}
	if !ok {
		return nil
	}
	values, err := k.values(l)
	if err != nil {
		return l.errorf("%s: %w", l.keyword, err)
	}
	if !active {
		return nil
	}
	switch name {
	case "refuseconnection":
		return l.errorf("connection refused: %s", values[0])
	case "proxyjump":
		if len(r.settings["proxycommand"]) > 0 && !none(values[0]) {
			return nil
		}
	case "proxycommand":
		if jump := r.settings["proxyjump"]; len(jump) > 0 && !none(jump[0]) {
			return nil
		}
	}
	r.settings.add(name, values)
	return nil
}

var errLoop = errors.New("too many files that include each other")
