//go:build linux

package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"strings"
	"testing"

	"cpu/cpud/session"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/p9"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) {
	Main()
	os.Exit(m.Run())
}

// A rig is a server on the loopback and what stock ssh needs to reach it.
type rig struct {
	dir  string
	port string
	user string
}

func newRig(t *testing.T, options string) *rig {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("ssh is not installed: apt install openssh-client")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{dir: t.TempDir(), user: me.Username}
	hostKey, err := HostKey(r.dir + "/hostkey")
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, "known_hosts", "servertest "+string(ssh.MarshalAuthorizedKey(hostKey.PublicKey())))
	r.write(t, "authorized", options+r.key(t, "key"))
	r.key(t, "wrong")

	table := session.NewTable(session.Config{})
	s, err := New(Config{HostKeys: []ssh.Signer{hostKey}, AuthorizedKeys: r.dir + "/authorized", Table: table})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, r.port, _ = net.SplitHostPort(l.Addr().String())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, table.Close()); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(r.dir+"/"+name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// key makes a key and gives its line.
func (r *rig) key(t *testing.T, name string) string {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(priv, "")
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, name, string(pem.EncodeToMemory(block)))
	public, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(public))
}

// ssh is stock ssh to the server.
func (r *rig) ssh(key string, args ...string) *exec.Cmd {
	return exec.Command("ssh", append([]string{"-F", "none", "-p", r.port, "-i", r.dir + "/" + key, "-l", r.user, "-o", "IdentitiesOnly=yes",
		"-o", "BatchMode=yes", "-o", "HostKeyAlias=servertest", "-o", "UserKnownHostsFile=" + r.dir + "/known_hosts"}, args...)...)
}

// run gives what a command wrote and its exit status.
func run(t *testing.T, c *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// TestStockSSH: a stock ssh runs commands, with its streams, statuses, signals and terminals.
func TestStockSSH(t *testing.T) {
	r := newRig(t, "")
	for _, c := range []struct {
		name   string
		flags  []string
		cmd    string
		stdin  string
		stdout string
		stderr string
		status int
	}{
		{"output", nil, "echo out; echo err >&2", "", "out\n", "err\n", 0},
		{"status", nil, "exit 3", "", "", "", 3},
		{"input", nil, "wc -c", "12345", "5\n", "", 0},
		{"signal", nil, "kill -TERM $$", "", "", "", 255},
		{"no command", nil, "no-such-command", "", "", "no-such-command", 127},
		{"no terminal", nil, "test -t 0", "", "", "", 1},
		{"terminal", []string{"-tt"}, "test -t 0 && test -t 1", "", "", "", 0},
		{"environment", []string{"-o", "SetEnv=LC_TEST=x", "-o", "SetEnv=LD_PRELOAD=y"}, "echo $LC_TEST$LD_PRELOAD", "", "x\n", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := r.ssh("key", append(c.flags, "127.0.0.1", c.cmd)...)
			cmd.Stdin = strings.NewReader(c.stdin)
			stdout, stderr, status := run(t, cmd)
			if stdout != c.stdout || !strings.Contains(stderr, c.stderr) || status != c.status {
				t.Errorf("got %q, %q, %d; want %q, %q, %d", stdout, stderr, status, c.stdout, c.stderr, c.status)
			}
		})
	}
}

// TestLogin: who may not come in does not.
func TestLogin(t *testing.T) {
	r := newRig(t, "")
	for name, c := range map[string]*exec.Cmd{
		"wrong key":    r.ssh("wrong", "127.0.0.1", "true"),
		"unknown user": r.ssh("key", "-l", "no-such-user", "127.0.0.1", "true"),
		"old cipher":   r.ssh("key", "-c", "aes128-cbc", "127.0.0.1", "true"),
		"old exchange": r.ssh("key", "-o", "KexAlgorithms=diffie-hellman-group14-sha1", "127.0.0.1", "true"),
	} {
		if name == "unknown user" { // the first -l counts
			c.Args = append(c.Args[:1], append([]string{"-l", "no-such-user"}, c.Args[1:]...)...)
		}
		if _, stderr, status := run(t, c); status != 255 || stderr == "" {
			t.Errorf("%s: exit status %d, %q", name, status, stderr)
		}
	}
}

// TestForcedCommand: a key with command= runs that and nothing else.
func TestForcedCommand(t *testing.T) {
	r := newRig(t, `restrict,command="echo forced; echo $SSH_ORIGINAL_COMMAND" `)
	if out, stderr, status := run(t, r.ssh("key", "127.0.0.1", "echo mine")); out != "forced\necho mine\n" || status != 0 {
		t.Errorf("got %q, %q, %d", out, stderr, status)
	}
	if _, _, status := run(t, r.ssh("key", "-s", "127.0.0.1", "ctlfs")); status == 0 {
		t.Error("a key with a forced command opened ctlfs")
	}
	if out, _, status := run(t, r.ssh("key", "-tt", "127.0.0.1", "test -t 0")); status == 0 && strings.Contains(out, "tty") {
		t.Error("restrict gave a terminal")
	}
}

// stdioConn is the standard input and output of a process.
type stdioConn struct {
	io.Reader
	io.WriteCloser
}

// TestSubsystems: ssh -s carries raw 9P.
func TestSubsystems(t *testing.T) {
	r := newRig(t, "")
	for name, path := range map[string][]string{"ctlfs": {"ctl"}, "exportfs": strings.Split(strings.Trim(r.dir, "/")+"/known_hosts", "/")} {
		t.Run(name, func(t *testing.T) {
			c := r.ssh("key", "-s", "127.0.0.1", name)
			in, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := c.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			ctx := context.Background()
			client, err := ninep.NewClient(ctx, stdioConn{out, in}, ninep.ClientConfig{})
			if err != nil {
				t.Fatal(err)
			}
			root, err := client.Attach(ctx, ninep.Attach{UID: p9.NoUID})
			if err != nil {
				t.Fatal(err)
			}
			_, f, err := root.Walk(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := f.Open(p9.ReadOnly); err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 1000)
			n, err := f.ReadAt(p, 0)
			if err != nil && err != io.EOF {
				t.Fatal(err)
			}
			want := "version "
			if name == "exportfs" {
				want = "servertest ssh-ed25519 "
			}
			if !strings.HasPrefix(string(p[:n]), want) {
				t.Errorf("read %q, want %q at its beginning", p[:n], want)
			}
			in.Close()
			c.Wait()
			client.Close()
		})
	}
	for _, name := range []string{"sftp", "ctlfs x", "srv", "srv 99 term", "srv x term"} {
		if _, _, status := run(t, r.ssh("key", "-s", "127.0.0.1", name)); status == 0 {
			t.Errorf("subsystem %q was opened", name)
		}
	}
}
