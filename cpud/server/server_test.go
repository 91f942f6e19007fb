//go:build linux

package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cpu/cpud/session"
	"cpu/ctlfs"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/p9"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
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
	log  *syncBuffer
	host ssh.PublicKey
}

// syncBuffer is a buffer for a log, which has many writers.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newRig starts a server that lets the rig's key in, with the options of authorized_keys given. Set changes its Config.
func newRig(t *testing.T, options string, set ...func(r *rig, c *Config)) *rig {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("ssh is not installed: apt install openssh-client")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{dir: t.TempDir(), user: me.Username, log: &syncBuffer{}}
	hostKey, err := HostKey(r.dir + "/hostkey")
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, "known_hosts", "servertest "+string(ssh.MarshalAuthorizedKey(hostKey.PublicKey())))
	r.write(t, "authorized", options+r.key(t, "key"))
	r.key(t, "wrong")

	r.host = hostKey.PublicKey()
	log := slog.New(slog.NewTextHandler(r.log, nil))
	table := session.NewTable(session.Config{Log: log})
	config := Config{HostKeys: []ssh.Signer{hostKey}, AuthorizedKeys: r.dir + "/authorized", Table: table, Log: log}
	for _, f := range set {
		f(r, &config)
	}
	s, err := New(config)
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

// add adds to a file.
func (r *rig) add(t *testing.T, name, text string) {
	t.Helper()
	old, err := os.ReadFile(r.dir + "/" + name)
	must(t, err)
	r.write(t, name, string(old)+text)
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

// TestStreams: standard input ends where the client's does, and output comes whole however slow its reader.
func TestStreams(t *testing.T) {
	r := newRig(t, "")
	data := bytes.Repeat([]byte("0123456789abcde\n"), 1<<18)
	c := r.ssh("key", "127.0.0.1", "cat; echo end >&2; sleep 0")
	c.Stdin = bytes.NewReader(data)
	stdout, stderr, status := run(t, c)
	if stdout != string(data) || stderr != "end\n" || status != 0 {
		t.Errorf("%d bytes came back of %d, %q, %d", len(stdout), len(data), stderr, status)
	}
	// A command that closes its input early does not keep ssh.
	c = r.ssh("key", "127.0.0.1", "exec <&-; echo done")
	c.Stdin = bytes.NewReader(data)
	if stdout, _, status := run(t, c); stdout != "done\n" || status != 0 {
		t.Errorf("got %q, %d", stdout, status)
	}
}

// TestLogin: who may not come in does not.
func TestLogin(t *testing.T) {
	r := newRig(t, "")
	for _, c := range []struct {
		name, user string
		key        string
		flags      []string
		says       string
		logged     string // a regular expression
	}{
		{"wrong key", r.user, "wrong", nil, "Permission denied", `msg="no login" from=127\.0\.0\.1:\d+ user=\S+ key="SHA256:\S+: \S+/authorized: the key is not there" err=`},
		{"unknown user", "no-such-user", "key", nil, "Permission denied", `msg="no login" \S+ user=no-such-user key="SHA256:\S+: user: unknown user no-such-user" err=`},
		{"old cipher", r.user, "key", []string{"-c", "aes128-cbc"}, "no matching cipher", `msg="no login"`},
		{"old exchange", r.user, "key", []string{"-o", "KexAlgorithms=diffie-hellman-group14-sha1"}, "no matching key exchange", `msg="no login"`},
		{"old mac", r.user, "key", []string{"-c", "aes128-ctr", "-m", "hmac-md5"}, "no matching MAC", `msg="no login"`},
		{"password", r.user, "wrong", []string{"-o", "PreferredAuthentications=password"}, "Permission denied (publickey)", `msg="no login"`},
	} {
		before := len(r.log.String())
		cmd := r.ssh(c.key, append(c.flags, "127.0.0.1", "true")...)
		cmd.Args = append([]string{cmd.Args[0], "-l", c.user}, cmd.Args[1:]...) // the first -l counts
		if _, stderr, status := run(t, cmd); status != 255 || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit status %d, %q, want %q", c.name, status, stderr, c.says)
		}
		if got := r.logged(t, before); !regexp.MustCompile(c.logged).MatchString(got) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: the log has %q, want %s", c.name, got, c.logged)
		}
	}
	before := len(r.log.String())
	must(t, r.ssh("key", "127.0.0.1", "true").Run())
	const who = `from=127\.0\.0\.1:\d+ user=\S+ key=SHA256:\S+\n`
	r.await(t, before, "event=ended")
	r.await(t, before, "end of connection")
	got := r.log.String()[before:]
	for _, want := range []string{"msg=login " + who, `msg="end of connection" ` + who, `msg=session number=\d+ user=\S+ event=ended from=127\.0\.0\.1:\d+ key=SHA256:\S+\n`} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("the log has %q, want %s", got, want)
		}
	}
}

// logged is what the log has got since, once it says that a connection has ended or never came about.
func (r *rig) logged(t *testing.T, since int) string {
	t.Helper()
	return r.await(t, since, "no login", "end of connection")
}

// await is what the log has got since, once it has one of the words.
func (r *rig) await(t *testing.T, since int, words ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for tick := time.Tick(time.Millisecond); ; {
		text := r.log.String()[since:]
		for _, w := range words {
			if strings.Contains(text, w) {
				return text
			}
		}
		select {
		case <-tick:
		case <-ctx.Done():
			t.Fatalf("the log has only %q", text)
		}
	}
}

// TestTries: after six keys a client is sent away.
func TestTries(t *testing.T) {
	r := newRig(t, "")
	var signers []ssh.Signer
	for range 7 {
		_, key, err := ed25519.GenerateKey(nil)
		must(t, err)
		s, err := ssh.NewSignerFromKey(key)
		must(t, err)
		signers = append(signers, s)
	}
	_, err := r.dial(append(signers, r.signer(t))...)
	if err == nil {
		t.Fatal("the eighth key was taken")
	}
	if got := r.logged(t, 0); strings.Count(got, "the key is not there") != 6 {
		t.Errorf("the log has %q, want six keys", got)
	}
}

// TestGrace: a client that says nothing is sent away.
func TestGrace(t *testing.T) {
	r := newRig(t, "", func(_ *rig, c *Config) { c.LoginGrace = time.Nanosecond })
	conn, err := net.Dial("tcp", "127.0.0.1:"+r.port)
	must(t, err)
	defer conn.Close()
	io.Copy(io.Discard, conn)
	if got := r.logged(t, 0); !strings.Contains(got, "the login took too long") {
		t.Errorf("the log has %q", got)
	}
}

func (r *rig) signer(t *testing.T) ssh.Signer {
	t.Helper()
	text, err := os.ReadFile(r.dir + "/key")
	must(t, err)
	s, err := ssh.ParsePrivateKey(text)
	must(t, err)
	return s
}

// dial logs in without ssh, for what that does not do.
func (r *rig) dial(signers ...ssh.Signer) (*ssh.Client, error) {
	return ssh.Dial("tcp", "127.0.0.1:"+r.port, &ssh.ClientConfig{User: r.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signers...)},
		HostKeyCallback: ssh.FixedHostKey(r.host)})
}

// TestRequests: signals, sizes of windows, keepalives, and requests that make no sense.
func TestRequests(t *testing.T) {
	r := newRig(t, "")
	client, err := r.dial(r.signer(t))
	must(t, err)
	defer client.Close()
	if ok, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err != nil || !ok {
		t.Errorf("keepalive: %v, %v", ok, err)
	}
	if _, _, err := client.OpenChannel("direct-tcpip", nil); err == nil {
		t.Error("a direct-tcpip channel was opened")
	}

	s, err := client.NewSession()
	must(t, err)
	for request, payload := range map[string][]byte{"exec": nil, "subsystem": {0, 0, 0, 9}, "pty-req": {1}, "env": {0}, "window-change": nil, "signal": nil,
		"break": {0, 0, 1, 244}, "no-such-request": nil} {
		if ok, err := s.SendRequest(request, true, payload); err != nil || ok {
			t.Errorf("%s %v: %v, %v", request, payload, ok, err)
		}
	}
	must(t, s.RequestPty("vt100", 30, 90, nil))
	out, err := s.StdoutPipe()
	must(t, err)
	screen := bufio.NewReader(out)
	must(t, s.Start("trap 'stty size' WINCH; trap 'echo hung up; exit 5' HUP; stty size; echo $TERM; while :; do sleep 0.1; done"))
	want := func(line string) {
		t.Helper()
		if got, err := screen.ReadString('\n'); got != line+"\r\n" {
			t.Fatalf("the screen has %q, %v; want %q", got, err, line)
		}
	}
	want("30 90")
	want("vt100")
	must(t, s.WindowChange(31, 91))
	want("31 91")
	if ok, err := s.SendRequest("break", true, []byte{0, 0, 1, 244}); err != nil || !ok {
		t.Errorf("break: %v, %v", ok, err)
	}
	must(t, s.Signal(ssh.SIGHUP))
	want("hung up")
	var exit *ssh.ExitError
	if err := s.Wait(); !errors.As(err, &exit) || exit.ExitStatus() != 5 {
		t.Errorf("got %v, want exit status 5", err)
	}

	s, err = client.NewSession()
	must(t, err)
	if err := s.Run("kill -USR1 $$"); !errors.As(err, &exit) || exit.Signal() != "USR1" {
		t.Errorf("got %v, want signal USR1", err)
	}
	s, err = client.NewSession()
	must(t, err)
	if ok, err := s.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{"cat"})); err != nil || !ok {
		t.Errorf("exec: %v, %v", ok, err)
	}
	if ok, err := s.SendRequest("shell", true, nil); err != nil || ok {
		t.Errorf("shell after exec: %v, %v", ok, err)
	}
	s.Close()
}

// TestClientGone: what a client ran ends with its connection.
func TestClientGone(t *testing.T) {
	r := newRig(t, "")
	client, err := r.dial(r.signer(t))
	must(t, err)
	s, err := client.NewSession()
	must(t, err)
	out, err := s.StdoutPipe()
	must(t, err)
	must(t, s.Start("echo $$; exec sleep 1000000"))
	text, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(text))
	must(t, err)
	fd, err := unix.PidfdOpen(pid, 0)
	must(t, err)
	defer unix.Close(fd)
	client.Conn.Close()
	const minute = 60_000
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, minute)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n != 1 {
			t.Errorf("process %d is still there: %d, %v", pid, n, err)
		}
		break
	}
	r.logged(t, 0)
}

// TestChannels: a connection has so many channels and no more.
func TestChannels(t *testing.T) {
	r := newRig(t, "")
	client, err := r.dial(r.signer(t))
	must(t, err)
	defer client.Close()
	for range DefaultMaxChannels {
		_, requests, err := client.OpenChannel("session", nil)
		must(t, err)
		go ssh.DiscardRequests(requests)
	}
	var refused *ssh.OpenChannelError
	if _, _, err := client.OpenChannel("session", nil); !errors.As(err, &refused) || refused.Reason != ssh.ResourceShortage {
		t.Errorf("got %v, want a refusal", err)
	}
}

// TestKeyEnvironment: environment= and no-pty hold for sessions that are driven by ctlfs as well.
func TestKeyEnvironment(t *testing.T) {
	r := newRig(t, `no-pty,environment="OF_THE_KEY=a b" `)
	if out, _, status := run(t, r.ssh("key", "127.0.0.1", `echo "$OF_THE_KEY"`)); out != "a b\n" || status != 0 {
		t.Errorf("ssh: got %q, %d", out, status)
	}
	client, err := r.dial(r.signer(t))
	must(t, err)
	defer client.Close()
	tree := r.control(t, client)
	remote, err := tree.New(t.Context())
	must(t, err)
	must(t, remote.SetArgs(t.Context(), []string{"sh", "-c", `echo "$OF_THE_KEY $MINE"`}))
	must(t, remote.SetEnv(t.Context(), []string{"OF_THE_KEY=mine", "MINE=c"}))
	must(t, remote.Start(t.Context()))
	stdout, err := remote.Stdout(t.Context())
	must(t, err)
	if out, err := io.ReadAll(stdout); err != nil || string(out) != "a b c\n" {
		t.Errorf("ctlfs: got %q, %v", out, err)
	}
	remote, err = tree.New(t.Context())
	must(t, err)
	if err := remote.Ctl(t.Context(), []string{"tty", "vt100", "24", "80"}); err == nil || !strings.Contains(err.Error(), "gives no terminal") {
		t.Errorf("a terminal: %v", err)
	}
}

// control is the control tree as a client sees it.
func (r *rig) control(t *testing.T, client *ssh.Client) *ctlfs.Client {
	t.Helper()
	return ctlfs.NewClient(r.open(t, client, "ctlfs"))
}

// open is the root of a subsystem's tree.
func (r *rig) open(t *testing.T, client *ssh.Client, subsystem string) p9.File {
	t.Helper()
	ch, requests, err := client.OpenChannel("session", nil)
	must(t, err)
	go ssh.DiscardRequests(requests)
	if ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{subsystem})); err != nil || !ok {
		t.Fatal(ok, err)
	}
	conn, err := ninep.NewClient(t.Context(), ch, ninep.ClientConfig{})
	must(t, err)
	root, err := conn.Attach(t.Context(), ninep.Attach{UID: p9.NoUID})
	must(t, err)
	return root
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
			if err := c.Wait(); err != nil {
				t.Errorf("after a clean end: %v", err)
			}
			client.Close()
			c = r.ssh("key", "-s", "127.0.0.1", name)
			c.Stdin = strings.NewReader("this is no 9P, by no means")
			if _, _, status := run(t, c); status != 1 {
				t.Errorf("exit status %d after what is no 9P, want 1", status)
			}
		})
	}
	for _, name := range []string{"sftp", "ctlfs x", "srv", "srv 99 term", "srv x term"} {
		if _, _, status := run(t, r.ssh("key", "-s", "127.0.0.1", name)); status == 0 {
			t.Errorf("subsystem %q was opened", name)
		}
	}
}
