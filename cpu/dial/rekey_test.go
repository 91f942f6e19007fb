package dial

import (
	"net"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestRekey: a key that was accepted stays so when keys are exchanged anew; nobody is asked again, and it is remembered once.
func TestRekey(t *testing.T) {
	hostKey := testSigner(testKey(1))
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.RekeyThreshold = 256 // bytes, the fewest there may be
	config.AddHostKey(hostKey)
	port := listen(t, func(conn net.Conn) {
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
	for _, strict := range []string{"ask", "accept-new"} {
		t.Run(strict, func(t *testing.T) {
			c := testConfig(t)
			a := &answers{left: []string{"yes"}}
			c.Prompt = a.prompt
			c.ConfigFile, c.Port = "none", port
			c.Options = []string{"UserKnownHostsFile=" + c.knownHostsFile(), "GlobalKnownHostsFile=none", "StrictHostKeyChecking=" + strict}
			client, err := c.Dial(t.Context(), "127.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			// The server answers nothing while keys are exchanged, so that each answer is proof that the exchange before it is over.
			for range 16 {
				if _, _, err := client.SendRequest("fill@test", true, make([]byte, 256)); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := readFile(t, c.knownHostsFile()), at(port, testKey(1)); got != want {
				t.Errorf("the list is %q, want %q", got, want)
			}
			if strict == "ask" && len(a.asked) != 1 {
				t.Errorf("asked %d times: %q", len(a.asked), a.asked)
			}
		})
	}
}

// TestRekeyOther: a host shows the same key as long as it is connected, even where another one is known of it as well.
func TestRekeyOther(t *testing.T) {
	one, other := testSigner(testKey(1)).PublicKey(), testSigner(testKey(2)).PublicKey()
	c := testConfig(t)
	c.knows(t, "board "+marshal(testKey(1)), "board "+marshal(testKey(2)))
	k, err := c.knownHosts(t.Context(), &Host{HostName: "board", Port: "22", Strict: "yes", UserKnownHosts: []string{c.knownHostsFile()}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []struct {
		key ssh.PublicKey
		ok  bool
	}{{one, true}, {one, true}, {other, false}} {
		if err := k.check("", nil, s.key); (err == nil) != s.ok {
			t.Errorf("%s: %v, want ok %v", ssh.FingerprintSHA256(s.key), err, s.ok)
		}
	}
}
