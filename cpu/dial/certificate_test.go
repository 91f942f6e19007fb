package dial

import (
	"crypto/ed25519"
	"crypto/sha256"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// certify has ssh-keygen make the certificate of a key beside it, by an authority which is testKey(5).
func certify(t *testing.T, dir, key, principal string) {
	t.Helper()
	writeKey(t, dir+"/authority", testKey(5))
	out, err := exec.Command("ssh-keygen", "-q", "-s", dir+"/authority", "-I", "test", "-n", principal, "-V", "-1h:+1h", key+".pub").CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
}

// TestUserCertificate: an OpenSSH server that knows an authority alone lets in whom that has certified, however the certificate and its key
// are kept.
func TestUserCertificate(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed: apt install openssh-client")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	encrypted := func(t *testing.T, name string) { copyKey(t, name, "one") }
	plain := func(t *testing.T, name string) { writeKey(t, name, testKey(1)) }
	for _, c := range []struct {
		name      string
		key       func(t *testing.T, name string) // nil: the file is not there
		principal string
		moved     bool // the certificate is elsewhere
		agent     []any
		certAgent bool // and it has the certificate too
		options   []string
		answers   []string
		want      string // why it failed
	}{
		{name: "beside the key", key: plain},
		{name: "encrypted", key: encrypted, answers: []string{"secret"}},
		{name: "CertificateFile", key: plain, moved: true, options: []string{"CertificateFile=~/.ssh/moved"}},
		{name: "nobody says where", key: plain, moved: true, want: "permission denied"},
		{name: "the agent's key", agent: []any{testKey(1)}},
		{name: "the agent's key, which no file names", agent: []any{testKey(1)}, moved: true, options: []string{"CertificateFile=~/.ssh/moved", "IdentitiesOnly=yes"}},
		{name: "the agent's certificate", agent: []any{testKey(1)}, moved: true, certAgent: true},
		{name: "the agent's other certificate", agent: []any{testKey(1)}, moved: true, certAgent: true, options: []string{"IdentitiesOnly=yes"}, want: "permission denied"},
		{name: "of another user", key: plain, principal: "nobody-else", want: "permission denied"},
		{name: "not accepted here", key: plain, options: []string{"PubkeyAcceptedAlgorithms=ssh-ed25519"}, want: "is not among PubkeyAcceptedAlgorithms"},
		{name: "accepted here", key: plain, options: []string{"PubkeyAcceptedAlgorithms=ssh-ed25519-cert-v01@openssh.com"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := testConfig(t)
			config.LocalUser = me.Username
			key := config.Home + "/.ssh/id_ed25519"
			writeFile(t, key+".pub", marshal(testKey(1)))
			principal := me.Username
			if c.principal != "" {
				principal = c.principal
			}
			certify(t, config.Home, key, principal)
			cert := parsePublic([]byte(readFile(t, key+"-cert.pub"))).(*ssh.Certificate)
			if c.key != nil {
				c.key(t, key)
			}
			if c.moved {
				if err := os.Rename(key+"-cert.pub", config.Home+"/.ssh/moved"); err != nil {
					t.Fatal(err)
				}
			}
			if c.agent != nil {
				ring := agent.NewKeyring()
				add := agent.AddedKey{PrivateKey: testKey(1)}
				if c.certAgent {
					add.Certificate = cert
				}
				if err := ring.Add(add); err != nil {
					t.Fatal(err)
				}
				config.agent(serveRing(t, ring))
			}
			if c.answers != nil {
				config.Prompt = (&answers{left: c.answers}).prompt
			}
			command := sshd(t, config, testKey(8))
			writeFile(t, config.Home+"/authority.pub", marshal(testKey(5)))
			file := command[len(command)-1]
			writeFile(t, file, readFile(t, file)+"TrustedUserCAKeys "+config.Home+"/authority.pub\n")
			config.knows(t, "tested "+marshal(testKey(7)))
			config.Options = append([]string{"ProxyCommand=" + strings.Join(command, " "), "HostKeyAlias=tested"}, c.options...)
			writeFile(t, config.Home+"/.ssh/config", "")
			client, err := config.Dial(t.Context(), "board")
			if err != nil {
				if c.want == "" || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
				return
			}
			client.Close()
			if c.want != "" {
				t.Errorf("logged in, want %q", c.want)
			}
		})
	}
}

// serveRing serves an agent, and gives its socket.
func serveRing(t *testing.T, a agent.Agent) (socket string) {
	t.Helper()
	socket = t.TempDir() + "/agent"
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				agent.ServeAgent(a, c)
			}()
		}
	}()
	return socket
}

// taking is an agent that keeps what it was given.
type taking struct {
	agent.Agent
	taken []agent.AddedKey
}

func (a *taking) Add(key agent.AddedKey) error {
	a.taken = append(a.taken, key)
	return nil
}

// TestAddKeysToAgent: a key that has been used is handed to the agent, with the constraints that are configured.
func TestAddKeysToAgent(t *testing.T) {
	for _, c := range []struct {
		value   string
		answers []string
		taken   bool
		confirm bool
		time    time.Duration
	}{
		{value: "no", answers: []string{"secret"}},
		{value: "yes", answers: []string{"secret"}, taken: true},
		{value: "confirm", answers: []string{"secret"}, taken: true, confirm: true},
		{value: "90m", answers: []string{"secret"}, taken: true, time: 90 * time.Minute},
		{value: "confirm 30", answers: []string{"secret"}, taken: true, confirm: true, time: 30 * time.Second},
		{value: "ask", answers: []string{"secret", "yes"}, taken: true},
		{value: "ask", answers: []string{"secret", "no"}},
	} {
		t.Run(c.value, func(t *testing.T) {
			a := &taking{Agent: agent.NewKeyring()}
			config := testConfig(t)
			config.agent(serveRing(t, a))
			copyKey(t, config.Home+"/key", "one")
			config.IdentityFiles = []string{config.Home + "/key"}
			config.Options = []string{"AddKeysToAgent " + c.value}
			config.Prompt = (&answers{left: c.answers}).prompt
			h := newHost(t, testSigner(testKey(7)), testKey(1))
			config.knows(t, at(h.port, testKey(7)))
			if got := try(t, config, h.port); got != "" {
				t.Fatal(got)
			}
			if !c.taken {
				if len(a.taken) > 0 {
					t.Error("the agent has got the key")
				}
				return
			}
			if len(a.taken) != 1 {
				t.Fatalf("the agent has got %d keys", len(a.taken))
			}
			got := a.taken[0]
			if key, ok := got.PrivateKey.(*ed25519.PrivateKey); !ok || !key.Equal(testKey(1)) {
				t.Errorf("the agent has got %T", got.PrivateKey)
			}
			if got.ConfirmBeforeUse != c.confirm || got.LifetimeSecs != uint32(c.time.Seconds()) {
				t.Errorf("got confirm %v, lifetime %d", got.ConfirmBeforeUse, got.LifetimeSecs)
			}
		})
	}
}

// securityKey signs like a FIDO token with the key, which agents hold and files cannot.
type securityKey struct {
	agent.Agent
	key    ed25519.PrivateKey
	public ssh.PublicKey
}

const application = "ssh:"

func hash(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

func newSecurityKey(t *testing.T, key ed25519.PrivateKey) *securityKey {
	t.Helper()
	public, err := ssh.ParsePublicKey(ssh.Marshal(struct {
		Type        string
		Key         []byte
		Application string
	}{ssh.KeyAlgoSKED25519, key.Public().(ed25519.PublicKey), application}))
	if err != nil {
		t.Fatal(err)
	}
	return &securityKey{agent.NewKeyring(), key, public}
}

func (s *securityKey) List() ([]*agent.Key, error) {
	return []*agent.Key{{Format: s.public.Type(), Blob: s.public.Marshal(), Comment: "token"}}, nil
}

func (s *securityKey) Sign(_ ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	app, message := hash(application), hash(string(data))
	const present, counter = 1, 7
	signed := slices.Concat(app, []byte{present, 0, 0, 0, counter}, message)
	return &ssh.Signature{Format: ssh.KeyAlgoSKED25519, Blob: ed25519.Sign(s.key, signed), Rest: []byte{present, 0, 0, 0, counter}}, nil
}

// TestSecurityKey: a key of the agent's that only a security token can use.
func TestSecurityKey(t *testing.T) {
	token := newSecurityKey(t, testKey(4))
	config := testConfig(t)
	config.agent(serveRing(t, token))
	server := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if equal(key, token.public) {
			return nil, nil
		}
		return nil, io.EOF
	}}
	server.AddHostKey(testSigner(testKey(7)))
	port := listen(t, func(conn net.Conn) {
		c, channels, requests, err := ssh.NewServerConn(conn, server)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for n := range channels {
			n.Reject(ssh.Prohibited, "no")
		}
		c.Close()
	})
	config.knows(t, at(port, testKey(7)))
	if got := try(t, config, port); got != "" {
		t.Error(got)
	}
}

// TestAlgorithms: what lists, and + - ^ before them, come to.
func TestAlgorithms(t *testing.T) {
	all := []string{"a1", "a2", "b1", "b2", "old"}
	defaults := all[:4]
	for _, c := range []struct{ spec, want, unknown string }{
		{"b1,a1", "b1,a1", ""},
		{"b1,new,b1", "b1", "new"},
		{"+old", "a1,a2,b1,b2,old", ""},
		{"+new", "a1,a2,b1,b2", "new"},
		{"^b2,old", "b2,old,a1,a2,b1", ""},
		{"-a*,b2", "b1", ""},
		{"-*", "", ""},
		{"a?", "a1,a2", ""},
		{"new", "", "new"},
	} {
		got, unknown := assemble(c.spec, defaults, all)
		if strings.Join(got, ",") != c.want || strings.Join(unknown, ",") != c.unknown {
			t.Errorf("%s: %q, unknown %q", c.spec, got, unknown)
		}
	}
}
