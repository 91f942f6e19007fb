//go:build linux

package server

import (
	"net"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestOptions(t *testing.T) {
	from := &net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 1234}
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		options []string
		want    keyRights
		ok      bool
	}{
		{nil, keyRights{}, true},
		{[]string{`command="echo \"hi\""`}, keyRights{command: `echo "hi"`}, true},
		{[]string{"restrict", "pty"}, keyRights{}, true},
		{[]string{"restrict"}, keyRights{noTTY: true}, true},
		{[]string{`environment="A=b c"`}, keyRights{env: []string{"A=b c"}}, true},
		{[]string{`environment="A"`}, keyRights{}, false},
		{[]string{`from="192.0.2.0/24"`}, keyRights{}, true},
		{[]string{`from="192.0.2.?"`}, keyRights{}, true},
		{[]string{`from="10.0.0.0/8"`}, keyRights{}, false},
		{[]string{`from="!192.0.2.7,192.0.2.*"`}, keyRights{}, false},
		{[]string{`from=""`}, keyRights{}, false},
		{[]string{`expiry-time="20260602"`}, keyRights{}, true},
		{[]string{`expiry-time="202606011159Z"`}, keyRights{}, false},
		{[]string{`expiry-time="tomorrow"`}, keyRights{}, false},
		{[]string{"cert-authority"}, keyRights{}, false},
		{[]string{"no-such-option"}, keyRights{}, false},
	} {
		got, err := parseOptions(c.options, from, now)
		if (err == nil) != c.ok || err == nil && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v; want %+v, %v", c.options, got, err, c.want, c.ok)
		}
	}
}

// TestStrict: a list that others can write is not believed.
func TestStrict(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".ssh")
	file := filepath.Join(dir, "authorized_keys")
	uid := uint32(os.Getuid())
	for _, c := range []struct {
		name            string
		home, dir, file os.FileMode
		ok              bool
	}{
		{"usual", 0o755, 0o700, 0o600, true},
		{"readable", 0o755, 0o755, 0o644, true},
		{"file", 0o755, 0o700, 0o620, false},
		{"directory", 0o755, 0o770, 0o600, false},
		{"home", 0o777, 0o700, 0o600, false},
	} {
		os.RemoveAll(dir)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, mode := range map[string]os.FileMode{home: c.home, dir: c.dir, file: c.file} {
			if err := os.Chmod(name, mode); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := readStrict(file, uid, true, home); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := readStrict(file, uid+1, true, home); err == nil && uid != 0 {
		t.Error("another user's list was read")
	}
}

// FuzzAuthorizedKeys: whatever a list has in it, it lets in only the key that is on a line of it.
func FuzzAuthorizedKeys(f *testing.F) {
	const line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHa0/EUVd7ATxX3HHQxGKCqxDPyKuN1nVYUCMnhsv+cY me"
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(line))
	f.Add([]byte(`from="*",command="a \"b\"" ` + line + "\n# comment\n\n"))
	f.Add([]byte("restrict," + line))
	from := &net.TCPAddr{IP: net.IPv6loopback}
	f.Fuzz(func(t *testing.T, text []byte) {
		options, ok := matchKey(text, key)
		if ok {
			parseOptions(options, from, time.Unix(0, 0))
		}
	})
}

// FuzzPost: the words of the srv subsystem.
func FuzzPost(f *testing.F) {
	f.Add("1 term")
	f.Add("01 term")
	f.Add("-1 ")
	f.Fuzz(func(t *testing.T, words string) {
		if n, name, err := parsePost(words); err == nil && (n < 0 || name == "") {
			t.Errorf("%q: %d, %q", words, n, name)
		}
	})
}
