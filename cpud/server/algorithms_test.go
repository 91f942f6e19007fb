//go:build linux

package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// asked is what ssh -Q says that stock ssh has.
func asked(t *testing.T, what string) []string {
	t.Helper()
	out, err := exec.Command("ssh", "-Q", what).Output()
	must(t, err)
	return strings.Fields(string(out))
}

// TestAlgorithms: each algorithm that stock ssh has and this server does not want is refused, and each that it wants is taken.
func TestAlgorithms(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(key, "")
	must(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	must(t, err)
	r := newRig(t, "", func(r *rig, c *Config) {
		c.HostKeys = append(c.HostKeys, signer)
		line := ssh.MarshalAuthorizedKey(signer.PublicKey())
		r.add(t, "known_hosts", "servertest "+string(line))
		r.add(t, "authorized", string(line))
		r.write(t, "rsa", string(pem.EncodeToMemory(block)))
	})
	for _, c := range []struct {
		option, query string
		ours          []string
		flags         []string // that make the option count
		refusal       string
	}{
		{"KexAlgorithms", "kex", keyExchanges, nil, "no matching key exchange method"},
		{"Ciphers", "cipher", ciphers, nil, "no matching cipher"},
		{"MACs", "mac", macs, []string{"-c", "aes128-ctr"}, "no matching MAC"},
		{"HostKeyAlgorithms", "key-sig", append([]string{"ssh-ed25519"}, rsaSignatures...), nil, "no matching host key type"},
		{"PubkeyAcceptedAlgorithms", "key-sig", rsaSignatures, []string{"-i", r.dir + "/rsa"}, "Permission denied"}, // the rig's keys are of two types only
	} {
		t.Run(c.option, func(t *testing.T) {
			taken := 0
			for _, algorithm := range asked(t, c.query) {
				ours := slices.Contains(c.ours, algorithm)
				if c.option == "PubkeyAcceptedAlgorithms" && !ours && algorithm != "ssh-rsa" && algorithm != "ssh-dss" {
					continue
				}
				_, stderr, status := run(t, exec.Command("ssh", append(append([]string{"-F", "none", "-p", r.port, "-l", r.user, "-o", "IdentitiesOnly=yes",
					"-o", "BatchMode=yes", "-o", "HostKeyAlias=servertest", "-o", "UserKnownHostsFile=" + r.dir + "/known_hosts",
					"-o", c.option + "=" + algorithm}, c.flags...), "-i", r.dir+"/key", "127.0.0.1", "true")...))
				switch {
				case ours && status != 0:
					t.Errorf("%s is refused: %s", algorithm, stderr)
				case !ours && (status != 255 || !strings.Contains(stderr, c.refusal)):
					t.Errorf("%s: exit status %d, %q; want %q", algorithm, status, stderr, c.refusal)
				}
				if ours {
					taken++
				}
			}
			if taken == 0 {
				t.Error("nothing was taken")
			}
		})
	}
}

// TestHostKeys: no old kinds of key.
func TestHostKeys(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	must(t, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	for want, key := range map[string]any{"less than 2048 bits": small, "want an ed25519 or an RSA key": curve} {
		s, err := ssh.NewSignerFromKey(key)
		must(t, err)
		if _, err := modernHostKey(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestAudit: ssh-audit finds nothing that fails.
func TestAudit(t *testing.T) {
	if _, err := exec.LookPath("ssh-audit"); err != nil {
		t.Skip("ssh-audit is not installed: apt install ssh-audit")
	}
	r := newRig(t, "")
	out, _, status := run(t, exec.Command("ssh-audit", "-n", "-p", r.port, "127.0.0.1"))
	if strings.Contains(out, "[fail]") || status == 1 {
		t.Errorf("exit status %d\n%s", status, out)
	}
	for _, want := range []string{"(kex) curve25519-sha256", "(key) ssh-ed25519", "(enc) aes128-gcm@openssh.com", "(mac) hmac-sha2-256-etm@openssh.com"} {
		if !strings.Contains(out, want) {
			t.Errorf("it has not seen %s:\n%s", want, out)
		}
	}
}
