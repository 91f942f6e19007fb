package sshconfig

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// resolve is what a file comes to.
func resolve(t *testing.T, q *Query, text string) (Settings, error) {
	t.Helper()
	q.File = filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(q.File, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	q.LocalUser, q.Home = "me", "/home/me"
	return Resolve(t.Context(), q)
}

// TestResolve: what newer versions of OpenSSH have, which a test against an older one cannot show, and names of files.
func TestResolve(t *testing.T) {
	for _, c := range []struct {
		name, text string
		query      Query
		keyword    string
		want       string // the value; an error has ! before what it says
	}{
		{"tagged", "Tag work\nMatch tagged w*\n\tUser tagged\n", Query{Host: "h"}, "user", "tagged"},
		{"tagged by an option", "Match tagged work\n\tUser tagged\n", Query{Host: "h", Options: []string{"Tag=work"}}, "user", "tagged"},
		{"not tagged", "Match tagged \"\"\n\tUser none-at-all\n", Query{Host: "h"}, "user", "none-at-all"},
		{"command", "Match command \"make *\"\n\tUser maker\n", Query{Host: "h", Command: "make all"}, "user", "maker"},
		{"no command", "Match command \"\"\n\tUser shell\n", Query{Host: "h"}, "user", "shell"},
		{"sessiontype", "Match sessiontype exec\n\tUser exec\n", Query{Host: "h", Command: "make"}, "user", "exec"},
		{"version", "Match version OpenSSH*\n\tUser other\nMatch version cpu\n\tUser cpu\n", Query{Host: "h"}, "user", "cpu"},
		{"localnetwork", "Match localnetwork 203.0.113.0/24\n\tUser away\nMatch localnetwork 127.0.0.0/8,::1\n\tUser here\n", Query{Host: "h"}, "user", "here"},
		{"not a network", "Match localnetwork 127.0.0.1/8\n", Query{Host: "h"}, "user", "!not the address of a network"},
		{"include by tokens", "Include /nowhere/%h/%u\nUser me\n", Query{Host: "h"}, "user", "me"},
		{"refused", "Host other\n\tRefuseConnection no\nHost h\n\tRefuseConnection \"gone for good\"\n", Query{Host: "h"}, "user", "!connection refused: gone for good"},
		{"a name of a file", "Host unix/*\n\tUser socket\n", Query{Host: "unix//Run/Cpud"}, "hostname", "unix//Run/Cpud"},
		{"vendors' keywords", "UseKeychain yes\nUser mac\n", Query{Host: "h"}, "user", "mac"},
		{"no such option", "", Query{Host: "h", Options: []string{"UseKeychain=yes"}}, "user", "!-o UseKeychain=yes: no such option"},
		{"an option to be ignored", "", Query{Host: "h", Options: []string{"IgnoreUnknown=use*", "UseKeychain=yes"}}, "user", ""},
		{"the line of an error", "\n# more\nPort x\n", Query{Host: "h"}, "port", "!config:3: port: \"x\": not a port"},
		{"a service as a port", "Port 65535\n", Query{Host: "h"}, "port", "65535"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := resolve(t, &c.query, c.text)
			want, failure := strings.CutPrefix(c.want, "!")
			if failure {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
				return
			}
			if err != nil || s.First(c.keyword) != c.want {
				t.Errorf("%s is %q, %v", c.keyword, s.First(c.keyword), err)
			}
		})
	}
}

// TestPassedOver: what is not honoured is told once, and only where it is about the host.
func TestPassedOver(t *testing.T) {
	var log bytes.Buffer
	q := &Query{Host: "h", Log: slog.New(slog.NewTextHandler(&log, nil))}
	if _, err := resolve(t, q, "Host other\n\tTunnel yes\nHost *\n\tGSSAPIAuthentication yes\n\tGSSAPIAuthentication no\n\tUseKeychain yes\n"); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "keyword=gssapiauthentication at="+q.File+":4") || !strings.Contains(got, "keyword=usekeychain") {
		t.Errorf("said %q", got)
	}
}

// TestCanonical: a short name becomes the whole one, and files are read again for that.
func TestCanonical(t *testing.T) {
	names := map[string]string{"board.lab.example.": "board.lab.example.", "www.lab.example.": "Web7.lab.example.", "full.": "full."}
	lookup := func(_ context.Context, name string) (string, error) {
		if c, ok := names[name]; ok {
			return c, nil
		}
		return "", errors.New("no such host")
	}
	const text = "CanonicalizeHostname yes\nCanonicalDomains other.example lab.example\nHost board.lab.example\n\tUser whole\nMatch canonical host *.example\n\tPort 7\n"
	for _, c := range []struct{ host, more, hostname, user, port string }{
		{"board", "", "board.lab.example", "whole", "7"},
		{"gone", "", "gone", "", ""},
		{"full.", "", "full", "", ""},
		{"a.b.c", "", "a.b.c", "", ""},
		{"www", "", "www.lab.example", "", "7"},
		{"www", "CanonicalizePermittedCNAMEs www.*:web?.lab.example\n", "web7.lab.example", "", "7"},
		{"board", "ProxyCommand nc %h %p\n", "board", "", ""},
	} {
		s, err := resolve(t, &Query{Host: c.host, Lookup: lookup}, c.more+text)
		if err != nil || s.First("hostname") != c.hostname || s.First("user") != c.user || s.First("port") != c.port {
			t.Errorf("%s: got %q, %v", c.host, s, err)
		}
	}
	if _, err := resolve(t, &Query{Host: "gone", Lookup: lookup}, "CanonicalizeFallbackLocal no\n"+text); err == nil {
		t.Error("a host that is nowhere is found")
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"", "", true}, {"", "a", false}, {"?", "", false}, {"**a*b", "xxaxxb", true}, {"**a*b", "xxaxx", false}, {"a?c", "abc", true},
		{strings.Repeat("*a", 1000), strings.Repeat("a", 5000) + "b", false},
	} {
		if got := Matches(c.pattern, c.s); got != c.want {
			t.Errorf("%.20q matches %.20q: %v", c.pattern, c.s, got)
		}
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": 0, "90": 90 * time.Second, "1h30m": 90 * time.Minute, "2W1d": 15 * 24 * time.Hour, "1m1": 61 * time.Second} {
		if got, err := ParseTime(text); got != want || err != nil {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "m", "1x", "-1", "99999999999", "9999999w", "1 m"} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// FuzzResolve: no file panics, nothing of it is run here, and what it comes to are values of keywords that there are.
func FuzzResolve(f *testing.F) {
	f.Fuzz(func(t *testing.T, text, host string) {
		if strings.Contains(strings.ToLower(text), "include") {
			return // what is on this machine is no matter
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // then Match exec runs nothing
		r := &resolver{Query: &Query{Host: host}, ctx: ctx, settings: Settings{}, told: map[string]bool{}}
		if r.lines(file{name: "config", users: true}, text, host, true) != nil {
			return
		}
		for keyword, values := range r.settings {
			if _, ok := keywords[keyword]; !ok || len(values) == 0 && keyword != "sendenv" {
				t.Errorf("%s is %q", keyword, values)
			}
		}
	})
}

// FuzzSplit: words that are quoted come out as they went in.
func FuzzSplit(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		words, err := split(text)
		if err != nil {
			return
		}
		var line strings.Builder
		for _, w := range words {
			line.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `" `)
		}
		if again, err := split(line.String()); err != nil || !slices.Equal(again, words) {
			t.Errorf("%q became %q, %v", words, again, err)
		}
	})
}
