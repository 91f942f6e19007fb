//go:build linux

package server

import (
	"crypto/rand"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestRevoked: what is in the list does not come in, from the moment on that it is.
func TestRevoked(t *testing.T) {
	r := newRig(t, "", func(r *rig, c *Config) {
		r.write(t, "revoked", "# nobody yet\n")
		c.RevokedKeys = r.dir + "/revoked"
	})
	must(t, r.ssh("key", "127.0.0.1", "true").Run())
	for text, logged := range map[string]string{
		string(ssh.MarshalAuthorizedKey(r.signer(t).PublicKey())): "revoked in ",
		"nonsense\n":         "revoked: 1: not a public key",
		"SSHKRL\n\x00\x00\n": "key revocation list",
		keyRevocationList(t, "", "key: "+string(ssh.MarshalAuthorizedKey(r.signer(t).PublicKey()))): "revoked in ",
	} {
		before := len(r.log.String())
		r.write(t, "revoked", text)
		if _, _, status := run(t, r.ssh("key", "127.0.0.1", "true")); status != 255 {
			t.Errorf("%q let the key in", text)
		}
		if got := r.logged(t, before); !strings.Contains(got, logged) {
			t.Errorf("the log has %q, want %q", got, logged)
		}
	}
	must(t, os.Remove(r.dir+"/revoked"))
	if _, _, status := run(t, r.ssh("key", "127.0.0.1", "true")); status != 255 {
		t.Error("without the list the key came in")
	}
}

// keyRevocationList has ssh-keygen make one, of what is said in words, about certificates of an authority, whose line is given.
func keyRevocationList(t *testing.T, authority, words string) string {
	t.Helper()
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed: apt install openssh-client")
	}
	dir := t.TempDir()
	args := []string{"-q", "-k", "-f", dir + "/list"}
	if authority != "" {
		must(t, os.WriteFile(dir+"/authority", []byte(authority), 0o600))
		args = append(args, "-s", dir+"/authority")
	}
	must(t, os.WriteFile(dir+"/words", []byte(words), 0o600))
	if out, err := exec.Command("ssh-keygen", append(args, dir+"/words")...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	list, err := os.ReadFile(dir + "/list")
	must(t, err)
	return string(list)
}

// TestRevokedCertificates: a revoked key revokes its certificates, and those that it signed; and a certificate can be revoked itself.
func TestRevokedCertificates(t *testing.T) {
	ca, user, other := authority(t), authority(t), authority(t)
	cert := &ssh.Certificate{Key: user.PublicKey(), Serial: 7, CertType: ssh.UserCert, ValidPrincipals: []string{"maria"}, ValidBefore: ssh.CertTimeInfinity}
	must(t, cert.SignCert(rand.Reader, ca))
	file := t.TempDir() + "/revoked"
	s := &Server{Config: Config{RevokedKeys: file}, uid: os.Getuid()}
	line := func(k ssh.PublicKey) string { return string(ssh.MarshalAuthorizedKey(k)) }
	for _, c := range []struct {
		name    string
		list    string
		refused bool
	}{
		{"another", line(other.PublicKey()), false},
		{"the user's", line(user.PublicKey()), true},
		{"the authority's", line(ca.PublicKey()), true},
		{"itself", line(cert), true},
		{"its number", keyRevocationList(t, line(ca.PublicKey()), "serial: 7\n"), true},
		{"another number", keyRevocationList(t, line(ca.PublicKey()), "serial: 8\n"), false},
		{"another authority's number", keyRevocationList(t, line(other.PublicKey()), "serial: 7\n"), false},
	} {
		must(t, os.WriteFile(file, []byte(c.list), 0o600))
		if err := s.checkRevoked(cert); (err != nil) != c.refused {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := New(Config{HostKeys: []ssh.Signer{ca}, RevokedKeys: "/no/such/file"}); err == nil {
		t.Error("a server was made without its list")
	}
}
