package dial

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// sshd writes the configuration of an OpenSSH server that serves one connection on its standard input, and gives the command.
func sshd(t *testing.T, c *Config, letIn any) []string {
	t.Helper()
	const program = "/usr/sbin/sshd"
	if _, err := os.Stat(program); err != nil {
		t.Skip("sshd is not installed: apt install openssh-server")
	}
	if os.Getuid() == 0 {
		const separation = "/run/sshd"
		if err := os.Mkdir(separation, 0o755); err == nil {
			t.Cleanup(func() { os.Remove(separation) })
		}
	}
	dir := t.TempDir()
	writeKey(t, dir+"/hostkey", testKey(7))
	writeFile(t, dir+"/authorized", marshal(letIn))
	writeFile(t, dir+"/config", fmt.Sprintf("HostKey %s/hostkey\nAuthorizedKeysFile %s/authorized\nStrictModes no\nUsePAM no\nPidFile none\n", dir, dir))
	return []string{program, "-i", "-e", "-f", dir + "/config"}
}

// sshdPort runs one for each connection to a port.
func sshdPort(t *testing.T, c *Config, letIn any) string {
	args := sshd(t, c, letIn)
	return listen(t, func(conn net.Conn) {
		f, err := conn.(*net.TCPConn).File()
		if err != nil {
			return
		}
		defer f.Close()
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdin, cmd.Stdout = f, f
		cmd.Run() // what it made of the connection shows at the other end
	})
}

// whoami runs a command and gives what it says.
func whoami(t *testing.T, client *ssh.Client) string {
	t.Helper()
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Output("id -un")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestSSHD: an OpenSSH server by TCP, by a ProxyCommand, and through another one and both.
func TestSSHD(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, host, config string }{
		{"tcp", "127.0.0.1", "Host *\n\tPort PORT\n\tHostKeyAlias tested\n"},
		{"alias", "board", "Host board\n\tHostName 127.0.0.1\n\tPort PORT\nHost *\n\tHostKeyAlias tested\n"},
		{"ProxyCommand", "board", "Host board\n\tProxyCommand COMMAND\n\tHostKeyAlias tested\n"},
		{"ProxyJump", "board", "Host board\n\tHostName 127.0.0.1\n\tPort PORT\n\tProxyJump other:PORT\nHost other\n\tHostName 127.0.0.1\nHost *\n\tHostKeyAlias tested\n"},
		{"two jumps", "board", "Host board\n\tHostName 127.0.0.1\n\tPort PORT\n\tProxyJump first,other:PORT\nHost other\n\tHostName 127.0.0.1\nHost first\n\tProxyCommand COMMAND\n" +
			"Host *\n\tHostKeyAlias tested\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := testConfig(t)
			key := testKey(3)
			writeKey(t, config.Home+"/.ssh/id_ed25519", key)
			config.knows(t, "tested "+marshal(testKey(7)))
			text := strings.NewReplacer("PORT", sshdPort(t, config, key), "COMMAND", strings.Join(sshd(t, config, key), " ")).Replace(c.config)
			writeFile(t, config.Home+"/.ssh/config", text)
			client, err := config.Dial(t.Context(), c.host)
			if err != nil {
				t.Fatal(err)
			}
			if got := whoami(t, client); got != me.Username {
				t.Errorf("logged in as %q, want %q", got, me.Username)
			}
			client.Close()
		})
	}
}

// TestJumpCircle: hosts that are reached through each other are an error.
func TestJumpCircle(t *testing.T) {
	c := testConfig(t)
	writeFile(t, c.Home+"/.ssh/config", "Host a\n\tProxyJump b\nHost b\n\tProxyJump a\n")
	if _, err := c.Dial(t.Context(), "a"); err == nil || !strings.HasSuffix(err.Error(), "ProxyJump: more than 16 hosts, or a circle") {
		t.Errorf("got %v", err)
	}
}

// TestSSHAgent: OpenSSH's agent, with a key and a list that OpenSSH's tools made.
func TestSSHAgent(t *testing.T) {
	for _, program := range []string{"ssh-agent", "ssh-add", "ssh-keygen"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: apt install openssh-client", program)
		}
	}
	c := testConfig(t)
	socket := c.Home + "/agent"
	ssha := exec.Command("ssh-agent", "-D", "-a", socket)
	out, err := ssha.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := ssha.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ssha.Process.Kill()
		ssha.Wait()
	})
	// It says where it listens once it does.
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	tool := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	tool("ssh-keygen", "-q", "-t", "rsa", "-a", "1", "-N", "secret", "-f", c.Home+"/rsa")
	text, err := os.ReadFile(c.Home + "/rsa")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.ParseRawPrivateKeyWithPassphrase(text, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	writeKey(t, c.Home+"/plain", key)
	tool("ssh-add", "-q", c.Home+"/plain")
	os.Remove(c.Home + "/plain")

	c.Port = sshdPort(t, c, key)
	c.knows(t, at(c.Port, testKey(7)))
	tool("ssh-keygen", "-H", "-f", c.knownHostsFile())
	c.agent(socket)
	client, err := c.Dial(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	client.Close()

	// The same key from its file, with its passphrase.
	c.Getenv = nil
	c.IdentityFiles = []string{c.Home + "/rsa"}
	a := &answers{left: []string{"secret"}}
	c.Prompt = a.prompt
	client, err = c.Dial(t.Context(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	client.Close()

	// What ssh remembers is known here.
	c.knows(t)
	c.Options = []string{"StrictHostKeyChecking=accept-new"}
	if client, err = c.dialWith(t, "secret"); err != nil {
		t.Fatal(err)
	}
	client.Close()
	found := exec.Command("ssh-keygen", "-F", "[127.0.0.1]:"+c.Port, "-f", c.knownHostsFile())
	if out, err := found.CombinedOutput(); err != nil {
		t.Errorf("ssh-keygen does not find the host that was remembered: %v\n%s", err, out)
	}
}

func (c *Config) dialWith(t *testing.T, answer string) (*ssh.Client, error) {
	c.Prompt = (&answers{left: []string{answer}}).prompt
	return c.Dial(t.Context(), "127.0.0.1")
}

// TestNoDescriptorsLeft: a connection that was closed leaves nothing open, and no ProxyCommand behind.
func TestNoDescriptorsLeft(t *testing.T) {
	c := testConfig(t)
	conn, err := c.command("cat")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if p := conn.(*proxied).cmd.ProcessState; p == nil {
		t.Error("the command was not waited for")
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a closed connection can be read")
	}
}
