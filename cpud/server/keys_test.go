//go:build linux

package server

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// line is a key in authorized_keys.
const line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHa0/EUVd7ATxX3HHQxGKCqxDPyKuN1nVYUCMnhsv+cY me"

func lineKey(t testing.TB) ssh.PublicKey {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestMatchKey: which lists let a key in.
func TestMatchKey(t *testing.T) {
	from := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7)}
	_, base64, _ := strings.Cut(strings.TrimSuffix(line, " me"), " ")
	for _, c := range []struct {
		name, text string
		command    string
		err        string // "" lets it in
	}{
		{"the key", line, "", ""},
		{"with a comment of blanks", line + " and more\r\n", "", ""},
		{"among others", "# comment\n\nnonsense\nssh-dss AAAA\n  " + line, "", ""},
		{"an empty list", "", "", "the key is not there"},
		{"commented out", "#" + line, "", "the key is not there"},
		{"options", `no-pty,command="a, \"b\" c" ` + line, `a, "b" c`, ""},
		{"options that are not met, then met", `from="10.0.0.1" ` + line + "\n" + `from="192.0.2.7",command="x" ` + line, "x", ""},
		{"options that are not met", "\n" + `from="10.0.0.1" ` + line, "", "2: the key is for others than 192.0.2.7:0"},
		{"an option that is not known", "verify-required " + line, "", "1: verify-required: option not supported"},
		{"a certificate authority", "cert-authority " + line, "", "1: the key is there to sign certificates only"},
		{"an open quote", `command="a ` + line, "", "the key is not there"},
		{"a blank in the options", "no-pty, restrict " + line, "", "the key is not there"},
		{"under another type's name", "ssh-rsa " + base64, "", "the key is not there"},
		{"an option in the type's place", "restrict " + base64, "", "the key is not there"},
	} {
		rights, err := matchKey([]byte(c.text), "me", lineKey(t), from, time.Now())
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.err || rights.command != c.command {
			t.Errorf("%s: %+v, %v; want %q, %q", c.name, rights, err, c.command, c.err)
		}
	}
}

// TestStrict: a list that others can write is not believed.
func TestStrict(t *testing.T) {
	uid := uint32(os.Getuid())
	for _, c := range []struct {
		name            string
		home, dir, file os.FileMode
		link            string // what becomes a link to a place outside the home, under a directory that all may write: dir or file
		owner           uint32
		ok              bool
	}{
		{"usual", 0o755, 0o700, 0o600, "", uid, true},
		{"readable", 0o755, 0o755, 0o644, "", uid, true},
		{"file", 0o755, 0o700, 0o620, "", uid, false},
		{"directory", 0o755, 0o770, 0o600, "", uid, false},
		{"home", 0o757, 0o700, 0o600, "", uid, false},
		{"link to a directory", 0o755, 0o700, 0o600, "dir", uid, false},
		{"link to a file", 0o755, 0o700, 0o600, "file", uid, false},
		{"another user's", 0o755, 0o700, 0o600, "", uid + 1, uid == 0}, // root's files are anybody's
	} {
		home, elsewhere := t.TempDir(), t.TempDir()
		dir := filepath.Join(home, ".ssh")
		file := filepath.Join(dir, "authorized_keys")
		realDir, realFile := dir, file
		switch c.link {
		case "dir":
			realDir = filepath.Join(elsewhere, "ssh")
			realFile = filepath.Join(realDir, "authorized_keys")
			must(t, os.Symlink(realDir, dir))
		case "file":
			realFile = filepath.Join(elsewhere, "keys")
		}
		must(t, os.Mkdir(realDir, 0o700))
		if c.link == "file" {
			must(t, os.Symlink(realFile, file))
		}
		must(t, os.WriteFile(realFile, []byte("x"), 0o600))
		for name, mode := range map[string]os.FileMode{home: c.home, realDir: c.dir, realFile: c.file, elsewhere: 0o777} {
			must(t, os.Chmod(name, mode))
		}
		if _, err := readStrict(file, c.owner, home); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, name := range []string{t.TempDir(), "/dev/null", "/no/such/file"} {
		if _, err := readStrict(name, uid, ""); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	long := filepath.Join(t.TempDir(), "long")
	must(t, os.WriteFile(long, make([]byte, maxKeys+1), 0o600))
	if _, err := readStrict(long, uid, ""); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a list without end: %v", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestHostKey: made once, for its owner alone, and kept.
func TestHostKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "hostkey")
	first, err := HostKey(file)
	must(t, err)
	info, err := os.Stat(file)
	must(t, err)
	if info.Mode().Perm() != 0o600 || first.PublicKey().Type() != ssh.KeyAlgoED25519 {
		t.Errorf("mode %v, type %s", info.Mode(), first.PublicKey().Type())
	}
	second, err := HostKey(file)
	must(t, err)
	if ssh.FingerprintSHA256(first.PublicKey()) != ssh.FingerprintSHA256(second.PublicKey()) {
		t.Error("the key was made anew")
	}
	if entries, err := os.ReadDir(filepath.Dir(file)); err != nil || len(entries) != 1 {
		t.Errorf("beside the key there is %v, %v", entries, err)
	}
	must(t, os.Chmod(file, 0o640))
	if _, err := HostKey(file); err == nil || !strings.Contains(err.Error(), file+": others may") {
		t.Errorf("a key that others can read: %v", err)
	}
	must(t, os.WriteFile(file, []byte("nonsense"), 0o600))
	must(t, os.Chmod(file, 0o600))
	if _, err := HostKey(file); err == nil || !strings.HasPrefix(err.Error(), "host key: "+file) {
		t.Errorf("a key that is none: %v", err)
	}
}

// FuzzAuthorizedKey: no list panics, and a key that is let in stands on a line of its own, behind options that were understood.
func FuzzAuthorizedKey(f *testing.F) {
	key := lineKey(f)
	from := &net.TCPAddr{IP: net.IPv6loopback}
	f.Fuzz(func(t *testing.T, text string) {
		rights, err := matchKey([]byte(text), "me", key, from, time.Unix(0, 0))
		if err == nil && !strings.Contains(text, strings.Fields(line)[1]) {
			t.Errorf("%q let the key in, with %+v", text, rights)
		}
		ca := lineKey(t)
		cert := &ssh.Certificate{Key: ca, SignatureKey: ca, CertType: ssh.UserCert, ValidPrincipals: []string{"me"}, ValidBefore: ssh.CertTimeInfinity,
			Signature: &ssh.Signature{Format: ssh.KeyAlgoED25519, Blob: make([]byte, 64)}}
		if _, err := matchKey([]byte(text), "me", cert, from, time.Unix(0, 0)); err == nil {
			t.Errorf("%q let a forged certificate in", text)
		}
		if err == nil && !rights.noTTY && strings.HasPrefix(text, "no-pty ") && strings.Count(text, "\n") == 0 {
			t.Errorf("%q gave a terminal", text)
		}
	})
}

// FuzzPost: the words of the srv subsystem.
func FuzzPost(f *testing.F) {
	f.Fuzz(func(t *testing.T, words string) {
		if n, name, err := parsePost(words); err == nil && (n < 0 || name == "") {
			t.Errorf("%q: %d, %q", words, n, name)
		}
	})
}
