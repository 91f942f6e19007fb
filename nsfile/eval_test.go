package nsfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// recorder is a Builder that writes down what it is told. Names that hold "missing" are not there.
type recorder struct {
	calls []string
	files map[string]string // what Open finds
	open  int               // files not closed
	cut   func()            // called by Clear
}

func (r *recorder) did(paths []string, format string, args ...any) error {
	r.calls = append(r.calls, fmt.Sprintf(format, args...))
	for _, p := range paths {
		if strings.Contains(p, "missing") {
			return syscall.ENOENT
		}
	}
	return nil
}

func (r *recorder) Mount(_ context.Context, serv, old, spec string, f Flags) error {
	return r.did([]string{serv, old}, "mount %s %q %q %q", f, serv, old, spec)
}

func (r *recorder) Bind(_ context.Context, new, old string, f Flags) error {
	return r.did([]string{new, old}, "bind %s %q %q", f, new, old)
}

func (r *recorder) Import(_ context.Context, host, tree, old string, f Flags) error {
	return r.did([]string{host, tree, old}, "import %s %q %q %q", f, host, tree, old)
}

func (r *recorder) Unmount(_ context.Context, new, old string) error {
	return r.did([]string{new, old}, "unmount %q %q", new, old)
}

func (r *recorder) Cd(_ context.Context, dir string) error { return r.did([]string{dir}, "cd %q", dir) }

func (r *recorder) Clear(context.Context) error {
	if r.cut != nil {
		r.cut()
	}
	return r.did(nil, "clear")
}

func (r *recorder) Chdev(_ context.Context, mask string, f Flags) error {
	return r.did([]string{mask}, "chdev %s %q", f, mask)
}

func (r *recorder) Open(_ context.Context, path string) (io.ReadCloser, error) {
	text, ok := r.files[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	r.open++
	return &file{strings.NewReader(text), r}, nil
}

type file struct {
	io.Reader
	r *recorder
}

func (f *file) Close() error { f.r.open--; return nil }

func getenv(name string) (string, bool) {
	v, ok := map[string]string{"home": "/home/me", "dir": "/tmp/a b", "q": "$home '", "empty": ""}[name]
	return v, ok
}

func TestEval(t *testing.T) {
	// deep is n files that each read the next.
	deep := func(n int) map[string]string {
		m := map[string]string{}
		for i := 1; i < n; i++ {
			m[fmt.Sprintf("/%d", i)] = fmt.Sprintf(". /%d\n", i+1)
		}
		m[fmt.Sprintf("/%d", n)] = "clear\n"
		return m
	}
	for _, c := range []struct {
		name  string
		in    string
		files map[string]string
		calls []string
		err   string
	}{
		{
			name: "every operation",
			in: "mount -ac /srv/term /mnt/term\nmount -n /srv/x /y spec\nmount /srv/x /y ''\nbind -bq #p /proc\nimport -C host /n/h\n" +
				"import host /usr /n/h\nunmount /a\nunmount /a /b\ncd /x\nclear\nchdev pe\nchdev -r U\nchdev -n p\n",
			calls: []string{`mount -ac "/srv/term" "/mnt/term" ""`, `mount -n "/srv/x" "/y" "spec"`, `mount  "/srv/x" "/y" ""`, `bind -bq "#p" "/proc"`,
				`import -C "host" "/" "/n/h"`, `import  "host" "/usr" "/n/h"`, `unmount "" "/a"`, `unmount "/a" "/b"`, `cd "/x"`, `clear`,
				`chdev  "pe"`, `chdev -r "U"`, `chdev -n "p"`},
		}, {
			name:  "variables",
			in:    "cd $dir\ncd /mnt/term/$dir\ncd $home/$empty/x\ncd '$home'\ncd $q\nmount /srv/a /b $empty\n",
			calls: []string{`cd "/tmp/a b"`, `cd "/mnt/term//tmp/a b"`, `cd "/home/me//x"`, `cd "$home"`, `cd "$home '"`, `mount  "/srv/a" "/b" ""`},
		}, {
			name:  "the first failure ends it",
			in:    "clear\nbind -a /mnt/term/missing /usr\nclear\n",
			calls: []string{"clear", `bind -a "/mnt/term/missing" "/usr"`},
			err:   "f:2: bind /mnt/term/missing /usr: no such file or directory",
		}, {
			name:  "quiet failures pass",
			in:    "mount -q /srv/missing /x\nbind -q /missing /usr\nimport -aq missing /x\nbind -q $nope /x\nbind -q $empty /x\nclear\n",
			calls: []string{`mount -q "/srv/missing" "/x" ""`, `bind -q "/missing" "/usr"`, `import -aq "missing" "/" "/x"`, "clear"},
		}, {
			name:  "an undefined variable",
			in:    "clear\nbind $home/$nope/bin /bin\n",
			calls: []string{"clear"},
			err:   "f:2: bind $home/$nope/bin /bin: $nope: undefined variable",
		}, {
			name: "an empty name is not a missing one",
			in:   "unmount $empty /a\n",
			err:  "f:1: unmount $empty /a: $empty: empty name",
		}, {
			name: "odd names are quoted in errors",
			in:   "cd '/a missing'\n", calls: []string{`cd "/a missing"`},
			err: "f:1: cd '/a missing': no such file or directory",
		}, {
			name:  "positions of joined files",
			in:    "#line 7 mine\nbind #p /missing\n",
			calls: []string{`bind  "#p" "/missing"`},
			err:   "mine:7: bind #p /missing: no such file or directory",
		}, {
			name:  "dot",
			in:    "cd /a\n. b\ncd /c\n",
			files: map[string]string{"b": "# b\ncd $home\n"},
			calls: []string{`cd "/a"`, `cd "/home/me"`, `cd "/c"`},
		}, {
			name:  "dot of a file twice is no cycle",
			in:    ". /b\n. /b\n",
			files: map[string]string{"/b": "clear\n"},
			calls: []string{"clear", "clear"},
		}, {
			name:  "dot of the same relative name in another directory is no cycle",
			in:    "cd /a\n. ns\n",
			files: map[string]string{"ns": "cd sub\n. ../../x\n", "../../x": "clear\n"},
			calls: []string{`cd "/a"`, `cd "sub"`, "clear"},
		}, {
			name: "dot of nothing",
			in:   "clear\n. /nope\n", calls: []string{"clear"},
			err: "f:2: . /nope: file does not exist",
		}, {
			name:  "a failure in a file that dot reads",
			in:    ". $home/ns\n",
			files: map[string]string{"/home/me/ns": "clear\n\ncd /missing\n"},
			calls: []string{"clear", `cd "/missing"`},
			err:   "/home/me/ns:3: cd /missing: no such file or directory",
		}, {
			name:  "a mistake in a file that dot reads",
			in:    ". /b\n",
			files: map[string]string{"/b": "clear\nfrob\n"},
			err:   "/b:2: frob: unknown operation",
		}, {
			name:  "a file that reads itself",
			in:    ". /b\n",
			files: map[string]string{"/b": "clear\n. /x/../b\n", "/x/../b": "clear\n"},
			calls: []string{"clear"},
			err:   "/b:2: . /x/../b: the file reads itself: /b /b",
		}, {
			name:  "a cycle",
			in:    ". /a\n",
			files: map[string]string{"/a": ". /b\n", "/b": "\n. /c\n", "/c": ". /b\n"},
			err:   "/c:1: . /b: the file reads itself: /b /c /b",
		}, {
			name: "sixteen deep", in: ". /1\n", files: deep(16), calls: []string{"clear"},
		}, {
			name: "seventeen deep", in: ". /1\n", files: deep(17),
			err: "/16:1: . /17: files nest deeper than 16",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			ops, err := Parse("f", strings.NewReader(c.in))
			if err != nil {
				t.Fatal(err)
			}
			r := &recorder{files: c.files}
			err = Eval(t.Context(), ops, r, getenv)
			if got := fmt.Sprint(err); err == nil && c.err != "" || err != nil && got != c.err {
				t.Errorf("error %q, want %q", got, c.err)
			}
			if e := (*Error)(nil); err != nil && !errors.As(err, &e) {
				t.Errorf("error is a %T, want *Error", err)
			}
			if !slices.Equal(r.calls, c.calls) {
				t.Errorf("calls:\n%s\nwant:\n%s", strings.Join(r.calls, "\n"), strings.Join(c.calls, "\n"))
			}
			if r.open != 0 {
				t.Errorf("%d files left open", r.open)
			}
		})
	}
}

func TestEvalReason(t *testing.T) {
	ops, err := Parse("f", strings.NewReader("cd /missing\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Eval(t.Context(), ops, &recorder{}, getenv); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the reason is lost: %v", err)
	}
}

// TestEvalCancel shows that the end of the context ends Eval, and that -q does not hide it.
func TestEvalCancel(t *testing.T) {
	ops, err := Parse("f", strings.NewReader("clear\nbind -q /a /b\ncd /\n"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &recorder{cut: cancel}
	err = Eval(ctx, ops, r, getenv)
	if !errors.Is(err, context.Canceled) || err.Error() != "f:2: bind /a /b: context canceled" {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(r.calls, []string{"clear"}) {
		t.Errorf("calls after the end: %q", r.calls)
	}
}

func TestEvalUnknownVerb(t *testing.T) {
	err := Eval(t.Context(), []Op{{File: "f", Line: 1}}, &recorder{}, getenv)
	if err == nil || err.Error() != "f:1: Verb(0): Verb(0): unknown operation" {
		t.Errorf("error %v", err)
	}
}
