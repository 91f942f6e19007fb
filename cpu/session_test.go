//go:build linux

package main_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// TestStatus: the command's exit status is cpu's.
func TestStatus(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"true"}, 0},
		{[]string{"false"}, 1},
		{[]string{"sh", "-c", "exit 3"}, 3},
		{[]string{"sh", "-c", "kill -KILL $$"}, 128 + 9},
		{[]string{"sh", "-c", "kill -TERM $$"}, 128 + 15},
		{[]string{"exit 4 | exit 5"}, 5}, // one argument for the shell
	} {
		for _, tty := range []string{"-T", "-t"} {
			if _, stderr, got := run(t, r.terminal([]string{tty}, c.args...)); got != c.want {
				t.Errorf("cpu %s %q: exit status %d, want %d\n%s", tty, c.args, got, c.want, stderr)
			}
		}
	}
}

// TestStreams: standard output and error stay apart, and all bytes come through, the last ones before cpu ends.
func TestStreams(t *testing.T) {
	r := newRig(t)
	stdout, stderr, status := run(t, r.terminal(nil, "sh", "-c", `printf 'a\000b\r\n'; printf c >&2`))
	if stdout != "a\x00b\r\n" || stderr != "c" || status != 0 {
		t.Errorf("got %q, %q, %d", stdout, stderr, status)
	}

	data := make([]byte, 50<<20)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	c := r.terminal(nil, "cat")
	c.Stdin = bytes.NewReader(data)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// A reader that takes a little, and then nothing until cpud has seen a whole other session come and go.
	sum := sha256.New()
	if _, err := io.CopyN(sum, out, 1000); err != nil {
		t.Fatal(err)
	}
	must(t, r.terminal(nil, "true"))
	if _, err := io.Copy(sum, out); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256(data); !bytes.Equal(sum.Sum(nil), want[:]) {
		t.Error("50 MB through cat are not what they were")
	}
}

// TestPipe: cpu a ls | cpu b wc ends, and so does a writer whose reader has gone.
func TestPipe(t *testing.T) {
	r := newRig(t)
	write(t, r.dir+"/one", nil, 0o644)
	write(t, r.dir+"/two", nil, 0o644)
	ls, wc := r.terminal(nil, "ls"), r.terminal(nil, "wc", "-l")
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	ls.Stdout, wc.Stdin = pw, pr
	if err := ls.Start(); err != nil {
		t.Fatal(err)
	}
	pw.Close()
	if got := must(t, wc); strings.TrimSpace(got) != "2" {
		t.Errorf("wc counted %q lines, want 2", got)
	}
	pr.Close()
	if err := ls.Wait(); err != nil {
		t.Error(err)
	}

	yes := r.terminal(nil, "yes")
	out, err := yes.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := yes.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, out, 10); err != nil {
		t.Fatal(err)
	}
	out.Close()
	yes.Wait() // that it ends is what is asked; how, is the shell's business
}

// TestFiles: a file that the command writes is here when cpu ends, in the directory where cpu was started.
func TestFiles(t *testing.T) {
	r := newRig(t)
	write(t, r.dir+"/in", []byte("from the terminal\n"), 0o640)
	must(t, r.terminal(nil, "sh", "-ec", "tr a-z A-Z <in >out && mkdir d && mv out d/out && ln -s d/out link && cat link"))
	checkFile(t, r.dir+"/d/out", "FROM THE TERMINAL\n")
	if got := must(t, r.terminal(nil, "stat", "-c", "%a %u", "in")); got != fmt.Sprintf("640 %d\n", os.Getuid()) {
		t.Errorf("stat there says %q", got)
	}
	// What is the server's own stays so: /tmp is not bound, and neither session sees the other's mounts.
	if got := must(t, r.terminal(nil, "sh", "-c", "grep -c ' /mnt/term ' /proc/self/mounts")); got != "1\n" {
		t.Errorf("/mnt/term is mounted %q times in a session, want 1", got)
	}
	if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || bytes.Contains(mounts, []byte("/mnt/term")) {
		t.Errorf("the server itself sees /mnt/term (%v)", err)
	}
}

// TestReadOnly: with -ro nothing here can be changed, and with the default patterns private keys are not there.
func TestReadOnly(t *testing.T) {
	r := newRig(t)
	write(t, r.dir+"/file", []byte("x"), 0o644)
	if err := os.Mkdir(r.dir+"/.ssh", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, r.dir+"/.ssh/id_ed25519", []byte("secret"), 0o600)
	if _, stderr, status := run(t, r.terminal([]string{"-ro"}, "sh", "-c", "echo y >file")); status == 0 || !strings.Contains(stderr, "Read-only file system") {
		t.Errorf("a write with -ro: exit status %d, %q", status, stderr)
	}
	checkFile(t, r.dir+"/file", "x")
	if out, _, status := run(t, r.terminal(nil, "cat", ".ssh/id_ed25519")); status == 0 || out != "" {
		t.Errorf("the private key was read: %q", out)
	}
	if got := must(t, r.terminal([]string{"-P", "none"}, "cat", ".ssh/id_ed25519")); got != "secret" {
		t.Errorf("with -P none the key is %q", got)
	}
}

// TestEnvironment: the terminal's goes over, less what is about the terminal; -e and -E as the manual says.
func TestEnvironment(t *testing.T) {
	r := newRig(t)
	show := func(flags ...string) string {
		c := r.terminal(flags, "env")
		c.Env = append(os.Environ(), "WORD=two words", "DISPLAY=:7")
		return "\n" + must(t, c)
	}
	for _, c := range []struct {
		flags      []string
		has, hasnt string
	}{
		{nil, "WORD=two words", "DISPLAY=:7"},
		{[]string{"-e", "DISPLAY"}, "DISPLAY=:7", "DISPLAY=:8"},
		{[]string{"-e", "WORD=it's"}, "WORD=it's", "WORD=two words"},
		{[]string{"-E", "-e", "A="}, "A=", "WORD=two words"},
	} {
		got := show(c.flags...)
		if !strings.Contains(got, "\n"+c.has+"\n") || strings.Contains(got, "\n"+c.hasnt+"\n") {
			t.Errorf("cpu %q env: want %q and not %q in%s", c.flags, c.has, c.hasnt, got)
		}
	}
}

// TestTerminal: a terminal there for the terminal here, of its size and kind, which follows it; ~. ends the session.
func TestTerminal(t *testing.T) {
	r := newRig(t)
	c := r.terminal([]string{"-t"}, "sh", "-c", `trap 'stty size; echo changed' WINCH; stty size; echo $TERM; echo ready; while :; do read line; echo "got $line"; done`)
	c.Env = append(os.Environ(), "TERM=vt220")
	ptm, err := pty.StartWithSize(c, &pty.Winsize{Rows: 33, Cols: 101})
	if err != nil {
		t.Fatal(err)
	}
	defer ptm.Close()
	screen := newLineLog()
	copied := make(chan struct{})
	go func() { io.Copy(screen, ptm); screen.close(); close(copied) }()
	want := func(s string) {
		t.Helper()
		if screen.find(regexp.MustCompile(regexp.QuoteMeta(s))) == "" {
			c.Process.Kill()
			t.Fatalf("%q did not come; the screen has:\n%s", s, screen.text())
		}
	}
	want("33 101")
	want("vt220")
	want("ready")
	if err := pty.Setsize(ptm, &pty.Winsize{Rows: 44, Cols: 99}); err != nil {
		t.Fatal(err)
	}
	io.WriteString(ptm, "\r") // for a shell that was not reading yet, and has missed the signal while it reads
	want("44 99")
	want("changed")
	io.WriteString(ptm, "a~.b\r")
	want("got a~.b")
	io.WriteString(ptm, "~~x\r")
	want("got ~x")
	io.WriteString(ptm, "~.")
	c.Wait()
	<-copied
	if got := c.ProcessState.ExitCode(); got != 255 {
		t.Errorf("after ~. the exit status is %d, want 255", got)
	}
	want("disconnected")
}

// TestNotes: what signals cpu is sent reach the command.
func TestNotes(t *testing.T) {
	r := newRig(t)
	for sig, name := range map[syscall.Signal]string{syscall.SIGINT: "INT", syscall.SIGTERM: "TERM", syscall.SIGHUP: "HUP", syscall.SIGUSR1: "USR1"} {
		c := r.terminal(nil, "sh", "-c", "trap 'echo caught; exit 7' "+name+"; echo ready; while :; do read x || sleep 1; done")
		said := newLineLog()
		c.Stdout = said
		if _, err := c.StdinPipe(); err != nil { // that it never ends keeps the command in its read
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if said.find(regexp.MustCompile("ready")) == "" {
			t.Fatal("the command did not come up")
		}
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		c.Wait()
		if got := c.ProcessState.ExitCode(); got != 7 || !strings.Contains(said.text(), "caught") {
			t.Errorf("%v: exit status %d, the command said %q", sig, got, said.text())
		}
	}
}

// TestSelf: the same with both ends in one process, as root and as an ordinary user.
func TestSelf(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/greeting", []byte("hello\n"), 0o644)
	self := func(flags ...string) *exec.Cmd {
		c := exec.Command(programs+"/cpu", append(append([]string{"-self"}, flags...), "sh", "-c", "tr a-z A-Z <greeting >answer && cat /mnt/term$PWD/answer")...)
		c.Dir = dir
		return c
	}
	if got := must(t, self()); got != "HELLO\n" {
		t.Errorf("-self said %q", got)
	}
	checkFile(t, dir+"/answer", "HELLO\n")
	if os.Getuid() != 0 {
		return
	}
	os.Remove(dir + "/answer")
	parent := dir[:strings.LastIndexByte(dir, '/')]
	for _, d := range []string{parent, programs} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := self()
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	c.Env = append(os.Environ(), "HOME="+dir, "USER=nobody")
	if got := must(t, c); got != "HELLO\n" {
		t.Errorf("-self as nobody said %q", got)
	}
	info, err := os.Stat(dir + "/answer")
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 65534 {
		t.Errorf("nobody's file belongs to %d", uid)
	}
}

// TestSaysWhere: with -d cpu says once that the working directory is one that the name space does not show.
func TestSaysWhere(t *testing.T) {
	r := newRig(t)
	write(t, r.keys+"/bare", []byte("clear\nbind #s /srv\nmount /srv/term /mnt/term\nbind -q /mnt/term/bin /bin\nbind -q /mnt/term/usr /usr\n"+
		"bind -q /mnt/term/lib /lib\nbind -q /mnt/term/lib64 /lib64\ncd $dir\n"), 0o644)
	for _, debug := range []bool{true, false} {
		flags := []string{"-n", r.keys + "/bare"}
		if debug {
			flags = append(flags, "-d")
		}
		out, errs, status := run(t, r.terminal(flags, "pwd"))
		if out != "/mnt/term"+r.dir+"\n" || status != 0 {
			t.Errorf("pwd: %q, exit status %d\n%s", out, status, errs)
		}
		said := strings.Count(errs, "cpu: "+r.dir+" is not in the name space; the session starts in /mnt/term"+r.dir+"\n")
		if debug && said != 1 || !debug && errs != "" {
			t.Errorf("with -d %v: said\n%s", debug, errs)
		}
	}
}
