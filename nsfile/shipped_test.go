package nsfile

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"cpu/lib/namespace"
)

// shipped evaluates one of the files that ship, for a terminal and a server that have everything, and returns the calls.
func shipped(t *testing.T, name string) []string {
	t.Helper()
	f, err := namespace.Files.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ops, err := Parse(name, f)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"user": "me", "home": "/home/me", "dir": "/src/x", "cputype": "arm64", "termtype": "amd64", "termroot": "/roots"}
	r := &recorder{}
	err = Eval(t.Context(), ops, r, func(name string) (string, bool) { v, ok := vars[name]; return v, ok })
	if err != nil {
		t.Fatal(err)
	}
	return r.calls
}

func TestShippedFiles(t *testing.T) {
	entries, err := fs.ReadDir(namespace.Files, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Run(e.Name(), func(t *testing.T) {
			calls := shipped(t, e.Name())
			if e.Name() == "none" {
				if len(calls) > 0 {
					t.Errorf("none does %q", calls)
				}
				return
			}
			for _, want := range []string{`mount  "/srv/term" "/mnt/term" ""`, `mount  "/srv/cpu" "/mnt/cpu" ""`, `bind -q "/mnt/term//home/me" "/home/me"`} {
				if !slices.Contains(calls, want) {
					t.Errorf("no %s among\n%s", want, strings.Join(calls, "\n"))
				}
			}
			if last := calls[len(calls)-1]; last != `cd "/src/x"` {
				t.Errorf("the last line does %s", last)
			}
		})
	}
}

func TestShippedDefault(t *testing.T) {
	want := []string{`mount  "/srv/term" "/mnt/term" ""`}
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib64", "/usr", "/etc", "/home"} {
		want = append(want, `bind -q "/mnt/term`+dir+`" "`+dir+`"`)
	}
	want = append(want, `bind -q "/mnt/term//home/me" "/home/me"`, `mount  "/srv/cpu" "/mnt/cpu" ""`, `cd "/src/x"`)
	if got := shipped(t, "default"); !slices.Equal(got, want) {
		t.Errorf("default does\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
