package dial

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh/knownhosts"
)

func TestHostMatches(t *testing.T) {
	for _, c := range []struct {
		patterns, host string
		want           bool
	}{
		{"board", "board", true},
		{"board", "Board", true},
		{"BOARD", "board", true},
		{"board", "boards", false},
		{"board", "[board]:17010", false},
		{"[board]:17010", "[board]:17010", true},
		{"[*]:17010", "[board]:17010", true},
		{"a,b,board", "board", true},
		{"*.lan", "nas.lan", true},
		{"*.lan,!nas.lan", "nas.lan", false},
		{"!nas.lan,*.lan", "nas.lan", false},
		{"!nas.lan", "other", false},
		{"n?s", "nas", true},
		{"n?s", "ns", false},
		{"*", "", true},
		{"", "board", false},
		{"**a*b", "xxaxxb", true},
		{"**a*b", "xxaxx", false},
		{knownhosts.HashHostname("[board]:17010"), "[board]:17010", true},
		{knownhosts.HashHostname("board"), "other", false},
		{"|1|???|???", "board", false},
		{"|2|AAAA|AAAA", "board", false},
		{"|1|", "board", false},
	} {
		if got := hostMatches(strings.Split(c.patterns, ","), c.host); got != c.want {
			t.Errorf("%q matches %q: %v, want %v", c.patterns, c.host, got, c.want)
		}
	}
}

// TestParseHostList: bad lines say nothing, and the others keep their numbers.
func TestParseHostList(t *testing.T) {
	key := strings.TrimSpace(marshal(testKey(1)))
	text := fmt.Sprintf("# a comment\n\nboard ssh-new AAAA\nboard ssh-rsa %s\nboard %s a comment\r\n@revoked board %s\n@odd board %s\n@cert-authority *,!board %s\n"+
		"@cert-authority *,!other %s", strings.Fields(key)[1], key, key, key, key, key)
	var got []string
	for _, e := range parseHostList("list", []byte(text), "board") {
		got = append(got, fmt.Sprintf("%s:%d %s", e.file, e.line, e.marker))
	}
	if want := "list:5 ; list:6 revoked; list:9 cert-authority"; strings.Join(got, "; ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzHostList: no list panics, and what it says of a host stands on one of its lines.
func FuzzHostList(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte, host string) {
		for _, e := range parseHostList("list", text, host) {
			if e.key == nil || e.line < 1 || e.line > strings.Count(string(text), "\n")+1 {
				t.Errorf("entry %+v", e)
			}
		}
	})
}
