package dnssd

import (
	"maps"
	"strings"
	"testing"
)

func TestParseText(t *testing.T) {
	long := strings.Repeat("x", 253)
	for _, c := range []struct {
		in   string
		want Text
		err  string
	}{
		{"near=storage,secure=true", Text{"near": "storage", "secure": "true"}, ""},
		{"secure", Text{"secure": "true"}, ""},
		{"a=b=c", Text{"a": "b=c"}, ""},
		{"A=B", Text{"a": "B"}, ""},
		{"a=", Text{"a": ""}, ""},
		{"", nil, "no key"},
		{"a=1,", nil, "no key"},
		{"=x", nil, "no key"},
		{"a=1,A=2", nil, "the key is there twice"},
		{"ü=1", nil, "a key is of printable ASCII"},
		{"a=" + long, Text{"a": long}, ""},
		{"aa=" + long, nil, "longer than 255 bytes"},
		{"a=" + long + ",b=" + long + ",c=" + long + ",d=" + long + ",e=" + long + ",f=" + long, nil, "a packet has room for 1300"},
	} {
		got, err := ParseText(c.in)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%.20s: %v, want %s", c.in, err, c.err)
			}
		case err != nil || !maps.Equal(got, c.want):
			t.Errorf("%.20s: %v, %v, want %v", c.in, got, err, c.want)
		}
	}
}

func TestReadText(t *testing.T) {
	got := readText([]string{"Arch=amd64", "arch=arm64", "flag", "=x", "", "a=b=c", "\x01=y", "e="})
	if want := (Text{"arch": "amd64", "flag": "", "a": "b=c", "e": ""}); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		in   string
		want float64
		ok   bool
	}{
		{"0", 0, true}, {"-1.5", -1.5, true}, {"4G", 4 << 30, true}, {"1.5k", 1536, true}, {"2T", 2 << 40, true}, {"1e3", 1000, true},
		{"", 0, false}, {"G", 0, false}, {"inf", 0, false}, {"nan", 0, false}, {"0x10", 0, false}, {"1_0", 0, false}, {"1e999", 0, false}, {"4GB", 0, false},
	} {
		if got, ok := number(c.in); ok != c.ok || ok && got != c.want {
			t.Errorf("%q: %v, %v", c.in, got, ok)
		}
	}
}

// FuzzText: what can be announced is read as it was.
func FuzzText(f *testing.F) {
	f.Add("near=storage,secure,a=b=c,X=")
	f.Fuzz(func(t *testing.T, s string) {
		readText(strings.Split(s, "\x00"))
		text, err := ParseText(s)
		if err != nil {
			return
		}
		if got := readText(text.strings()); !maps.Equal(got, text) {
			t.Fatalf("%q: %v, read as %v", s, text, got)
		}
		if got := lower(text); !maps.Equal(got, text) {
			t.Fatalf("%q: %v in lower case is %v", s, text, got)
		}
	})
}
