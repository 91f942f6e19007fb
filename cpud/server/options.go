//go:build linux

package server

import (
	"errors"
	"fmt"
	"net"
	"path"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// keyRights is what the options of a key's line say, and of a certificate what it says itself.
type keyRights struct {
	command string   // the only command; "" is any
	env     []string // NAME=value, added to the environment
	noTTY   bool
	noTouch bool // a security key may sign without being touched

	noForwarding, noAgent bool     // of ports and sockets; of the client's agent
	connect, listen       []permit // where ports may be forwarded to and from; nil is anywhere

	authority  bool     // the line is for certificates that its key signed
	principals []string // the names of which they must have one; nil is the user's own
	source     *string  // the addresses, with blocks and commas, that a certificate is for; nil is any
}

// permissions is what package ssh needs to know, which holds the connection to it.
func (r *keyRights) permissions() *ssh.Permissions {
	p := &ssh.Permissions{}
	if r.noTouch {
		p.Extensions = map[string]string{noTouchRequired: ""}
	}
	if r.source != nil {
		p.CriticalOptions = map[string]string{sourceAddress: *r.source}
	}
	return p
}

// parseOptions reads the options of a key's line; see AUTHORIZED_KEYS FILE FORMAT in sshd(8). One that is not known, or not met, is an
// error: a restriction that is passed over would be a right. So is one that stands twice, for it is not clear which one is meant.
func parseOptions(options []string, from net.Addr, now time.Time) (keyRights, error) {
	var r keyRights
	seen := map[string]bool{}
	for _, o := range options {
		name, value, hasValue := strings.Cut(o, "=")
		name = strings.ToLower(name)
		if seen[name] && !repeats[name] {
			return r, fmt.Errorf("%s: stands twice", name)
		}
		seen[name] = true
		wantsValue, known := takesValue[name]
		if !known {
			return r, fmt.Errorf("%s: option not supported", name)
		}
		value, quoted := unquote(value)
		if hasValue != wantsValue || hasValue && !quoted {
			return r, fmt.Errorf("%s: a value in quotes is missing, or there is one too many", name)
		}
		switch name {
		case "restrict":
			r.noTTY, r.noForwarding, r.noAgent = true, true, true
		case "no-pty":
			r.noTTY = true
		case "pty":
			r.noTTY = false
		case "port-forwarding", "no-port-forwarding":
			r.noForwarding = name != "port-forwarding"
		case "agent-forwarding", "no-agent-forwarding":
			r.noAgent = name != "agent-forwarding"
		case "permitopen", "permitlisten":
			p, err := parsePermit(value, name == "permitlisten")
			if err != nil {
				return r, fmt.Errorf("%s: %w", name, err)
			}
			if name == "permitopen" {
				r.connect = append(r.connect, p)
			} else {
				r.listen = append(r.listen, p)
			}
		case "cert-authority":
			r.authority = true
		case "principals":
			r.principals = strings.FieldsFunc(value, func(c rune) bool { return c == ',' })
			if len(r.principals) == 0 {
				return r, errors.New("principals: names nobody")
			}
		case noTouchRequired:
			r.noTouch = true
		case "command":
			r.command = value
		case "environment":
			if n, _, ok := strings.Cut(value, "="); !ok || !isName(n) || strings.ContainsRune(value, 0) {
				return r, fmt.Errorf("environment=%q: not NAME=value", value)
			}
			r.env = append(r.env, value)
		case "from":
			if !fromMatches(value, from) {
				return r, fmt.Errorf("the key is for others than %s", from)
			}
		case "expiry-time":
			t, err := expiry(value)
			if err != nil {
				return r, err
			}
			if !now.Before(t) {
				return r, errors.New("the key has expired")
			}
		}
	}
	if r.principals != nil && !r.authority {
		return r, errors.New("principals: stands without cert-authority")
	}
	return r, nil
}

// repeats has the options that may stand more than once.
var repeats = map[string]bool{"environment": true, "permitopen": true, "permitlisten": true}

// takesValue has the options that are known, and whether they have a value. Those not in the switch of parseOptions are about things that
// there are none of here: X11, tunnels, ~/.ssh/rc.
var takesValue = map[string]bool{
	"restrict": false, "pty": false, "no-pty": false, noTouchRequired: false,
	"command": true, "environment": true, "from": true, "expiry-time": true,
	"agent-forwarding": false, "no-agent-forwarding": false, "port-forwarding": false, "no-port-forwarding": false,
	"x11-forwarding": false, "no-x11-forwarding": false, "user-rc": false, "no-user-rc": false,
	"permitopen": true, "permitlisten": true, "tunnel": true,
	"cert-authority": false, "principals": true,
}

// unquote takes the quotes off an option's value.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	return strings.ReplaceAll(s[1:len(s)-1], `\"`, `"`), true
}

// isName says whether s can be the name of a variable.
func isName(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case c == '_', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', i > 0 && '0' <= c && c <= '9':
		default:
			return false
		}
	}
	return s != ""
}

// expiry reads YYYYMMDD[HHMM[SS]], in UTC with a Z at its end, else in the machine's zone.
func expiry(s string) (time.Time, error) {
	digits, zone := s, time.Local
	if t, ok := strings.CutSuffix(s, "Z"); ok {
		digits, zone = t, time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(digits) == len(layout) {
			if t, err := time.ParseInLocation(layout, digits, zone); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("expiry-time=%q: not a time", s)
}

// fromMatches matches an address with a pattern list: addresses with * and ?, CIDR blocks, and ! before what is not meant. Host names
// never match, as with sshd's UseDNS no.
func fromMatches(list string, from net.Addr) bool {
	host, _, err := net.SplitHostPort(from.String())
	if err != nil {
		return false
	}
	host, _, _ = strings.Cut(host, "%")
	ip := net.ParseIP(host)
	matched := false
	for p := range strings.SplitSeq(list, ",") {
		p, not := strings.CutPrefix(strings.TrimSpace(p), "!")
		_, block, err := net.ParseCIDR(p)
		hit := err == nil && ip != nil && block.Contains(ip)
		if err != nil {
			hit, _ = path.Match(literal.Replace(p), host)
		}
		if hit && not {
			return false
		}
		matched = matched || hit
	}
	return matched
}

// literal keeps of path.Match's patterns only * and ?.
var literal = strings.NewReplacer("[", `\[`, `\`, `\\`)
