//go:build linux

package session

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestBecome is about root's daemon serving an ordinary user: the command is the user's, and so is what its namespace may show.
func TestBecome(t *testing.T) {
	needsRoot(t)
	dir := tempDir(t)
	write(t, dir+"/secret/open/file", "secret\n")
	if err := os.Chmod(dir+"/secret", 0o700); err != nil {
		t.Fatal(err)
	}
	table := newTable(t, Config{})
	id := fmt.Sprintf("%d %d %d\n", ordinary, ordinary, ordinary)
	show := "echo $(id -u) $(id -g) $(id -G); grep -E 'NoNewPrivs|CapEff|CapInh|CapAmb' /proc/self/status; echo x > /dev/stdout"
	for _, c := range []struct{ ns, nnp string }{{"", "0"}, {"bind /tmp /mnt", "1"}} {
		out := run(t, table, nobody(), c.ns, "sh", "-c", show)
		want := id + "CapInh:\t0000000000000000\nCapEff:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t" + c.nnp + "\nx\n"
		if out != want {
			t.Errorf("said %q, want %q", out, want)
		}
	}
	for _, ns := range []string{
		"bind " + dir + "/secret/open /tmp", "bind '#U" + dir + "/secret/open' /tmp", "bind /tmp " + dir + "/secret/open",
		"cd " + dir + "/secret/open", ". " + dir + "/secret/open/file",
	} {
		s := newSessionOf(t, table, nobody(), ns, "true")
		if err := s.Ctl(soon(t), []string{"start"}); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", ns, err)
		}
	}
	s := newSessionOf(t, table, nobody(), "", dir+"/secret/open/file")
	if err := s.Ctl(soon(t), []string{"start"}); err == nil || s.Status().Code != 126 {
		t.Errorf("a command out of reach: %v, %+v", err, s.Status())
	}
	// Others do not see the session, root does.
	if _, err := table.Session(nobody(), s.number); err != nil {
		t.Errorf("the owner: %v", err)
	}
	other := nobody()
	other.UID = 12345
	if _, err := table.Session(other, s.number); err == nil {
		t.Error("another user sees the session")
	}
	if _, err := table.Session(self(), s.number); err != nil {
		t.Errorf("root: %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "", "env")
	if err := s.SetEnv([]string{"COLOUR=green\nblue", "BYTES=\xff\xfe", "USER=somebody"}); err != nil {
		t.Fatal(err)
	}
	if err := s.SetEnv([]string{"=x"}); err == nil {
		t.Error("a variable without a name")
	}
	s.mustStart(t)
	if err := s.SetEnv(nil); err == nil {
		t.Error("the environment of a running command can be set")
	}
	out, _, _ := s.output(t)
	for _, want := range []string{"COLOUR=green\nblue\n", "BYTES=\xff\xfe\n", "USER=somebody\n", "LOGNAME=tester\n", "HOME=/\n", "SHELL=/bin/sh\n", "PATH=/usr"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %q", want, out)
		}
	}
}

// TestShell is what no arguments are: the user's login shell.
func TestShell(t *testing.T) {
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "")
	s.SetEnv([]string{"SHELL=/no/such/shell"})
	s.mustStart(t)
	ctx := soon(t)
	if _, err := s.WriteStdin(ctx, []byte("echo $0\n")); err != nil {
		t.Fatal(err)
	}
	s.CloseStdin(false)
	if out, _, st := s.output(t); out != "-sh\n" || st.Code != 0 {
		t.Errorf("said %q, %+v", out, st)
	}
}

// TestClean is about what a command must not inherit from cpud and the helper.
func TestClean(t *testing.T) {
	table := newTable(t, Config{})
	out := run(t, table, self(), "bind /tmp /no/such", "sh", "-c", "echo $(ls /proc/self/fd); grep -E 'SigBlk|SigIgn' /proc/self/status; umask; readlink /proc/self/cwd /proc/self/root")
	if want := "0 1 2 3\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n0022\n/\n/\n"; out != want {
		t.Errorf("said %q, want %q", out, want)
	}
}
