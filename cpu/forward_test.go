//go:build linux

package main_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// echo listens, and says to whoever connects what he has said, once he has said all.
func echo(t *testing.T, network, address string) string {
	t.Helper()
	l, err := net.Listen(network, address)
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
				said, _ := io.ReadAll(c)
				fmt.Fprintf(c, "said %s", said)
			}()
		}
	}()
	return l.Addr().String()
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

// forwarding is a cpu that forwards, and runs as long as the test or until end is called.
func (r *rig) forwarding(flags ...string) (log *lineLog, end func()) {
	r.t.Helper()
	c := r.terminal(append([]string{"-n", "none"}, flags...))
	log = newLineLog()
	c.Stderr = log
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { c.Wait(); log.close(); close(exited) }()
	end = func() { c.Process.Signal(os.Interrupt); <-exited }
	r.t.Cleanup(end)
	return log, end
}

// TestForward: -L and -R, to ports and to Unix sockets; all of it ends with the cpu that asked for it.
func TestForward(t *testing.T) {
	r := newRig(t)
	r.shares = true
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	port := echo(t, "tcp", "127.0.0.1:0")
	socket := r.dir + "/echo"
	echo(t, "unix", socket)
	// One that shares its connection, which what forwards does not use.
	_, endOther := r.running()
	log, end := r.forwarding("-N", "-L", r.dir+"/l1:"+port, "-L", r.dir+"/l2:"+socket, "-L", r.dir+"/l3:"+r.dir+"/none", "-L", "/none/s:/none",
		"-R", r.dir+"/r1:"+port, "-R", r.dir+"/r2:"+socket, "-R", "/none/s:/none", "-R", "0:"+port)
	m := log.find(regexp.MustCompile(`^Allocated port \d+ for remote forward to ` + port + `\n`))
	if m == "" {
		t.Fatalf("cpu said %q", log.text())
	}
	allocated := strings.Fields(m)[2]
	big := strings.Repeat("0123456789", 1<<18)
	for address, network := range map[string]string{r.dir + "/l1": "unix", r.dir + "/l2": "unix", r.dir + "/r1": "unix", r.dir + "/r2": "unix",
		"127.0.0.1:" + allocated: "tcp"} {
		if got, err := say(network, address, big); got != "said "+big || err != nil {
			t.Errorf("%s: %d bytes, %v", address, len(got), err)
		}
	}
	if got, _ := say("unix", r.dir+"/l3", ""); got != "" {
		t.Errorf("what leads nowhere says %q", got)
	}
	for _, failed := range []string{"^cpu: -L /none/s: ", "^cpu: -R /none/s: the server refuses to listen there\n"} {
		if log.find(regexp.MustCompile(failed)) == "" {
			t.Errorf("nothing is said of %s", failed)
		}
	}
	if n := r.logins(); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
	end()
	endOther()
	for _, path := range []string{"/l1", "/l2", "/l3", "/r1", "/r2"} {
		for {
			if _, err := os.Lstat(r.dir + path); errors.Is(err, os.ErrNotExist) {
				break
			}
		}
	}
	if c, err := net.Dial("tcp", "127.0.0.1:"+allocated); err == nil {
		c.Close()
		t.Error("the port is still there")
	}
}

// TestForwardOnRequest: -D, and -R with a port alone, lead to where clients of SOCKS ask, in each of its versions; from the server only where
// PermitRemoteOpen lets them.
func TestForwardOnRequest(t *testing.T) {
	needs(t, "curl", "curl")
	r := newRig(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "served") }))
	defer web.Close()
	_, port, _ := net.SplitHostPort(web.Listener.Addr().String())
	allocated := func(log *lineLog) string {
		t.Helper()
		m := log.find(regexp.MustCompile(`^Allocated port \d+ for remote forward to socks\n`))
		if m == "" {
			t.Fatalf("cpu said %q", log.text())
		}
		return "127.0.0.1:" + strings.Fields(m)[2]
	}
	log, _ := r.forwarding("-N", "-D", r.dir+"/here", "-o", "DynamicForward="+r.dir+"/configured", "-R", "0")
	limited, endLimited := r.forwarding("-v", "-N", "-R", "0", "-o", "PermitRemoteOpen=127.0.0.1:"+port)
	there, fewer := allocated(log), allocated(limited)
	for _, c := range []struct{ proxy, host, want string }{
		{"socks4://localhost" + r.dir + "/here", "127.0.0.1:" + port, "served"},
		{"socks4a://localhost" + r.dir + "/here", "localhost:" + port, "served"},
		{"socks5://localhost" + r.dir + "/here", "127.0.0.1:" + port, "served"},
		{"socks5h://localhost" + r.dir + "/here", "localhost:" + port, "served"},
		{"socks5h://localhost" + r.dir + "/configured", "localhost:" + port, "served"},
		{"socks5h://localhost" + r.dir + "/here", "no.such.host.invalid:" + port, ""},
		{"socks4a://" + there, "localhost:" + port, "served"},
		{"socks5h://" + there, "localhost:" + port, "served"},
		{"socks5h://" + there, "no.such.host.invalid:" + port, ""},
		{"socks5h://" + fewer, "127.0.0.1:" + port, "served"},
		{"socks5h://" + fewer, "localhost:" + port, ""},
	} {
		stdout, stderr, status := run(t, exec.Command("curl", "-q", "-sS", "-x", c.proxy, "http://"+c.host))
		if stdout != c.want || (status == 0) != (c.want != "") {
			t.Errorf("%s by %s: %q, exit status %d\n%s", c.host, c.proxy, stdout, status, stderr)
		}
	}
	endLimited()
	if !strings.Contains(limited.text(), "not permitted by PermitRemoteOpen") {
		t.Errorf("what is not permitted is not said: %q", limited.text())
	}
}

// TestForwardAgent: -A lets the command use the agent, and nothing else does.
func TestForwardAgent(t *testing.T) {
	needs(t, "ssh-agent", "openssh-client")
	r := newRig(t)
	agent := r.keys + "/agent"
	daemon := exec.Command("ssh-agent", "-D", "-a", agent)
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { daemon.Process.Kill(); daemon.Wait() }()
	for {
		if c, err := net.Dial("unix", agent); err == nil {
			c.Close()
			break
		}
	}
	add := exec.Command("ssh-add", "-q", r.keys+"/hostkey")
	add.Env = append(os.Environ(), "SSH_AUTH_SOCK="+agent)
	must(t, add)
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{[]string{"-A"}, "/srv/ssh-agent 1\n"},
		{nil, "0\n"},
		{[]string{"-A", "-a"}, "0\n"},
	} {
		cpu := r.terminal(append([]string{"-n", "default"}, c.flags...), "sh", "-c", "echo $SSH_AUTH_SOCK $(ssh-add -l 2>/dev/null | grep -c ED25519)")
		cpu.Args[slices.Index(cpu.Args, "IdentityAgent=none")] = "IdentityAgent=" + agent
		if got := must(t, cpu); got != c.want {
			t.Errorf("%v: %q, want %q", c.flags, got, c.want)
		}
	}
}
