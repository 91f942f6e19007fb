package sshconfig

import (
	"fmt"
	"strconv"
	"strings"
)

// canonical looks for a host's name in the domains of CanonicalDomains, where CanonicalizeHostname asks for that, and follows the aliases
// that CanonicalizePermittedCNAMEs lets it.
func (r *resolver) canonical(host string) (string, error) {
	how := r.settings.First("canonicalizehostname")
	proxied := r.settings.Word("proxycommand") != "" || r.settings.Word("proxyjump") != ""
	if how == "" || how == "no" || r.Lookup == nil || proxied && how != "always" {
		return host, nil
	}
	if name, anchored := strings.CutSuffix(host, "."); anchored {
		if found, ok := r.lookUp(name); ok {
			return found, nil
		}
	} else {
		dots, err := strconv.Atoi(r.settings.First("canonicalizemaxdots"))
		if err != nil {
			dots = 1
		}
		if strings.Count(host, ".") > dots {
			return host, nil
		}
		for _, domain := range r.settings["canonicaldomains"] {
			if none(domain) {
				break
			}
			if found, ok := r.lookUp(host + "." + domain); ok {
				return found, nil
			}
		}
	}
	if r.settings.First("canonicalizefallbacklocal") == "no" {
		return "", fmt.Errorf("%s: found in none of CanonicalDomains", host)
	}
	if len(r.settings["canonicalizepermittedcnames"]) > 0 {
		if found, ok := r.lookUpAlias(host, host); ok {
			return found, nil
		}
	}
	return host, nil
}

// lookUp says whether there is a host of a name, and what it is called.
func (r *resolver) lookUp(name string) (string, bool) {
	found, ok := r.lookUpAlias(name+".", name)
	if !ok {
		return "", false
	}
	return found, true
}

// lookUpAlias asks for a name, and gives what shown is an alias of where that is permitted, and shown otherwise.
func (r *resolver) lookUpAlias(asked, shown string) (string, bool) {
	canonical, err := r.Lookup(r.ctx, asked)
	if err != nil {
		return "", false
	}
	canonical = strings.ToLower(strings.TrimSuffix(canonical, "."))
	for _, rule := range r.settings["canonicalizepermittedcnames"] {
		from, to, ok := strings.Cut(strings.ToLower(rule), ":")
		if rule == "*" {
			from, to, ok = "*", "*", true
		}
		if ok && canonical != "" && canonical != shown && MatchesList(from, shown) && MatchesList(to, canonical) {
			return canonical, true
		}
	}
	return shown, true
}
