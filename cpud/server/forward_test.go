//go:build linux

package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// echo listens, and says to whoever connects what he has said, once he has said all.
func echo(t *testing.T, network, address string) net.Addr {
	t.Helper()
	l, err := net.Listen(network, address)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				said, _ := io.ReadAll(c)
				fmt.Fprintf(c, "said %s", said)
			}()
		}
	}()
	return l.Addr()
}

// say connects to what may be an echo.
func say(network, address, words string) (string, error) {
	c, err := net.Dial(network, address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, words); err != nil {
		return "", err
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return "", err
	}
	said, err := io.ReadAll(c)
	return string(said), err
}

// started starts stock ssh, which runs no command, and gives what it says when it forwards.
func started(t *testing.T, c *exec.Cmd) *bufio.Reader {
	t.Helper()
	c.Args = append(c.Args, "127.0.0.1", "echo up; cat")
	in, err := c.StdinPipe()
	must(t, err)
	out, err := c.StdoutPipe()
	must(t, err)
	errs, err := c.StderrPipe()
	must(t, err)
	must(t, c.Start())
	t.Cleanup(func() { in.Close(); c.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "up\n" {
		said, _ := io.ReadAll(errs)
		t.Fatalf("ssh said %q, %v: %s", line, err, said)
	}
	return bufio.NewReader(errs)
}

// TestForward: -L, -R and -W of stock ssh, to ports and to Unix sockets.
func TestForward(t *testing.T) {
	r := newRig(t, "")
	port := echo(t, "tcp", "127.0.0.1:0").String()
	socket := r.dir + "/echo"
	echo(t, "unix", socket)
	c := r.ssh("key", "-W", port, "127.0.0.1")
	c.Stdin = strings.NewReader("hello")
	if out, errs, status := run(t, c); out != "said hello" || status != 0 {
		t.Errorf("-W: %q, %q, %d", out, errs, status)
	}
	big := strings.Repeat("0123456789", 1<<18)
	errs := started(t, r.ssh("key", "-L", r.dir+"/l1:"+port, "-L", r.dir+"/l2:"+socket, "-R", r.dir+"/r1:"+port, "-R", "0:"+socket,
		"-L", r.dir+"/l3:127.0.0.1:1", "-L", r.dir+"/l4:"+r.dir+"/none"))
	for _, path := range []string{"/l1", "/l2", "/r1"} {
		if got, err := say("unix", r.dir+path, big); got != "said "+big || err != nil {
			t.Errorf("%s: %d bytes, %v", path, len(got), err)
		}
	}
	for _, path := range []string{"/l3", "/l4"} {
		if got, _ := say("unix", r.dir+path, ""); got != "" {
			t.Errorf("%s: %q", path, got)
		}
	}
	line, err := errs.ReadString('\n')
	m := regexp.MustCompile(`Allocated port (\d+) `).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("ssh said %q, %v", line, err)
	}
	if got, err := say("tcp", "127.0.0.1:"+m[1], "hello"); got != "said hello" || err != nil {
		t.Errorf("-R: %q, %v", got, err)
	}
	info, err := os.Lstat(r.dir + "/r1")
	must(t, err)
	if info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket's mode is %v", info.Mode())
	}
}

// forwardTo asks for a port that leads to the client.
func forwardTo(client *ssh.Client, address string, port uint32) (uint32, bool) {
	ok, answer, err := client.SendRequest("tcpip-forward", true, ssh.Marshal(tcpForward{address, port}))
	var m struct{ Port uint32 }
	if err != nil || !ok || port == 0 && ssh.Unmarshal(answer, &m) != nil {
		return 0, false
	}
	return m.Port, true
}

// TestListening: where the server listens for a client, how that is taken back, and that it ends with the connection.
func TestListening(t *testing.T) {
	for _, gateway := range []bool{false, true} {
		r := newRig(t, "", func(_ *rig, c *Config) { c.GatewayPorts = gateway })
		client, err := r.dial(r.signer(t))
		must(t, err)
		path := r.dir + "/socket"
		if ok, _, err := client.SendRequest("streamlocal-forward@openssh.com", true, ssh.Marshal(unixForward{path})); !ok || err != nil {
			t.Errorf("a socket: %v, %v", ok, err)
		}
		if ok, _, _ := client.SendRequest("streamlocal-forward@openssh.com", true, ssh.Marshal(unixForward{path})); ok {
			t.Error("a socket that is there was made again")
		}
		for _, address := range []string{"", "127.0.0.1", "localhost", "0.0.0.0", "*"} {
			port, ok := forwardTo(client, address, 0)
			if !ok {
				t.Errorf("%q: not listening", address)
				continue
			}
			want := gateway && address != "localhost" && address != "127.0.0.1"
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.2:%d", port))
			if err == nil {
				c.Close()
			}
			if (err == nil) != want {
				t.Errorf("%q: beyond 127.0.0.1: %v, want %v", address, err, want)
			}
			if _, ok := forwardTo(client, address, port); ok {
				t.Errorf("%q: the port was given twice", address)
			}
			if ok, _, err := client.SendRequest("cancel-tcpip-forward", true, ssh.Marshal(tcpForward{address, port})); !ok || err != nil {
				t.Errorf("%q: taken back: %v, %v", address, ok, err)
			}
			if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
				c.Close()
				t.Errorf("%q: still listening", address)
			}
		}
		for _, request := range []string{"tcpip-forward", "cancel-tcpip-forward", "streamlocal-forward@openssh.com", "cancel-streamlocal-forward@openssh.com"} {
			for _, payload := range [][]byte{nil, {0, 0, 0, 9}, ssh.Marshal(tcpForward{"", 1 << 16})} {
				if ok, _, err := client.SendRequest(request, true, payload); ok || err != nil {
					t.Errorf("%s %v: %v, %v", request, payload, ok, err)
				}
			}
		}
		n := 0
		for n <= maxListening {
			if _, ok := forwardTo(client, "127.0.0.1", 0); !ok {
				break
			}
			n++
		}
		if n != maxListening-1 { // and the socket
			t.Errorf("%d ports", n)
		}
		if client.Close(); r.logged(t, 0) == "" {
			t.Error("nothing in the log")
		}
		for {
			if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
				break
			}
		}
	}
}

// TestForwardRights: what the options of a key say about forwarding.
func TestForwardRights(t *testing.T) {
	port := echo(t, "tcp", "127.0.0.1:0").(*net.TCPAddr).Port
	for _, c := range []struct {
		options            string
		open, listen, unix bool
	}{
		{"", true, true, true},
		{"no-port-forwarding ", false, false, false},
		{"restrict ", false, false, false},
		{"restrict,port-forwarding ", true, true, true},
		{fmt.Sprintf(`permitopen="127.0.0.1:%d" `, port), true, true, false},
		{`permitopen="127.0.0.1:*" `, true, true, false},
		{`permitopen="127.0.0.1:1",permitopen="other:*" `, false, true, false},
		{`permitlisten="127.0.0.?:*" `, true, true, false},
		{`permitlisten="localhost:*" `, true, false, false},
		{`permitlisten="1" `, true, false, false},
		{fmt.Sprintf(`restrict,permitopen="127.0.0.1:%d" `, port), false, false, false},
	} {
		r := newRig(t, c.options)
		echo(t, "unix", r.dir+"/echo")
		client, err := r.dial(r.signer(t))
		must(t, err)
		conn, err := client.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
		}
		if (err == nil) != c.open {
			t.Errorf("%s: opened: %v, want %v", c.options, err, c.open)
		}
		if conn, err = client.Dial("unix", r.dir+"/echo"); err == nil {
			conn.Close()
		}
		if (err == nil) != c.unix {
			t.Errorf("%s: opened a socket: %v, want %v", c.options, err, c.unix)
		}
		if _, ok := forwardTo(client, "127.0.0.1", 0); ok != c.listen {
			t.Errorf("%s: listening: %v, want %v", c.options, ok, c.listen)
		}
		client.Close()
	}
}

// TestAgent: stock ssh's -A, and what keeps it away.
func TestAgent(t *testing.T) {
	if _, err := exec.LookPath("ssh-agent"); err != nil {
		t.Skip("ssh-agent is not installed: apt install openssh-client")
	}
	for options, want := range map[string]bool{"": true, "no-agent-forwarding ": false, "restrict ": false, "restrict,agent-forwarding ": true} {
		r := newRig(t, options)
		agent := r.dir + "/agent"
		daemon := exec.Command("ssh-agent", "-D", "-a", agent)
		must(t, daemon.Start())
		for {
			if c, err := net.Dial("unix", agent); err == nil {
				c.Close()
				break
			}
		}
		add := exec.Command("ssh-add", "-q", r.dir+"/wrong")
		add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+agent)
		if out, err := add.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for flag, forwarded := range map[string]bool{"-A": want, "-a": false} {
			c := r.ssh("key", flag, "127.0.0.1", "ssh-add -l")
			c.Env = add.Env
			out, errs, status := run(t, c)
			if (status == 0 && strings.Contains(out, "ED25519")) != forwarded {
				t.Errorf("%q %s: %q, %q, %d; want %v", options, flag, out, errs, status, forwarded)
			}
		}
		daemon.Process.Kill()
		daemon.Wait()
	}
}
