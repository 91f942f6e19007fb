package dial

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
)

// testKey makes the same key of the same number.
func testKey(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

func testSigner(key any) ssh.Signer {
	s, err := ssh.NewSignerFromKey(key)
	if err != nil {
		panic(err)
	}
	return s
}

// marshal is a key's public half as authorized_keys has it.
func marshal(key any) string { return string(ssh.MarshalAuthorizedKey(testSigner(key).PublicKey())) }

// writeKey writes a private key.
func writeKey(t *testing.T, name string, key any) {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, name, string(pem.EncodeToMemory(block)))
}

// copyKey writes one of the encrypted keys of testdata, made with `ssh-keygen -a 1` because more rounds take long: one is
// testKey(1), and one-other the same with the passphrase other; for the rest it is secret.
func copyKey(t *testing.T, name, key string) {
	t.Helper()
	text, err := os.ReadFile("testdata/keys/" + key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, name, string(text))
}

// A host is an SSH server in this process that lets some keys in.
type host struct {
	port string

	mu      sync.Mutex
	offered []string // fingerprints of the keys that were offered, in order
}

// newHost starts one with a host key; its end is the test's cleanup.
func newHost(t *testing.T, hostKey ssh.Signer, letIn ...any) *host {
	t.Helper()
	h := &host{}
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.offered = append(h.offered, ssh.FingerprintSHA256(key))
		if slices.ContainsFunc(letIn, func(k any) bool { return equal(testSigner(k).PublicKey(), key) }) {
			return nil, nil
		}
		return nil, errors.New("no")
	}}
	config.AddHostKey(hostKey)
	h.port = listen(t, func(conn net.Conn) {
		c, channels, requests, err := ssh.NewServerConn(conn, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for n := range channels {
			n.Reject(ssh.Prohibited, "no")
		}
		c.Close()
	})
	return h
}

// listen serves each connection to a free port of the loopback.
func listen(t *testing.T, serve func(net.Conn)) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			served.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		served.Wait()
	})
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// answers is a Prompt that gives one answer after the other, and keeps the questions.
type answers struct {
	left  []string
	asked []string
}

func (a *answers) prompt(_ context.Context, question string, _ bool) (string, error) {
	a.asked = append(a.asked, question)
	if len(a.left) == 0 {
		return "", errors.New("no more answers")
	}
	answer := a.left[0]
	a.left = a.left[1:]
	return answer, nil
}

// knows writes the user's list of known hosts.
func (c *Config) knows(t *testing.T, lines ...string) {
	t.Helper()
	writeFile(t, c.knownHostsFile(), strings.Join(lines, ""))
}

func (c *Config) knownHostsFile() string { return filepath.Join(c.Home, ".ssh", "known_hosts") }

// try dials a host of the loopback, and gives why it failed, "" if it did not.
func try(t *testing.T, c *Config, port string) string {
	t.Helper()
	c.ConfigFile, c.Port = "none", port
	c.Options = append(c.Options, "UserKnownHostsFile="+c.knownHostsFile(), "GlobalKnownHostsFile=none")
	client, err := c.Dial(t.Context(), "127.0.0.1")
	if err != nil {
		return strings.ReplaceAll(strings.ReplaceAll(err.Error(), c.Home, "HOME"), port, "PORT")
	}
	client.Close()
	return ""
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// at is a line of known_hosts for a host of the loopback.
func at(port string, key any) string { return fmt.Sprintf("[127.0.0.1]:%s %s", port, marshal(key)) }
