package dial

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// serveAgent serves an agent with keys, and gives its socket.
func serveAgent(t *testing.T, keys ...any) (socket string) {
	t.Helper()
	ring := agent.NewKeyring()
	for _, k := range keys {
		if k, ok := k.(ed25519.PrivateKey); ok {
			if err := ring.Add(agent.AddedKey{PrivateKey: k, Comment: "key " + string('0'+k.Seed()[0])}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return serveRing(t, ring)
}

// TestKeys: which keys are offered, in which order, and what is said when none is taken.
func TestKeys(t *testing.T) {
	text, err := os.ReadFile("testdata/keys/rsa")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ssh.ParseRawPrivateKeyWithPassphrase(text, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	rsaKey := raw.(*rsa.PrivateKey)
	one, two, three := testKey(1), testKey(2), testKey(3)
	legacy := func(passphrase string) string {
		//lint:ignore SA1019 keys of this kind are about
		block, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey), []byte(passphrase), x509.PEMCipherAES128)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(block))
	}
	for _, c := range []struct {
		name    string
		setUp   func(t *testing.T, c *Config)
		answers []string
		letIn   any
		want    string // why it failed, a regular expression; "" if it is not to fail
		offered []any  // in order; nil is not looked at
		asked   int    // how often
	}{
		{name: "a file", setUp: func(t *testing.T, c *Config) { writeKey(t, c.Home+"/.ssh/one", one) }, letIn: one},
		{name: "rsa", setUp: func(t *testing.T, c *Config) { writeKey(t, c.Home+"/.ssh/one", rsaKey) }, letIn: rsaKey},
		{name: "the second file", setUp: func(t *testing.T, c *Config) {
			writeKey(t, c.Home+"/.ssh/one", one)
			writeKey(t, c.Home+"/.ssh/two", two)
		}, letIn: two, offered: []any{one, two}},
		{name: "no key", setUp: func(*testing.T, *Config) {}, letIn: one, want: `^127\.0\.0\.1: permission denied for ME: there is no key to try$`},
		{name: "wrong keys", setUp: func(t *testing.T, c *Config) {
			writeKey(t, c.Home+"/.ssh/one", one)
			writeFile(t, c.Home+"/.ssh/two", "nonsense")
		}, letIn: three, want: `permission denied for ME: tried HOME/\.ssh/two \(ssh: no key found\), HOME/\.ssh/one$`},
		{name: "the agent first", setUp: func(t *testing.T, c *Config) {
			writeKey(t, c.Home+"/.ssh/one", one)
			c.agent(serveAgent(t, two, three))
		}, letIn: one, offered: []any{two, three, one}},
		{name: "of the agent's, those that a file names first", setUp: func(t *testing.T, c *Config) {
			writeFile(t, c.Home+"/.ssh/one.pub", marshal(three))
			c.agent(serveAgent(t, two, three))
		}, letIn: three, offered: []any{three}},
		{name: "a public key as identity", setUp: func(t *testing.T, c *Config) {
			writeFile(t, c.Home+"/.ssh/one", marshal(three))
			c.agent(serveAgent(t, two, three))
		}, letIn: two, offered: []any{three, two}},
		{name: "IdentitiesOnly", setUp: func(t *testing.T, c *Config) {
			writeFile(t, c.Home+"/.ssh/one.pub", marshal(three))
			c.agent(serveAgent(t, two, three))
			c.Options = append(c.Options, "IdentitiesOnly=yes")
		}, letIn: two, want: "tried the agent's key 3$", offered: []any{three}},
		{name: "a key in the agent and in a file", setUp: func(t *testing.T, c *Config) {
			writeKey(t, c.Home+"/.ssh/one", one)
			c.agent(serveAgent(t, one))
		}, letIn: two, want: "tried the agent's key 1$", offered: []any{one}},
		{name: "IdentityAgent none", setUp: func(t *testing.T, c *Config) {
			c.agent(serveAgent(t, one))
			c.Options = append(c.Options, "IdentityAgent=none")
		}, letIn: one, want: "no key to try"},
		{name: "IdentityAgent", setUp: func(t *testing.T, c *Config) {
			c.agent(serveAgent(t, one))
			c.Options = append(c.Options, "IdentityAgent="+serveAgent(t, two))
		}, letIn: two, offered: []any{two}},
		{name: "an agent that is gone", setUp: func(t *testing.T, c *Config) {
			writeKey(t, c.Home+"/.ssh/one", one)
			c.agent(c.Home + "/gone")
		}, letIn: one},
		{name: "encrypted", setUp: func(t *testing.T, c *Config) { copyKey(t, c.Home+"/.ssh/one", "one") },
			answers: []string{"mistyped", "secret"}, letIn: one, asked: 2},
		{name: "encrypted rsa", setUp: func(t *testing.T, c *Config) { copyKey(t, c.Home+"/.ssh/one", "rsa") },
			answers: []string{"secret"}, letIn: rsaKey, asked: 1},
		{name: "encrypted, its passphrase forgotten, and another one", setUp: func(t *testing.T, c *Config) {
			copyKey(t, c.Home+"/.ssh/one", "one")
			copyKey(t, c.Home+"/.ssh/two", "one-other")
		}, answers: []string{"a", "b", "c", "other"}, letIn: one, asked: 4},
		{name: "encrypted, its passphrase forgotten", setUp: func(t *testing.T, c *Config) { copyKey(t, c.Home+"/.ssh/one", "one") },
			answers: []string{"a", "b", "c"}, letIn: one, want: `tried HOME/\.ssh/one \(wrong passphrase\)$`, asked: 3},
		{name: "encrypted, but not wanted", setUp: func(t *testing.T, c *Config) {
			copyKey(t, c.Home+"/.ssh/one", "one")
			writeKey(t, c.Home+"/.ssh/two", two)
		}, answers: []string{"secret"}, letIn: two, offered: []any{two}},
		{name: "encrypted, nobody to ask", setUp: func(t *testing.T, c *Config) { copyKey(t, c.Home+"/.ssh/one", "one") },
			letIn: one, want: `tried HOME/\.ssh/one \(encrypted, and there is nobody to ask\)$`},
		{name: "encrypted of old", setUp: func(t *testing.T, c *Config) { writeFile(t, c.Home+"/.ssh/one", legacy("secret")) },
			answers: []string{"mistyped", "secret"}, letIn: rsaKey, asked: 2},
		{name: "encrypted of old, not wanted", setUp: func(t *testing.T, c *Config) {
			writeFile(t, c.Home+"/.ssh/one", legacy("secret"))
			writeFile(t, c.Home+"/.ssh/one.pub", marshal(rsaKey))
		}, answers: []string{"secret"}, letIn: one, want: "denied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := testConfig(t)
			for _, name := range []string{"one", "two"} {
				config.Options = append(config.Options, "IdentityFile="+config.Home+"/.ssh/"+name)
			}
			c.setUp(t, config)
			var a *answers
			if c.answers != nil {
				a = &answers{left: c.answers}
				config.Prompt = a.prompt
			}
			h := newHost(t, testSigner(testKey(7)), c.letIn)
			config.knows(t, at(h.port, testKey(7)))
			got := strings.Replace(try(t, config, h.port), "for "+config.LocalUser+":", "for ME:", 1)
			if (c.want == "") != (got == "") || !regexp.MustCompile(c.want).MatchString(got) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if a != nil && len(a.asked) != c.asked {
				t.Errorf("asked %q, want %d questions", a.asked, c.asked)
			}
			var want []string
			for _, k := range c.offered {
				want = append(want, ssh.FingerprintSHA256(testSigner(k).PublicKey()))
			}
			if c.offered != nil && !slices.Equal(h.offered, want) {
				t.Errorf("offered %q, want %q", h.offered, want)
			}
		})
	}
}

func (c *Config) agent(socket string) {
	c.Getenv = func(name string) string { return map[string]string{"SSH_AUTH_SOCK": socket}[name] }
}

// TestPromptEnds: when the user gives up at a question, so does the login.
func TestPromptEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	c := testConfig(t)
	copyKey(t, c.Home+"/key", "one")
	c.IdentityFiles, c.ConfigFile = []string{c.Home + "/key"}, "none"
	c.Prompt = func(ctx context.Context, _ string, _ bool) (string, error) {
		cancel(errors.New("interrupt"))
		<-ctx.Done()
		return "", ctx.Err()
	}
	h := newHost(t, testSigner(testKey(7)), testKey(1))
	c.Port = h.port
	c.Options = []string{"UserKnownHostsFile=" + c.knownHostsFile()}
	c.knows(t, at(h.port, testKey(7)))
	if _, err := c.Dial(ctx, "127.0.0.1"); err == nil || !strings.HasSuffix(err.Error(), ": interrupt") {
		t.Errorf("got %v", err)
	}
}

// TestHangupAtLogin: a host that hangs up while it looks at a key has not refused it, and no other key is tried on it.
func TestHangupAtLogin(t *testing.T) {
	hostKey := testKey(7)
	var offered atomic.Int32
	port := listen(t, func(conn net.Conn) {
		config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
			offered.Add(1)
			conn.Close()
			return nil, errors.New("gone")
		}}
		config.AddHostKey(testSigner(hostKey))
		ssh.NewServerConn(conn, config)
	})
	config := testConfig(t)
	config.knows(t, at(port, hostKey))
	for i, name := range []string{"one", "two"} {
		writeKey(t, config.Home+"/.ssh/"+name, testKey(byte(i+1)))
		config.Options = append(config.Options, "IdentityFile="+config.Home+"/.ssh/"+name)
	}
	want := "127.0.0.1: the host closed the connection during the login of " + config.LocalUser + ": tried HOME/.ssh/one"
	if got := try(t, config, port); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := offered.Load(); n != 1 {
		t.Errorf("%d keys were offered", n)
	}
}
