package dial

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestBindAddress: the connection comes from the address that is configured.
func TestBindAddress(t *testing.T) {
	from := make(chan string, 1)
	port := listen(t, func(conn net.Conn) {
		host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
		from <- host
	})
	c := testConfig(t)
	c.Options = []string{"BindAddress=127.0.0.1"}
	try(t, c, port) // nobody answers
	if got := <-from; got != "127.0.0.1" {
		t.Errorf("it comes from %s", got)
	}
	c.Options = []string{"BindAddress=nowhere.invalid"}
	if got := try(t, c, port); !strings.Contains(got, "bind address") {
		t.Errorf("got %q", got)
	}
}

// onRecord is a handler that calls a function for each record.
type onRecord struct {
	slog.Handler
	do func(slog.Record)
}

func (h onRecord) Enabled(context.Context, slog.Level) bool { return true }

func (h onRecord) Handle(_ context.Context, r slog.Record) error {
	h.do(r)
	return nil
}

// TestConnectionAttempts: a host that is not there the first time is tried again.
func TestConnectionAttempts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	reached := make(chan bool, 1)
	c := testConfig(t)
	c.Options = []string{"ConnectionAttempts=3"}
	failed := 0
	c.Log = slog.New(onRecord{slog.DiscardHandler, func(r slog.Record) {
		if r.Message != "no connection" {
			return
		}
		if failed++; failed > 1 {
			return
		}
		again, err := net.Listen("tcp", address)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { again.Close() })
		go func() {
			if conn, err := again.Accept(); err == nil {
				conn.Close()
				reached <- true
			}
		}()
	}})
	if got := try(t, c, port); !strings.Contains(got, "before it said who it is") {
		t.Fatalf("got %q", got)
	}
	<-reached
	if failed != 1 {
		t.Errorf("%d attempts failed", failed)
	}
}

// TestRevokedHostKeys: a key of the file is not taken, though it is known; and neither is any if the file cannot be read.
func TestRevokedHostKeys(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed: apt install openssh-client")
	}
	user, authority := testKey(9), testKey(5)
	signer := testSigner(testKey(1))
	cert := &ssh.Certificate{Key: signer.PublicKey(), Serial: 7, CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, testSigner(authority)); err != nil {
		t.Fatal(err)
	}
	certified, err := ssh.NewCertSigner(cert, signer)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, words, want string }{
		{text: "# old ones\n" + marshal(testKey(1)), want: "is revoked: HOME/revoked"},
		{text: marshal(testKey(2))},
		{text: "SSHKRL\n\x00", want: "ends too early"},
		{text: "ssh-ed25519 AAAA\n", want: "HOME/revoked: 1: not a public key"},
		{words: "key: " + marshal(testKey(1)), want: "is revoked: HOME/revoked"},
		{words: "key: " + marshal(authority), want: "is revoked: HOME/revoked"},
		{words: "serial: 1-7", want: "is revoked: HOME/revoked"},
		{words: "serial: 8"},
	} {
		h := newHost(t, certified, user)
		config := testConfig(t)
		writeKey(t, config.Home+"/key", user)
		if c.words == "" {
			writeFile(t, config.Home+"/revoked", c.text)
		} else {
			writeFile(t, config.Home+"/words", c.words)
			writeFile(t, config.Home+"/authority", marshal(authority))
			out, err := exec.Command("ssh-keygen", "-q", "-k", "-f", config.Home+"/revoked", "-s", config.Home+"/authority", config.Home+"/words").CombinedOutput()
			if err != nil {
				t.Fatalf("ssh-keygen: %v\n%s", err, out)
			}
		}
		config.IdentityFiles = []string{config.Home + "/key"}
		config.Options = []string{"RevokedHostKeys=%d/revoked"}
		config.knows(t, "@cert-authority * "+marshal(authority))
		if got := try(t, config, h.port); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q: got %q, want %q", c.text+c.words, got, c.want)
		}
	}
}
