package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"cpu/nsfile"
)

func TestEnvironmentOf(t *testing.T) {
	all := []string{"PATH=/bin", "SSH_AUTH_SOCK=/x", "SSH=kept", "DISPLAY=:0", "DISPLAY2=kept", "PWD=/x", "_=/bin/cpu", "_x=kept", "XDG_SESSION_ID=1", "TERM=vt100",
		"EMPTY=", "=C:=C:\\", "odd"}
	for _, c := range []struct {
		f    flags
		want string

		send, set []string
	}{
		{f: flags{}, send: []string{"DISPL*", "ABSENT"}, set: []string{"TERM=dumb", "NEW=a b"}, want: "PATH=/bin SSH=kept DISPLAY=:0 DISPLAY2=kept _x=kept EMPTY= TERM=dumb NEW=a b"},
		{f: flags{noEnv: true}, send: []string{"*"}, set: []string{"NEW=1"}},
		{f: flags{env: []string{"PATH=/sbin"}}, set: []string{"PATH=/x"}, want: "SSH=kept DISPLAY2=kept _x=kept TERM=vt100 EMPTY= PATH=/sbin"},
		{f: flags{}, want: "PATH=/bin SSH=kept DISPLAY2=kept _x=kept TERM=vt100 EMPTY="},
		{f: flags{env: []string{"DISPLAY", "NEW=1", "ABSENT", "PATH=/sbin"}}, want: "SSH=kept DISPLAY2=kept _x=kept TERM=vt100 EMPTY= DISPLAY=:0 NEW=1 PATH=/sbin"},
		{f: flags{noEnv: true}},
		{f: flags{noEnv: true, env: []string{"TERM", "A=b=c", "A=d"}}, want: "TERM=vt100 A=d"},
	} {
		if got := strings.Join(environment(all, &c.f, c.send, c.set), " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.f, got, c.want)
		}
	}
}

func TestVars(t *testing.T) {
	term := terminal{user: "maria", home: "/home/maria", dir: "/home/maria/src", name: "desk"}
	for _, c := range []struct{ root, home, dir string }{
		{"/", "/home/maria", "/home/maria/src"},
		{"/home", "/maria", "/maria/src"},
		{"/home/maria/src", "/", "/"},
		{"/usr", "/", "/"},
	} {
		got := term.vars(c.root)
		if got["home"] != c.home || got["dir"] != c.dir || got["user"] != "maria" || got["termname"] != "desk" || got["termtype"] != termtype {
			t.Errorf("-r %s: %v", c.root, got)
		}
	}
	if _, ok := (terminal{}).vars("/")["dir"]; ok {
		t.Error("a directory that is not known is a variable")
	}
}

// TestReadNamespace: where names are looked for, how files are joined, and what their errors say.
func TestReadNamespace(t *testing.T) {
	home := t.TempDir()
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(filepath.Join(home, "lib", "namespace"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		filepath.Join(home, "lib", "namespace", "mine"): "cd /mine\n",
		filepath.Join(home, "lib", "namespace", "term"): "cd /my/term\n", // before the one that ships
		"local":   "# first\n\ncd /local\n",
		"mine2":   "cd /a\ncd\n",
		"special": "bind '/a b' $home\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ names, want, err string }{
		{"local", "#line 3 'local'\ncd /local\n", ""},
		{"./local", "#line 3 './local'\ncd /local\n", ""},
		{"mine local -", "cd /mine\n", ""},
		{"term", "cd /my/term\n", ""},
		{"special", "bind '/a b' $home\n", ""},
		{"none", "", ""},
		{"", "mount /srv/term /mnt/term", ""},
		{"nosuch", "", "nosuch: no such namespace file"},
		{"./mine", "", "./mine: no such namespace file"},
		{"../mine", "", "../mine: no such namespace file"},
		{"mine2", "", "mine2:2: "},
	} {
		ops, err := readNamespace(strings.Fields(c.names), home, strings.NewReader("cd /stdin\n"))
		got := nsfile.Format(ops)
		if c.err != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("%q: %v, want %s", c.names, err, c.err)
			}
			continue
		}
		if err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%q: %q, %v; want %q in it", c.names, got, err, c.want)
		}
		if strings.HasSuffix(c.names, "-") && !(strings.Contains(got, "#line 3 'local'\ncd /local\n") && strings.HasSuffix(got, "#line 1 'stdin'\ncd /stdin\n")) {
			t.Errorf("%q: %q", c.names, got)
		}
	}
}

// TestTraceFile: a name, standard error, or nowhere.
func TestTraceFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "trace")
	for _, n := range []string{"", "-", name} {
		f, err := openTrace(n)
		if err != nil {
			t.Fatal(err)
		}
		if (f.writer() == nil) != (n == "") {
			t.Errorf("%q: the writer is %v", n, f.writer())
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if got, want := reflect.TypeOf(traceFile{os.Stderr}.writer()), reflect.TypeOf(os.Stderr); got != want {
		t.Errorf("the writer is a %v", got)
	}
	if _, err := os.Stat(name); err != nil {
		t.Error(err)
	}
	if _, err := os.Stderr.Stat(); err != nil {
		t.Error("standard error was closed")
	}
}
