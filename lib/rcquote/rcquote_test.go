package rcquote

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestQuote(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", "''"},
		{"a", "a"},
		{"/usr/include/stdio.h", "/usr/include/stdio.h"},
		{"-l", "-l"},
		{"a b", "'a b'"},
		{"it's", "'it''s'"},
		{"'", "''''"},
		{"''", "''''''"},
		{"$home", "'$home'"},
		{"#p", "'#p'"},
		{"a=b", "'a=b'"},
		{"*.c", "'*.c'"},
		{"a;b", "'a;b'"},
		{"a\tb", "'a\tb'"},
		{"a\nb", "'a\nb'"},
		{"a\rb", "'a\rb'"},
		{"a\\b", "'a\\b'"},
		{"naïve", "naïve"},
		{"\xff", "\xff"},
		{`"x"`, `"x"`},
	} {
		if got := Quote(c.in); got != c.want {
			t.Errorf("Quote(%q) = %s, want %s", c.in, got, c.want)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{" \t\r\n", nil},
		{"a", []string{"a"}},
		{"a b", []string{"a", "b"}},
		{"  a\tb \n", []string{"a", "b"}},
		{"''", []string{""}},
		{"'' ''", []string{"", ""}},
		{"''''", []string{"'"}},
		{"'a b'", []string{"a b"}},
		{"'it''s'", []string{"it's"}},
		{"a'b c'd", []string{"ab cd"}},
		{"a''b", []string{"ab"}},
		{"'a''b''c'", []string{"a'b'c"}},
		{"'a\nb' c", []string{"a\nb", "c"}},
		{"$home *", []string{"$home", "*"}},
		{"sh -c 'echo $x; ls'", []string{"sh", "-c", "echo $x; ls"}},
	} {
		got, err := Split(c.in)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("Split(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

func TestSplitUnclosed(t *testing.T) {
	for _, in := range []string{"'", "a '", "'''", "a 'b c", "'a''"} {
		if got, err := Split(in); !errors.Is(err, ErrUnclosed) || got != nil {
			t.Errorf("Split(%q) = %q, %v, want %v", in, got, err, ErrUnclosed)
		}
	}
}

func TestJoin(t *testing.T) {
	words := []string{"sh", "-c", "echo 'a' \n", "", "$x", "é"}
	line := Join(words)
	if want := "sh -c 'echo ''a'' \n' '' '$x' é"; line != want {
		t.Errorf("Join = %q, want %q", line, want)
	}
	if got := Join(nil); got != "" {
		t.Errorf("Join(nil) = %q", got)
	}
}

// FuzzSplit holds Split and Join to be inverse, and a word of any bytes to survive Quote.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"", "a 'b c' d", "it''s", "'", "'it''s' $x", "\x00 \xff", "a\r\n'\n'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if back, err := Split(Quote(s)); err != nil || len(back) != 1 || back[0] != s {
			t.Fatalf("Split(Quote(%q)) = %q, %v", s, back, err)
		}
		words, err := Split(s)
		if err != nil {
			if !strings.Contains(s, "'") {
				t.Fatalf("Split(%q): %v, without a quote in it", s, err)
			}
			return
		}
		back, err := Split(Join(words))
		if err != nil || !slices.Equal(words, back) {
			t.Fatalf("%q: words %q, %v; joined and split again %q", s, words, err, back)
		}
	})
}
