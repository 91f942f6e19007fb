//go:build linux

package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// authority is a new ed25519 key.
func authority(t *testing.T) ssh.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	must(t, err)
	s, err := ssh.NewSignerFromKey(key)
	must(t, err)
	return s
}

// TestCertificates: which certificates let maria in, by which lines, and what they allow.
func TestCertificates(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) uint64 { return uint64(now.Add(d).Unix()) }
	ca, user := authority(t), authority(t)
	caLine := string(ssh.MarshalAuthorizedKey(ca.PublicKey()))
	none := keyRights{noTTY: true, noForwarding: true, noAgent: true}
	oldRSA, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	oldRSASigner, err := ssh.NewSignerFromKey(oldRSA)
	must(t, err)
	goodRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	goodRSASigner, err := ssh.NewSignerFromKey(goodRSA)
	must(t, err)
	sha1, err := ssh.NewSignerWithAlgorithms(goodRSASigner.(ssh.AlgorithmSigner), []string{"ssh-rsa"})
	must(t, err)
	touched, err := ssh.ParsePublicKey(ssh.Marshal(struct{ Type, Key, Application string }{ssh.KeyAlgoSKED25519, strings.Repeat("k", 32), "ssh:"}))
	must(t, err)
	noTouch := func(key ssh.PublicKey) func(c *ssh.Certificate) {
		return func(c *ssh.Certificate) { c.Key, c.Extensions = key, map[string]string{"no-touch-required": ""} }
	}
	for _, c := range []struct {
		name    string
		options string // of the authority's line
		change  func(c *ssh.Certificate)
		signer  ssh.Signer // nil is the authority
		want    keyRights
		err     string
	}{
		{"plain", "cert-authority", nil, nil, none, ""},
		{"not an authority", "", nil, nil, none, "1: the key is no authority for certificates"},
		{"another authority", "cert-authority", nil, authority(t), none, "the key is not there"},
		{"extensions", "cert-authority", func(c *ssh.Certificate) {
			c.Extensions = map[string]string{"permit-agent-forwarding": "", "permit-port-forwarding": "", "permit-pty": "", "no-such-thing": ""}
		}, nil, keyRights{}, ""},
		{"no more than the line", "cert-authority,no-pty,no-port-forwarding", func(c *ssh.Certificate) {
			c.Extensions = map[string]string{"permit-agent-forwarding": "", "permit-port-forwarding": "", "permit-pty": ""}
		}, nil, keyRights{noTTY: true, noForwarding: true}, ""},
		{"touched", "cert-authority,no-touch-required", func(c *ssh.Certificate) { c.Key = touched }, nil, none, ""},
		{"not touched", "cert-authority,no-touch-required", noTouch(touched), nil, keyRights{noTTY: true, noForwarding: true, noAgent: true, noTouch: true}, ""},
		{"not touched, against the line", "cert-authority", noTouch(touched), nil, none, "1: the certificate does without a touch, which the list does not"},
		{"nothing to touch", "cert-authority", noTouch(user.PublicKey()), nil, none, ""},
		{"a forced command", "cert-authority", func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "x"} }, nil,
			keyRights{command: "x", noTTY: true, noForwarding: true, noAgent: true}, ""},
		{"the same command", `cert-authority,command="x"`, func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "x"} }, nil,
			keyRights{command: "x", noTTY: true, noForwarding: true, noAgent: true}, ""},
		{"another command", `cert-authority,command="y"`, func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "x"} }, nil, none,
			"1: the certificate forces another command than the list"},
		{"an unknown critical option", "cert-authority", func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"verify-required": ""} }, nil, none,
			`1: ssh: unsupported critical option "verify-required" in certificate`},
		{"a host's", "cert-authority", func(c *ssh.Certificate) { c.CertType = ssh.HostCert }, nil, none, "1: not a user's certificate"},
		{"somebody else's", "cert-authority", func(c *ssh.Certificate) { c.ValidPrincipals = []string{"root"} }, nil, none,
			`1: the certificate is for ["root"], not for maria`},
		{"nobody's", "cert-authority", func(c *ssh.Certificate) { c.ValidPrincipals = nil }, nil, none, `1: the certificate is for [], not for maria`},
		{"a principal", `cert-authority,principals="ops,dev"`, func(c *ssh.Certificate) { c.ValidPrincipals = []string{"dev"} }, nil, none, ""},
		{"no principal", `cert-authority,principals="ops,dev"`, nil, nil, none, `1: the certificate is for ["maria"], not for ops or dev`},
		{"not yet", "cert-authority", func(c *ssh.Certificate) { c.ValidAfter = at(time.Second) }, nil, none, "1: ssh: cert is not yet valid"},
		{"no more", "cert-authority", func(c *ssh.Certificate) { c.ValidBefore = at(0) }, nil, none, "1: ssh: cert has expired"},
		{"an expired line", `cert-authority,expiry-time="20260101Z"`, nil, nil, none, "1: the key has expired"},
		{"a small RSA key", "cert-authority", func(c *ssh.Certificate) { c.Key = oldRSASigner.PublicKey() }, nil, none, "1: an RSA key of less than 2048 bits"},
		{"signed with SHA-1", "cert-authority", nil, sha1, none, "1: the certificate is signed with ssh-rsa"},
	} {
		cert := &ssh.Certificate{Key: user.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"maria"}, ValidAfter: at(-time.Hour), ValidBefore: at(time.Hour)}
		if c.change != nil {
			c.change(cert)
		}
		signer, line := ca, caLine
		if c.signer != nil {
			signer = c.signer
		}
		if c.signer == sha1 {
			line = string(ssh.MarshalAuthorizedKey(sha1.PublicKey()))
		}
		must(t, cert.SignCert(rand.Reader, signer))
		got, err := matchKey([]byte(strings.TrimSpace(c.options+" "+line)), "maria", cert, &net.TCPAddr{}, now)
		if c.err != "" {
			if err == nil || err.Error() != c.err {
				t.Errorf("%s: %v, want %s", c.name, err, c.err)
			}
			continue
		}
		if err != nil || got.command != c.want.command || got.noTTY != c.want.noTTY || got.noForwarding != c.want.noForwarding || got.noAgent != c.want.noAgent ||
			got.noTouch != c.want.noTouch {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
	// One whose signature is not the authority's.
	cert := &ssh.Certificate{Key: user.PublicKey(), CertType: ssh.UserCert, ValidPrincipals: []string{"maria"}, ValidBefore: ssh.CertTimeInfinity}
	must(t, cert.SignCert(rand.Reader, ca))
	cert.KeyId = "changed"
	if _, err := matchKey([]byte("cert-authority "+caLine), "maria", cert, &net.TCPAddr{}, now); err == nil || !strings.Contains(err.Error(), "does not verify") {
		t.Errorf("a forged certificate: %v", err)
	}
}

// TestStockCertificate: certificates of ssh-keygen's, by stock ssh.
func TestStockCertificate(t *testing.T) {
	r := newRig(t, "")
	keygen := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v\n%s", err, out)
		}
	}
	keygen("-q", "-t", "ed25519", "-N", "", "-f", r.dir+"/ca")
	keygen("-q", "-t", "ed25519", "-N", "", "-f", r.dir+"/mine")
	ca, err := os.ReadFile(r.dir + "/ca.pub")
	must(t, err)
	r.write(t, "authorized", "cert-authority "+string(ca))
	for _, c := range []struct {
		name   string
		flags  []string
		cmd    string
		stdout string
		status int
		logged string
	}{
		{"good", nil, "echo in", "in\n", 0, `certificate="\"the id\" serial 7 by SHA256:`},
		{"forced", []string{"-O", "force-command=echo forced"}, "echo in", "forced\n", 0, "msg=login"},
		{"from here", []string{"-O", "source-address=10.0.0.0/8,127.0.0.0/8"}, "echo in", "in\n", 0, "msg=login"},
		{"from elsewhere", []string{"-O", "source-address=10.0.0.0/8"}, "echo in", "", 255, "source-address"},
		{"expired", []string{"-V", "20200101:20200102"}, "echo in", "", 255, "cert has expired"},
		{"no terminal", []string{"-O", "clear"}, "echo in", "", 255, "msg=login"}, // to ssh -tt that is an error
	} {
		before := len(r.log.String())
		keygen(append([]string{"-q", "-s", r.dir + "/ca", "-I", "the id", "-z", "7", "-n", r.user}, append(c.flags, r.dir+"/mine.pub")...)...)
		out, _, status := run(t, r.ssh("mine", "-tt", "-o", "CertificateFile="+r.dir+"/mine-cert.pub", "127.0.0.1", c.cmd))
		if strings.ReplaceAll(out, "\r", "") != c.stdout || status != c.status {
			t.Errorf("%s: got %q, %d; want %q, %d", c.name, out, status, c.stdout, c.status)
		}
		if got := r.logged(t, before); !strings.Contains(got, c.logged) {
			t.Errorf("%s: the log has %q, want %q", c.name, got, c.logged)
		}
	}
}
