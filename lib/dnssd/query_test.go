package dnssd

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseQueryName(t *testing.T) {
	for _, c := range []struct {
		uri  string
		want Name
	}{
		{"dnssd:", Name{"", "_ncpu._tcp", "local"}},
		{"dnssd://", Name{"", "_ncpu._tcp", "local"}},
		{"dnssd:///", Name{"", "_ncpu._tcp", "local"}},
		{"dnssd:?arch=arm64", Name{"", "_ncpu._tcp", "local"}},
		{"dnssd://?arch=arm64", Name{"", "_ncpu._tcp", "local"}},
		{"dnssd://_ncpu._tcp?arch=arm64&sort=load", Name{"", "_ncpu._tcp", "local"}},
		{"dnssd://_x._udp.example.org/", Name{"", "_x._udp", "example.org"}},
		{"dnssd://big._ncpu._tcp.local/", Name{"big", "_ncpu._tcp", "local"}},
		{"dnssd://big._ncpu._tcp.local./", Name{"big", "_ncpu._tcp", "local"}},
		{"dnssd://a%20b.c._ncpu._tcp", Name{"a b.c", "_ncpu._tcp", "local"}},
		{"dnssd://local", Name{"", "_ncpu._tcp", "local"}},
		{"dnssd://example.org/_x._tcp", Name{"", "_x._tcp", "example.org"}},
		{"dnssd://local/_x._tcp/big%2f1?a=b", Name{"big/1", "_x._tcp", "local"}},
		{"dnssd:///_x._tcp", Name{"", "_x._tcp", "local"}},
	} {
		q, err := ParseQuery(c.uri)
		if err != nil {
			t.Errorf("%s: %v", c.uri, err)
		} else if q.Name != c.want {
			t.Errorf("%s: %+v, want %+v", c.uri, q.Name, c.want)
		}
	}
}

func TestParseQueryErrors(t *testing.T) {
	for _, c := range []struct{ uri, at, reason string }{
		{"http://x", "http://x", "want dnssd:"},
		{"dnssd://a b/", "//a b/", "not the name of a domain"},
		{"dnssd://local/_x", "//local/_x", "want _name._tcp"},
		{"dnssd://_x._tcp/_y._tcp", "//_x._tcp/_y._tcp", "named twice"},
		{"dnssd://%zz/", "//%zz/", "invalid URL escape"},
		{"dnssd://" + strings.Repeat("x", 64) + "._ncpu._tcp", "//" + strings.Repeat("x", 64) + "._ncpu._tcp", "longer than 63"},
		{"dnssd:?arch", "arch", "want key=value"},
		{"dnssd:?a=b&mem.avail=>4X", "mem.avail=>4X", `"4X" is not a number`},
		{"dnssd:?cores=<&a=b", "cores=<&a=b", `"" is not a number`},
		{"dnssd:?a=!", "a=!", "want a value"},
		{"dnssd:?=b", "=b", "no key"},
		{"dnssd:?sort=", "sort=", "no key"},
		{"dnssd:?sort=>", "sort=>", "no key"},
		{"dnssd:?a=%4", "a=%4", "invalid URL escape"},
		{"dnssd:?%ff=1", "%ff=1", "printable ASCII"},
	} {
		_, err := ParseQuery(c.uri)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%s: %v", c.uri, err)
		} else if c.uri[syntax.Offset:] != c.at || !strings.Contains(syntax.Reason, c.reason) {
			t.Errorf("%s: %v; want at %q: %s", c.uri, err, c.at, c.reason)
		}
	}
}

func TestMatch(t *testing.T) {
	text := Text{"arch": "arm64", "os": "linux", "cores": "8", "mem.avail": "4294967296", "near": "storage", "load": "0.50", "empty": "", "disk": "2T"}
	for _, c := range []struct{ query, want string }{
		{"", ""},
		{"arch=arm64", ""},
		{"ARCH=arm64", ""},
		{"arch=amd64", "arch is arm64, want amd64"},
		{"arch=amd64&arch=arm64", ""},
		{"arch=amd64&arch=386", "arch is arm64, want amd64 or 386"},
		{"arch=amd64&arch=*", ""},
		{"nothing=*", ""},
		{"cores=<8", ""},
		{"cores=<7", "cores is 8, want at most 7"},
		{"cores=>8", ""},
		{"cores=>9", "cores is 8, want at least 9"},
		{"cores=>4&cores=<16", ""},
		{"cores=>4&cores=<6", "cores is 8, want at most 6"},
		{"cores=%3E4", ""},
		{"cores=8.0", ""},
		{"mem.avail=>4G", ""},
		{"mem.avail=>4.1g", "mem.avail is 4294967296, want at least 4.1g"},
		{"mem.avail=4G", ""},
		{"disk=>1024G", ""},
		{"near=>1", "near is storage, want at least 1"},
		{"secure=>1", "secure is not announced, want at least 1"},
		{"near=!storage", "near is storage, want another"},
		{"near=!network", ""},
		{"secure=!true", ""},
		{"secure=true", "secure is not announced, want true"},
		{"empty=", ""},
		{"secure=", "secure is not announced, want "},
		{"cores=!8&arch=x", "cores is 8, want another; arch is arm64, want x"},
		{"cores=8&cores=!9&cores=<9", ""},
	} {
		q, err := ParseQuery("dnssd:?" + c.query)
		if err != nil {
			t.Errorf("%s: %v", c.query, err)
		} else if got := strings.Join(q.Match(text), "; "); got != c.want {
			t.Errorf("%s: %q, want %q", c.query, got, c.want)
		}
	}
}

func TestDefault(t *testing.T) {
	for _, c := range []struct {
		query, text, want string
	}{
		{"", "arch=amd64,os=linux", ""},
		{"", "arch=arm64,os=linux", "arch is arm64, want amd64"},
		{"", "arch=amd64,os=plan9", "os is plan9, want linux"},
		{"arch=arm64", "arch=arm64,os=linux", ""},
		{"arch=!amd64", "arch=arm64,os=linux", ""},
		{"arch=*&os=*", "arch=mips,os=plan9", ""},
	} {
		q, err := ParseQuery("dnssd:?" + c.query)
		if err != nil {
			t.Fatal(err)
		}
		q.Default("amd64", "linux")
		text, err := ParseText(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(q.Match(text), "; "); got != c.want {
			t.Errorf("%s: %s: %q, want %q", c.query, c.text, got, c.want)
		}
	}
}

func TestSort(t *testing.T) {
	hosts := map[string]string{"a": "tenants=2,load=0.5,near=x", "b": "tenants=10,load=0.1", "c": "tenants=2,load=0.25", "d": "load=none", "e": "tenants=1k,name=z"}
	for _, c := range []struct{ query, want string }{
		{"", "c a b e d"}, // by default, tenants and then cpu.pcnt, which nobody has: by name
		{"sort=tenants", "a c b e d"},
		{"sort=<tenants", "a c b e d"},
		{"sort=>tenants", "e b a c d"},
		{"sort=tenants&sort=load", "c a b e d"},
		{"sort=load", "b c a d e"},
		{"sort==near", "a b c d e"},
		{"sort=!near", "b c d e a"},
		{"sort==near&sort=>load", "a c b d e"},
		{"sort=nothing", "a b c d e"},
	} {
		q, err := ParseQuery("dnssd:?" + c.query)
		if err != nil {
			t.Fatal(err)
		}
		want := c.want
		if c.query == "" {
			q.Default("", "")
			want = "a c b e d"
		}
		var list []Host
		for name, text := range hosts {
			x, err := ParseText(text)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, Host{Name: Name{Instance: name}, Text: x})
		}
		q.Sort(list)
		var got []string
		for _, h := range list {
			got = append(got, h.Name.Instance)
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s: %s, want %s", c.query, g, want)
		}
	}
}

func TestNoMatch(t *testing.T) {
	q, err := ParseQuery("dnssd://big._ncpu._tcp/?cores=>4&near=x")
	if err != nil {
		t.Fatal(err)
	}
	e := &NoMatchError{q, []Host{{Name: Name{Instance: "big"}, Text: Text{"cores": "2"}}, {Name: Name{Instance: "other"}}}}
	want := "dnssd://big._ncpu._tcp/?cores=>4&near=x: of those that answer none is wanted:\n\tbig: cores is 2, want at least 4; near is not announced, want x\n\tother: another instance"
	if e.Error() != want {
		t.Errorf("%s\nwant %s", e, want)
	}
	if e.Found = nil; e.Error() != q.String()+": nobody answers" {
		t.Error(e)
	}
}

// FuzzParseQuery: what is read can be matched, sorted and shown, and a mistake is somewhere in the URI.
func FuzzParseQuery(f *testing.F) {
	f.Add("dnssd://a%20b._ncpu._tcp.local/?arch=arm64&cores=>4&cores=<16&near=!x&os=*&sort=>load&sort==near")
	f.Add("dnssd://example.org/_x._udp/inst?mem.avail=>1.5G")
	f.Add("dnssd:?a=%zz")
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "k%d=v&k%d=<%d&k=%d&", i, i, i, i)
	}
	f.Add("dnssd:?" + many.String())
	f.Fuzz(func(t *testing.T, uri string) {
		q, err := ParseQuery(uri)
		if err != nil {
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(uri) || err.Error() == "" {
				t.Fatalf("%q: %v", uri, err)
			}
			return
		}
		if err := q.Name.check(); err != nil {
			t.Fatalf("%q: %v", uri, err)
		}
		if q.Name.Instance != "" && unescapeLabel(escapeLabel(q.Name.Instance)) != q.Name.Instance {
			t.Fatalf("%q: %q", uri, q.Name.Instance)
		}
		q.Default("amd64", "linux")
		q.Match(Text{"arch": "amd64", "cores": "8"})
		hosts := []Host{{Text: Text{"load": "1"}}, {Text: Text{"load": "x"}}, {Text: Text{}}, {Text: Text{"load": "2k"}}}
		q.Sort(hosts)
		_ = (&NoMatchError{q, hosts}).Error()
	})
}
