//go:build linux

package server

import (
	"crypto/rand"
	"os"
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

// TestRevokedCertificates: a revoked key revokes its certificates, and those that it signed.
func TestRevokedCertificates(t *testing.T) {
	ca, user, other := authority(t), authority(t), authority(t)
	cert := &ssh.Certificate{Key: user.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"maria"}, ValidBefore: ssh.CertTimeInfinity}
	must(t, cert.SignCert(rand.Reader, ca))
	file := t.TempDir() + "/revoked"
	s := &Server{Config: Config{RevokedKeys: file}, uid: os.Getuid()}
	for _, c := range []struct {
		name    string
		key     ssh.PublicKey
		refused bool
	}{{"another", other.PublicKey(), false}, {"the user's", user.PublicKey(), true}, {"the authority's", ca.PublicKey(), true}, {"itself", cert, true}} {
		must(t, os.WriteFile(file, ssh.MarshalAuthorizedKey(c.key), 0o600))
		if err := s.checkRevoked(cert); (err != nil) != c.refused {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, err := New(Config{HostKeys: []ssh.Signer{ca}, RevokedKeys: "/no/such/file"}); err == nil {
		t.Error("a server was made without its list")
	}
}
