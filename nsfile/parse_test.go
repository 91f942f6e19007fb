package nsfile

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"cpu/lib/rcquote"
)

// words is a line of words without variables.
func words(ss ...string) []Word {
	var ws []Word
	for _, s := range ss {
		ws = append(ws, Text(s))
	}
	return ws
}

func TestParseLine(t *testing.T) {
	v := func(name string) Part { return Part{Text: name, Var: true} }
	s := func(text string) Part { return Part{Text: text} }
	for _, c := range []struct {
		in    string
		want  Op
		print string // empty: as in
	}{
		{"mount /srv/term /mnt/term", Op{Verb: Mount, Args: words("/srv/term", "/mnt/term")}, ""},
		{"mount -acCqn /srv/term /mnt/term /usr", Op{Verb: Mount, Flags: After | Create | Cache | Quiet | NoAuth, Args: words("/srv/term", "/mnt/term", "/usr")}, ""},
		{"mount /srv/x /y ''", Op{Verb: Mount, Args: words("/srv/x", "/y", "")}, ""},
		{"bind /a /b", Op{Verb: Bind, Args: words("/a", "/b")}, ""},
		{"  bind\t-b  -c -q\t/a\r/b \t\r", Op{Verb: Bind, Flags: Before | Create | Quiet, Args: words("/a", "/b")}, "bind -bcq /a /b"},
		{"bind -qqa /a /b", Op{Verb: Bind, Flags: After | Quiet, Args: words("/a", "/b")}, "bind -aq /a /b"},
		{"bind #p /proc", Op{Verb: Bind, Args: words("#p", "/proc")}, ""},
		{"bind '#e' /env", Op{Verb: Bind, Args: words("#e", "/env")}, "bind #e /env"},
		{"import -C host /n/host", Op{Verb: Import, Flags: Cache, Args: words("host", "/n/host")}, ""},
		{"import host /usr /n/host", Op{Verb: Import, Args: words("host", "/usr", "/n/host")}, ""},
		{"unmount /bin", Op{Verb: Unmount, Args: words("/bin")}, ""},
		{"unmount /a /bin", Op{Verb: Unmount, Args: words("/a", "/bin")}, ""},
		{"cd $dir", Op{Verb: Cd, Args: []Word{{v("dir")}}}, ""},
		{"clear", Op{Verb: Clear}, ""},
		{"'clear'", Op{Verb: Clear}, "clear"},
		{". /lib/namespace.$sysname", Op{Verb: Dot, Args: []Word{{s("/lib/namespace."), v("sysname")}}}, ""},
		{"chdev pe", Op{Verb: Chdev, Args: words("pe")}, ""},
		{"chdev -r U", Op{Verb: Chdev, Flags: Remove, Args: words("U")}, ""},
		{"chdev -n x", Op{Verb: Chdev, Flags: NoDevices, Args: words("x")}, ""},

		// Variables: where a name ends, and that quotes hold one off.
		{"cd $a/b", Op{Verb: Cd, Args: []Word{{v("a"), s("/b")}}}, ""},
		{"cd $a$b", Op{Verb: Cd, Args: []Word{{v("a"), v("b")}}}, ""},
		{"cd x$a-b.c/d", Op{Verb: Cd, Args: []Word{{s("x"), v("a-b.c"), s("/d")}}}, ""},
		{"cd $a'b'", Op{Verb: Cd, Args: []Word{{v("a"), s("b")}}}, ""},
		{"cd $a''", Op{Verb: Cd, Args: []Word{{v("a")}}}, "cd $a"},
		{"cd '$a'", Op{Verb: Cd, Args: words("$a")}, ""},
		{"cd '$a'$a'$a'", Op{Verb: Cd, Args: []Word{{s("$a"), v("a"), s("$a")}}}, ""},
		{"cd $a/'b c'/$d", Op{Verb: Cd, Args: []Word{{v("a"), s("/b c/"), v("d")}}}, "cd $a'/b c/'$d"},

		// Quotes.
		{"cd 'a b'", Op{Verb: Cd, Args: words("a b")}, ""},
		{"cd 'it''s'", Op{Verb: Cd, Args: words("it's")}, ""},
		{"cd it''s", Op{Verb: Cd, Args: words("its")}, "cd its"},
		{"cd a'b c'd", Op{Verb: Cd, Args: words("ab cd")}, "cd 'ab cd'"},
		{"cd 'a\rb'", Op{Verb: Cd, Args: words("a\rb")}, ""},
		{"cd '-a'", Op{Verb: Cd, Args: words("-a")}, ""},
		{"cd -", Op{Verb: Cd, Args: words("-")}, "cd '-'"},
		{"bind /a -b", Op{Verb: Bind, Args: words("/a", "-b")}, "bind /a '-b'"},
		{"cd \xff\x01", Op{Verb: Cd, Args: words("\xff\x01")}, ""},
		{"cd a#b", Op{Verb: Cd, Args: words("a#b")}, ""},
	} {
		got, err := Parse("f", strings.NewReader(c.in))
		c.want.File, c.want.Line = "f", 1
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[0], c.want) {
			t.Errorf("Parse(%q) = %#v, %v\nwant %#v", c.in, got, err, c.want)
			continue
		}
		if c.print == "" {
			c.print = c.in
		}
		if s := got[0].String(); s != c.print {
			t.Errorf("%q prints as %q, want %q", c.in, s, c.print)
		}
	}
}

func TestParseErrors(t *testing.T) {
	long := "cd " + strings.Repeat("x", MaxLine-3)
	for _, c := range []struct{ in, want string }{
		{"frob /a /b", "f:1: frob: unknown operation"},
		{"\n\n# c\nMOUNT a b", "f:4: MOUNT: unknown operation"},
		{"$x a", "f:1: $x: unknown operation"},
		{"'' a", "f:1: '': unknown operation"},
		{"bind -x /a /b", "f:1: bind: unknown option -x"},
		{"bind -abn /a /b", "f:1: bind: unknown option -n"},
		{"bind -- /a /b", "f:1: bind: unknown option --"},
		{"bind -é /a /b", "f:1: bind: unknown option -é"},
		{"mount -r /a /b", "f:1: mount: unknown option -r"},
		{"chdev -q p", "f:1: chdev: unknown option -q"},
		{"cd -q /a", "f:1: cd: unknown option -q"},
		{"bind -$x /a /b", "f:1: bind: '-'$x: a variable among options"},
		{"bind -ab /a /b", "f:1: bind: -a and -b exclude each other"},
		{"bind -a -b /a /b", "f:1: bind: -a and -b exclude each other"},
		{"chdev -nr p", "f:1: chdev: -n and -r exclude each other"},
		{"mount /a", "f:1: mount: wrong number of arguments: 1, want 2 or 3"},
		{"mount a b c d", "f:1: mount: wrong number of arguments: 4, want 2 or 3"},
		{"bind a", "f:1: bind: wrong number of arguments: 1, want 2"},
		{"import a", "f:1: import: wrong number of arguments: 1, want 2 or 3"},
		{"unmount", "f:1: unmount: wrong number of arguments: 0, want 1 or 2"},
		{"cd", "f:1: cd: wrong number of arguments: 0, want 1"},
		{"cd a b", "f:1: cd: wrong number of arguments: 2, want 1"},
		{"clear all", "f:1: clear: wrong number of arguments: 1, want 0"},
		{".", "f:1: .: wrong number of arguments: 0, want 1"},
		{"chdev", "f:1: chdev: wrong number of arguments: 0, want 1"},
		{"clear\ncd 'a\ncd b'", "f:2: unclosed quote"},
		{"cd 'a''", "f:1: unclosed quote"},
		{"cd $", "f:1: a $ that no name follows: quote it"},
		{"cd $/a", "f:1: a $ that no name follows: quote it"},
		{"cd $$", "f:1: a $ that no name follows: quote it"},
		{"cd a\x00b", "f:1: there is a NUL in the line"},
		{"# \x00", "f:1: there is a NUL in the line"},
		{"clear\n" + long + "x\nclear", "f:2: the line is over 64 KiB"},
		{strings.Repeat("#\n", MaxFile/2) + "\n", "f:524289: the file is over 1 MiB"},
		{"#line 7 g\nclear\nfrob", "g:8: frob: unknown operation"},
		{"#line 7 'a file'\nclear\n#line 20\nfrob", "a file:20: frob: unknown operation"},
		{"#line 0 g\nfrob", "f:2: frob: unknown operation"},
		{"#line 99999999999 g\nfrob", "f:2: frob: unknown operation"},
		{"#line up the files\nfrob", "f:2: frob: unknown operation"},
		{"#line 3 a b\nfrob", "f:2: frob: unknown operation"},
		{"#line 3 it's\nfrob", "f:2: frob: unknown operation"},
		{"#line\nfrob", "f:2: frob: unknown operation"},
		{"#line3 g\nfrob", "f:2: frob: unknown operation"},
		{"# line 3 g\nfrob", "f:2: frob: unknown operation"},
	} {
		ops, err := Parse("f", strings.NewReader(c.in))
		if err == nil || err.Error() != c.want || ops != nil {
			t.Errorf("Parse(%.60q) = %v, %v; want %s", c.in, ops, err, c.want)
		}
		if e := (*Error)(nil); !errors.As(err, &e) {
			t.Errorf("Parse(%.60q): %T, want *Error", c.in, err)
		}
	}
	if _, err := Parse("f", strings.NewReader("cd 'a")); !errors.Is(err, rcquote.ErrUnclosed) {
		t.Errorf("an unclosed quote gives %v", err)
	}
}

// TestParseLimits takes what is just within them.
func TestParseLimits(t *testing.T) {
	line := "cd " + strings.Repeat("x", MaxLine-3) + "\n"
	if ops, err := Parse("f", strings.NewReader(line)); err != nil || len(ops) != 1 {
		t.Errorf("a line of 64 KiB: %v", err)
	}
	file := strings.Repeat("clear\n", MaxFile/6) + strings.Repeat("\n", MaxFile%6)
	if ops, err := Parse("f", strings.NewReader(file)); err != nil || len(ops) != MaxFile/6 {
		t.Errorf("a file of 1 MiB: %d operations, %v", len(ops), err)
	}
	if ops, err := Parse("f", strings.NewReader("")); err != nil || len(ops) != 0 {
		t.Errorf("an empty file: %v, %v", ops, err)
	}
}

func TestParseReadError(t *testing.T) {
	boom := errors.New("boom")
	r := io.MultiReader(strings.NewReader("clear\nclear\n"), iotest.ErrReader(boom))
	if _, err := Parse("f", r); !errors.Is(err, boom) || err.Error() != "f:3: boom" {
		t.Errorf("a file that cannot be read: %v", err)
	}
}

func TestFormat(t *testing.T) {
	parse := func(name, text string) []Op {
		t.Helper()
		ops, err := Parse(name, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return ops
	}
	ops := parse("a file", "# a\n\nclear\ncd /\n\n# far\n# below\n# it\n# goes\n# on\n# and on\n# and on\ncd $home\n")
	ops = append(ops, parse("b", "bind -a '#p' /proc\n")...)
	want := "#line 3 'a file'\nclear\ncd /\n\n\n\n\n\n\n\n\ncd $home\n#line 1 'b'\nbind -a #p /proc\n"
	text := Format(ops)
	if text != want {
		t.Errorf("Format = %q\nwant %q", text, want)
	}
	if back := parse("other", text); !reflect.DeepEqual(back, ops) {
		t.Errorf("read back: %v\nwant %v", back, ops)
	}

	made := []Op{{Verb: Clear}, {Verb: Cd, Args: words("a b")}}
	if got, want := Format(made), "clear\ncd 'a b'\n"; got != want {
		t.Errorf("without positions Format = %q, want %q", got, want)
	}
	odd := []Op{{File: "a\nclear\x00b" + strings.Repeat("c", 2*maxName), Line: 5, Verb: Clear}}
	back := parse("f", Format(odd))
	if len(back) != 1 || back[0].Line != 5 || !strings.HasPrefix(back[0].File, "aclearbc") {
		t.Errorf("a file name with a newline in it: %.100v", back)
	}
	if got := Format(nil); got != "" {
		t.Errorf("Format(nil) = %q", got)
	}
}

// TestWordString has the words that Parse does not make.
func TestWordString(t *testing.T) {
	for _, c := range []struct {
		w    Word
		want string
	}{
		{nil, "''"},
		{Word{{Text: ""}}, "''"},
		{Word{{Text: "a b"}, {Text: "c d"}}, "'a bc d'"},
		{Word{{Text: "a", Var: true}, {Text: ""}, {Text: "b"}}, "$a'b'"},
		{Word{{Text: ""}, {Text: "-a"}}, "'-a'"},
	} {
		if got := c.w.String(); got != c.want {
			t.Errorf("%#v prints as %s, want %s", c.w, got, c.want)
		}
	}
}

// FuzzParse holds printing to be the inverse of parsing, positions included, and every error to be an *Error.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"mount -abcCqn /srv/term /mnt/term\nbind -q /mnt/term/bin /bin\ncd $dir\n",
		"clear\n. /lib/$x'y z'\n\n\n\nunmount '' '-a'\nchdev -r pe",
		"#line 3 'it''s'\ncd $a$b/c\n#line 1\nimport -C h / /n\n",
		"cd 'a", "cd $", "bind -", "cd \xff\r\r'\r'",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ops, err := Parse("f", strings.NewReader(s))
		if err != nil {
			if e := (*Error)(nil); !errors.As(err, &e) || e.Line < 1 {
				t.Fatalf("Parse(%q): %#v", s, err)
			}
			return
		}
		text := Format(ops)
		back, err := Parse("g", strings.NewReader(text))
		if err != nil || !reflect.DeepEqual(ops, back) {
			t.Fatalf("%q\nparses as %#v\nprints as %q\nand that as %#v, %v", s, ops, text, back, err)
		}
		if again := Format(back); again != text {
			t.Fatalf("%q prints as %q and then as %q", s, text, again)
		}
	})
}
