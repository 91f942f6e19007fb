package exportfs

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

func parse(t *testing.T, text string) *Patterns {
	t.Helper()
	p, err := ParsePatterns("patterns", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// hides matches a whole path; directories on the way are not looked at.
func hides(p *Patterns, path string) bool {
	i := strings.LastIndexByte(path, '/')
	return p.in(path[:i]).hidden(path[i+1:])
}

func TestParsePatterns(t *testing.T) {
	for _, c := range []struct{ text, err string }{
		{"", ""},
		{"# comment\n\n+ ^/usr\r\n- \\.o$\n", ""},
		{"-\tx", ""},
		{"+ a\n- (\n", "patterns:2: error parsing regexp"},
		{"x\n", "patterns:1: want + or -"},
		{"\n+\n", "patterns:2: want + or -"},
		{"+x\n", "patterns:1: want + or -"},
		{"- \n", "patterns:1: want + or -"},
		{"- " + strings.Repeat("(", 2000), "patterns:1: error parsing regexp"},
		{"- a{1000}{1000}\n", "patterns:1: error parsing regexp"},
		{"\n" + strings.Repeat("x", 1<<17), "patterns:2: "},
	} {
		_, err := ParsePatterns("patterns", strings.NewReader(c.text))
		if c.err == "" && err == nil {
			continue
		}
		if err == nil || c.err == "" || !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%.40q: %v, want %s", c.text, err, c.err)
		}
	}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		text, hidden, seen string
	}{
		{"", "", "/ /a /a/b"},
		{"- b", "/b /ab /a/b /b/c", "/a /a/c"},
		{"- ^/b$", "/b", "/a/b /b/c /ab /bb"},
		{"- /b(/|$)", "/b /b/c /a/b /a/b/c", "/ab /bc /bb/c"},
		{"+ ^/(usr|bin)", "/etc /etc/usr", "/usr /usr/x /bin"},
		{"+ a\n+ b", "/a /b /c", "/ab /a/b /b/a"},
		{"+ a\n- b", "/b /ab /c", "/a /a/c"},
		{"- \\.o$\n- ^/tmp", "/x.o /a/y.o /tmp /tmp/z", "/x.oo /a/tmp /o"},
		{"- \\bcat\\b", "/cat /a/cat.c", "/cats /concat"},
		{"- a.b", "/a\nb /axb", "/ab"},
		{"- é$", "/é /caf\u00e9", "/e"},
		{"- (?i)secret", "/Secret /SECRET/x", "/secre"},
		{"- ^/x*$", "/x /xx", "/y /xy /x/x"},
	} {
		p := parse(t, c.text)
		for _, path := range strings.Split(c.hidden, " ") {
			if path != "" && !hides(p, path) {
				t.Errorf("%q does not hide %q", c.text, path)
			}
		}
		for _, path := range strings.Split(c.seen, " ") {
			if hides(p, path) {
				t.Errorf("%q hides %q", c.text, path)
			}
		}
	}
}

func TestDefaultPatterns(t *testing.T) {
	p := DefaultPatterns()
	for path, hidden := range map[string]bool{
		"/home/u/.ssh/id_rsa":                                 true,
		"/home/u/.ssh/id_ed25519":                             true,
		"/home/u/.ssh/id_ed25519.bak":                         true,
		"/home/u/.ssh/id_":                                    true,
		"/home/u/.ssh/id_b":                                   true,
		"/home/u/.ssh/id_ub":                                  true,
		"/home/u/.ssh/id_pub":                                 true,
		"/home/u/.ssh/id_xpub":                                true,
		"/home/u/.ssh/id_rsa.pub":                             false,
		"/home/u/.ssh/id_rsa-cert.pub":                        false,
		"/home/u/.ssh/ID_RSA":                                 true,
		"/home/u/.SSH/id_rsa":                                 true,
		"/root/.ssh/id_rsa":                                   true,
		"/.ssh/id_rsa":                                        true,
		"/home/u/.ssh/identity":                               true,
		"/home/u/.ssh/identity.pub":                           false,
		"/home/u/.ssh/work.pem":                               true,
		"/home/u/.ssh/config":                                 false,
		"/home/u/.ssh/known_hosts":                            false,
		"/home/u/.ssh/authorized_keys":                        false,
		"/home/u/.ssh":                                        false,
		"/home/u/ssh/id_rsa":                                  false,
		"/home/u/src/id_rsa.c":                                false,
		"/home/u/.gnupg/private-keys-v1.d":                    true,
		"/home/u/.gnupg/secring.gpg":                          true,
		"/home/u/.gnupg/pubring.kbx":                          false,
		"/etc/ssh/ssh_host_ed25519_key":                       true,
		"/etc/ssh/ssh_host_ed25519_key.pub":                   false,
		"/etc/ssl/private":                                    true,
		"/etc/ssl/certs":                                      false,
		"/home/u/.local/share/keyrings":                       true,
		"/Users/u/Library/Keychains":                          true,
		"/home/u/.config/sops/age/keys.txt":                   true,
		"/home/u/.minisign/minisign.key":                      true,
		"/etc/wireguard/wg0.key":                              true,
		"/proc/1/mem":                                         true,
		"/proc/self/task/12/mem":                              true,
		"/proc/meminfo":                                       false,
		"/proc/kcore":                                         true,
		"/home/u/proc/1/mem":                                  false,
		"/usr/include/age/key.h":                              false,
		"/usr/lib/python3/dist-packages/keyring/backend.py":   false,
		"/home/u/go/src/crypto/x509/testdata/test-file.crt":   false,
		"/usr/share/doc/openssh-client/examples/ssh_host_key": false,
	} {
		if got := hides(p, path); got != hidden {
			t.Errorf("%s: hidden %v, want %v", path, got, hidden)
		}
	}
}

// covers may be too careful, but a rename it allows reveals nothing.
func TestCovers(t *testing.T) {
	for _, c := range []struct {
		text, old, new string
		allowed        bool
	}{
		{"", "/a", "/b", true},
		{"- /\\.ssh/id_", "/home/u/.ssh", "/home/u/x", false},
		{"- /\\.ssh/id_", "/home/u/x", "/home/u/.ssh", true},
		{"- /\\.ssh/id_", "/home/u", "/home/v", true},
		{"- /\\.ssh/id_", "/home/u/.ssh", "/home/v/.ssh", true},
		{"- /\\.ssh/id_", "/home/u/src/a", "/home/u/b", true},
		{"- ^/a/b/c", "/a", "/x", false},
		{"- ^/a/b/c", "/a/b", "/a/x", false},
		{"- ^/a/b/c", "/x", "/y", true},
		{"- ^/a/b/c", "/a/x", "/a/y", true},
		{"- ^/a/b/c", "/a/x", "/y", true},
		{"- \\.o$", "/a", "/b", true},
		{"- secret/.*key", "/secret/x", "/y", false},
		{"- secret/.*key", "/y", "/secret/x", true},
		{"+ ^/usr", "/usr/a", "/usr/b", true},
		{"+ ^/(usr|bin)/", "/usr", "/bin", true},
		{"+ \\.c$", "/a.c", "/b.c", true},
		{"+ ^/a/b", "/x", "/a", false},
	} {
		if got := parse(t, c.text).covers(c.old, c.new); got != c.allowed {
			t.Errorf("%q: %s to %s: %v, want %v", c.text, c.old, c.new, got, c.allowed)
		}
	}
}

func TestHidden(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/u/.ssh/id_rsa", "key")
	write(t, root+"/u/.ssh/id_rsa.pub", "public")
	write(t, root+"/u/.ssh/config", "text")
	write(t, root+"/u/dir/file", "text")
	_, top, _ := export(t, Options{Root: root, Patterns: DefaultPatterns()})
	ssh, u := walk(t, top, "u/.ssh"), walk(t, top, "u")

	_, err := tryWalk(top, "u/.ssh/id_rsa")
	want(t, "walk", err, linux.ENOENT)
	_, err = tryWalk(ssh, "id_rsa")
	want(t, "walk from the directory", err, linux.ENOENT)
	_, err = tryWalk(walk(t, top, "u/dir/../.ssh"), "id_rsa")
	want(t, "walk by way of ..", err, linux.ENOENT)
	if got := content(t, open(t, ssh, "id_rsa.pub", p9.ReadOnly)); got != "public" {
		t.Errorf("id_rsa.pub: %q", got)
	}
	d := open(t, ssh, "", p9.ReadOnly)
	for _, count := range []uint32{1, 1 << 16} {
		got := names(t, d, count)
		slices.Sort(got)
		if !slices.Equal(got, []string{"config", "id_rsa.pub"}) {
			t.Errorf("readdir: %q", got)
		}
	}
	list, err := d.ReaddirAttr(0, 1<<16)
	if err != nil || len(list) != 2 {
		t.Errorf("readdirattr: %v, %v", list, err)
	}

	_, _, _, err = ssh.Create("id_rsa", p9.ReadWrite, 0o600, p9.NoUID, p9.NoGID)
	want(t, "create", err, linux.ENOENT)
	_, _, _, err = ssh.Create("id_new", p9.ReadWrite|flagExcl, 0o600, p9.NoUID, p9.NoGID)
	want(t, "create one that is not there", err, linux.ENOENT)
	_, err = ssh.Mkdir("id_dir", 0o700, p9.NoUID, p9.NoGID)
	want(t, "mkdir", err, linux.ENOENT)
	_, err = ssh.Symlink("x", "id_link", p9.NoUID, p9.NoGID)
	want(t, "symlink", err, linux.ENOENT)
	_, err = ssh.Mknod("id_fifo", p9.ModeNamedPipe|0o600, 0, 0, p9.NoUID, p9.NoGID)
	want(t, "mknod", err, linux.ENOENT)
	want(t, "link to a hidden name", ssh.Link(walk(t, ssh, "config"), "id_x"), linux.ENOENT)
	want(t, "unlink", ssh.UnlinkAt("id_rsa", 0), linux.ENOENT)
	want(t, "rename from a hidden name", ssh.RenameAt("id_rsa", u, "x"), linux.ENOENT)
	want(t, "rename to a hidden name", ssh.RenameAt("config", ssh, "id_rsa"), linux.ENOENT)
	want(t, "rename to a hidden name", walk(t, ssh, "config").Rename(ssh, "id_rsa"), linux.ENOENT)

	// Renaming a directory must not reveal what is in it.
	want(t, "rename the directory", u.RenameAt(".ssh", u, "x"), linux.EPERM)
	want(t, "rename the directory by itself", ssh.Rename(top, "x"), linux.EPERM)
	want(t, "rename its parent", top.RenameAt("u", top, "v"), nil)
	_, err = tryWalk(top, "v/.ssh/id_rsa")
	want(t, "walk by the parent's new name", err, linux.ENOENT)
	want(t, "rename a directory to .ssh", walk(t, top, "v").RenameAt("dir", top, ".ssh"), nil)
	want(t, "rename a file", walk(t, top, "v/.ssh").RenameAt("config", top, "config"), nil)
	if b, err := os.ReadFile(root + "/v/.ssh/id_rsa"); err != nil || string(b) != "key" {
		t.Errorf("the key: %q, %v", b, err)
	}
}

// FuzzPatterns holds the automaton against package regexp, and what covers allows against what is hidden.
func FuzzPatterns(f *testing.F) {
	f.Add("- ^/a\n+ b$", "/a/b", "/c/d", "/x")
	f.Fuzz(func(t *testing.T, text, old, new, rest string) {
		p, err := ParsePatterns("p", strings.NewReader(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "p:") {
				t.Fatalf("error without a position: %v", err)
			}
			return
		}
		if len(text) > 200 || len(old)+len(new)+len(rest) > 200 {
			return
		}
		old, new, rest = "/"+old, "/"+new, "/"+rest
		for _, path := range []string{old + rest, new + rest} {
			if got, wanted := hides(p, path), reference(text, path); got != wanted {
				t.Fatalf("%q: %q hidden %v, regexp says %v", text, path, got, wanted)
			}
		}
		if p.covers(old, new) && hides(p, old+rest) && !hides(p, new+rest) {
			t.Fatalf("%q: renaming %q to %q reveals %q", text, old, new, rest)
		}
	})
}

// reference says by package regexp whether path is hidden.
func reference(text, path string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		line = strings.TrimRight(line, " \t\r")
		if line == "" || line[0] == '#' {
			continue
		}
		match := regexp.MustCompile("(?s)" + strings.TrimLeft(line[1:], " \t")).MatchString(path)
		if match == (line[0] == '-') {
			return true
		}
	}
	return false
}
