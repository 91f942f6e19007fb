package dial

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh/agent"
)

// TestRequiredRSASize: RSA keys that are too small are not taken of hosts, and not offered to them, from files or from the agent.
func TestRequiredRSASize(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		host, key any
		agent     bool
		size      string
		want      string
	}{
		{"as it is", small, small, false, "", ""},
		{"the host's", small, testKey(9), false, "2048", "the host key: an RSA key of 1024 bits, and RequiredRSASize is 2048"},
		{"the user's", testKey(1), small, false, "2048", "(an RSA key of 1024 bits, and RequiredRSASize is 2048)"},
		{"the agent's", testKey(1), small, true, "2048", "(an RSA key of 1024 bits, and RequiredRSASize is 2048)"},
		{"of another kind", testKey(1), testKey(9), true, "4096", ""},
		{"less than the least", small, small, true, "1", ""},
	} {
		h := newHost(t, testSigner(c.host), c.key)
		config := testConfig(t)
		config.knows(t, at(h.port, c.host))
		if c.agent {
			ring := agent.NewKeyring()
			if err := ring.Add(agent.AddedKey{PrivateKey: c.key}); err != nil {
				t.Fatal(err)
			}
			config.agent(serveRing(t, ring))
		} else {
			writeKey(t, config.Home+"/key", c.key)
			config.IdentityFiles = []string{config.Home + "/key"}
		}
		if c.size != "" {
			config.Options = []string{"RequiredRSASize=" + c.size}
		}
		if got := try(t, config, h.port); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
