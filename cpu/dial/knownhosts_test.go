package dial

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// TestKnownHosts: which host keys are accepted, what is said of the others, and what is remembered.
func TestKnownHosts(t *testing.T) {
	mine, other := testKey(1), testKey(2)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := ssh.FingerprintSHA256(testSigner(mine).PublicKey())
	named := func(name string, key any) func(string) []string {
		return func(string) []string { return []string{name + " " + marshal(key)} }
	}
	for _, c := range []struct {
		name    string
		strict  string
		lines   func(port string) []string // the list of known hosts; nil: there is none
		answers []string
		options []string
		want    string // why it failed, a regular expression; "" if it is not to fail
		added   string // what the list has then got besides
	}{
		{name: "known", lines: func(p string) []string { return []string{at(p, mine)} }},
		{name: "known by a pattern", lines: named("[127.0.0.*]:*", mine)},
		{name: "hashed", lines: func(p string) []string {
			return []string{knownhosts.HashHostname("[127.0.0.1]:"+p) + " " + marshal(mine)}
		}},
		{name: "known without the port", lines: named("127.0.0.1", mine)},
		{name: "another one without the port", strict: "yes", lines: named("127.0.0.1", other), want: "unknown host key .* is not in HOME"},
		{name: "revoked without the port", strict: "yes", lines: func(string) []string {
			return []string{"127.0.0.1 " + marshal(mine), "@revoked 127.0.0.1 " + marshal(mine)}
		}, want: "unknown host key"},
		{name: "alias", options: []string{"HostKeyAlias=board"}, lines: named("board", mine)},
		{name: "alias is not the port's", strict: "yes", options: []string{"HostKeyAlias=board"}, lines: named("127.0.0.1", mine), want: `board is not in HOME/\S+$`},
		{name: "one of several", lines: func(p string) []string { return []string{at(p, other), at(p, rsaKey), at(p, mine)} }},
		{name: "the type that is known", lines: func(p string) []string { return []string{at(p, ecdsaKey), at(p, mine)} }},
		{name: "a list with odd lines", lines: func(p string) []string {
			return []string{"board ssh-dss AAAA\n", "|1|x|y\n", "@new * " + marshal(other), at(p, mine)}
		}},
		{name: "changed", lines: func(p string) []string { return []string{"# first\n", at(p, other)} },
			want: `^127\.0\.0\.1: the host key has changed: \[127\.0\.0\.1\]:PORT is now ssh-ed25519 ` + regexp.QuoteMeta(fingerprint) + `, and another one in HOME/\.ssh/known_hosts:2$`},
		{name: "changed, whatever is asked for", strict: "no", lines: func(p string) []string { return []string{at(p, other)} }, want: "has changed"},
		{name: "another type", strict: "accept-new", lines: func(p string) []string { return []string{at(p, rsaKey)} },
			want: `the host key has changed: HOME/\.ssh/known_hosts:1 has ssh-rsa for \[127\.0\.0\.1\]:PORT, which offers only ssh-ed25519$`},
		{name: "another type, which alone is asked for", strict: "accept-new", options: []string{"HostKeyAlgorithms=ssh-ed25519"},
			lines: func(p string) []string { return []string{at(p, rsaKey)} }, added: "[127.0.0.1]:PORT " + marshal(mine)},
		{name: "a changed one, whose type alone is asked for", strict: "accept-new", options: []string{"HostKeyAlgorithms=ssh-ed25519"},
			lines: func(p string) []string { return []string{at(p, other)} }, want: "has changed"},
		{name: "revoked", lines: func(p string) []string { return []string{at(p, mine), "@revoked * " + marshal(mine)} },
			want: regexp.QuoteMeta("the host key " + fingerprint + " is revoked: HOME/.ssh/known_hosts:2")},
		{name: "unknown, yes", strict: "yes", want: `^127\.0\.0\.1: unknown host key ` + regexp.QuoteMeta(fingerprint) + `: \[127\.0\.0\.1\]:PORT is not in HOME/\.ssh/known_hosts$`},
		{name: "unknown, nobody to ask", want: "and there is nobody to ask$"},
		{name: "unknown, asked, yes", answers: []string{"yes"}, added: "[127.0.0.1]:PORT " + marshal(mine)},
		{name: "unknown, asked, the fingerprint", answers: []string{fingerprint + " "}, added: "[127.0.0.1]:PORT " + marshal(mine)},
		{name: "unknown, asked, no", answers: []string{"no"}, want: "not accepted$"},
		{name: "unknown, asked, y", answers: []string{"y"}, want: "not accepted$"},
		{name: "unknown, accept-new", strict: "accept-new", lines: func(string) []string { return []string{"# no newline"} },
			added: "\n[127.0.0.1]:PORT " + marshal(mine)},
		{name: "unknown, no", strict: "no", added: "[127.0.0.1]:PORT " + marshal(mine)},
	} {
		t.Run(c.name, func(t *testing.T) {
			user := testKey(9)
			h := newHost(t, testSigner(mine), user)
			config := testConfig(t)
			writeKey(t, config.Home+"/key", user)
			config.IdentityFiles = []string{config.Home + "/key"}
			config.Options = c.options
			if c.strict != "" {
				config.Options = append(config.Options, "StrictHostKeyChecking="+c.strict)
			}
			var lines []string
			if c.lines != nil {
				lines = c.lines(h.port)
				config.knows(t, lines...)
			}
			var a *answers
			if c.answers != nil {
				a = &answers{left: c.answers}
				config.Prompt = a.prompt
			}
			got := try(t, config, h.port)
			if (c.want == "") != (got == "") || !regexp.MustCompile(c.want).MatchString(got) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			want := strings.Join(lines, "") + strings.ReplaceAll(c.added, "PORT", h.port)
			if got := readFile(t, config.knownHostsFile()); got != want {
				t.Errorf("the list is %q, want %q", got, want)
			}
			if a != nil && !strings.Contains(a.asked[0], fingerprint) {
				t.Errorf("asked %q, without the fingerprint", a.asked[0])
			}
		})
	}
}

// TestRememberHashed: HashKnownHosts hides the name, and what was remembered is found again.
func TestRememberHashed(t *testing.T) {
	user := testKey(9)
	h := newHost(t, testSigner(testKey(1)), user)
	c := testConfig(t)
	writeKey(t, c.Home+"/key", user)
	c.IdentityFiles = []string{c.Home + "/key"}
	for _, strict := range []string{"accept-new", "yes"} {
		c.Options = []string{"HashKnownHosts=yes", "StrictHostKeyChecking=" + strict}
		if got := try(t, c, h.port); got != "" {
			t.Error(strict, got)
		}
	}
	if list := readFile(t, c.knownHostsFile()); !strings.HasPrefix(list, "|1|") || strings.Count(list, "\n") != 1 {
		t.Errorf("the list is %q", list)
	}
}

// TestHostCertificate: a host is known by the authority that signed its key, for the names that the certificate has.
func TestHostCertificate(t *testing.T) {
	authority, hostKey, user := testKey(1), testKey(2), testKey(9)
	for _, c := range []struct {
		name       string
		principals []string
		line       func(port string) string
		want       string
	}{
		{"known", []string{"127.0.0.1"}, func(string) string { return "@cert-authority * " + marshal(authority) }, ""},
		{"another name", []string{"elsewhere"}, func(string) string { return "@cert-authority * " + marshal(authority) }, "principal"},
		{"another authority", []string{"127.0.0.1"}, func(string) string { return "@cert-authority * " + marshal(hostKey) }, "unknown host key"},
		{"revoked authority", []string{"127.0.0.1"}, func(string) string {
			return "@cert-authority * " + marshal(authority) + "@revoked * " + marshal(authority)
		}, "is revoked"},
		{"the plain key", []string{"127.0.0.1"}, func(port string) string { return at(port, hostKey) }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			signer := testSigner(hostKey)
			cert := &ssh.Certificate{Key: signer.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: c.principals, ValidBefore: ssh.CertTimeInfinity}
			if err := cert.SignCert(rand.Reader, testSigner(authority)); err != nil {
				t.Fatal(err)
			}
			certified, err := ssh.NewCertSigner(cert, signer)
			if err != nil {
				t.Fatal(err)
			}
			if c.name == "the plain key" {
				certified = signer
			}
			h := newHost(t, certified, user)
			config := testConfig(t)
			writeKey(t, config.Home+"/key", user)
			config.IdentityFiles = []string{config.Home + "/key"}
			config.Options = []string{"StrictHostKeyChecking=yes"}
			config.knows(t, c.line(h.port))
			if got := try(t, config, h.port); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestHostCertificateSignature: an authority signs with what is configured, and by default not with SHA-1.
func TestHostCertificateSignature(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	authority := testSigner(rsaKey)
	hostKey, user := testSigner(testKey(2)), testKey(9)
	for _, c := range []struct{ algorithm, option, want string }{
		{ssh.KeyAlgoRSASHA512, "", ""},
		{ssh.KeyAlgoRSA, "", "is signed with ssh-rsa, which is not among CASignatureAlgorithms"},
		{ssh.KeyAlgoRSA, "CASignatureAlgorithms=+ssh-rsa", ""},
		{ssh.KeyAlgoRSASHA512, "CASignatureAlgorithms=-rsa-*", "is signed with rsa-sha2-512, which is not"},
		{ssh.KeyAlgoRSASHA256, "CASignatureAlgorithms=ssh-ed25519,rsa-sha2-256", ""},
	} {
		signer, err := ssh.NewSignerWithAlgorithms(authority.(ssh.AlgorithmSigner), []string{c.algorithm})
		if err != nil {
			t.Fatal(err)
		}
		cert := &ssh.Certificate{Key: hostKey.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: ssh.CertTimeInfinity}
		if err := cert.SignCert(rand.Reader, signer); err != nil {
			t.Fatal(err)
		}
		certified, err := ssh.NewCertSigner(cert, hostKey)
		if err != nil {
			t.Fatal(err)
		}
		h := newHost(t, certified, user)
		config := testConfig(t)
		writeKey(t, config.Home+"/key", user)
		config.IdentityFiles = []string{config.Home + "/key"}
		config.Options = []string{"StrictHostKeyChecking=yes"}
		if c.option != "" {
			config.Options = append(config.Options, c.option)
		}
		config.knows(t, "@cert-authority * "+marshal(rsaKey))
		if got := try(t, config, h.port); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s, %s: got %q, want %q", c.algorithm, c.option, got, c.want)
		}
	}
}
