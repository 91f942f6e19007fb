//go:build linux

package session

import (
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"testing"

	"cpu/ctlfs"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"golang.org/x/sys/unix"
)

func TestNotes(t *testing.T) {
	table := newTable(t, Config{})
	for _, note := range []struct {
		name string
		sig  unix.Signal
	}{
		{"interrupt", unix.SIGINT}, {"hangup", unix.SIGHUP}, {"term", unix.SIGTERM}, {"alarm", unix.SIGALRM}, {"usr1", unix.SIGUSR1},
		{"usr2", unix.SIGUSR2}, {"winch", unix.SIGWINCH}, {"SIGPIPE", unix.SIGPIPE}, {"3", unix.SIGQUIT}, {"kill", unix.SIGKILL},
	} {
		s := newSessionOf(t, table, self(), "", "sh", "-c", fmt.Sprintf("trap 'exit 40' %d; echo ready; while :; do read x || exit 1; done", int(note.sig)))
		if err := s.Note(note.name, false); err == nil {
			t.Errorf("%s: an idle session takes a note", note.name)
		}
		s.mustStart(t)
		ctx := soon(t)
		if _, err := s.ReadStdout(ctx, make([]byte, 64)); err != nil {
			t.Fatal(err)
		}
		if err := s.Note(note.name, false); err != nil {
			t.Errorf("%s: %v", note.name, err)
		}
		st, err := s.Wait(ctx)
		want := 40
		if note.sig == unix.SIGKILL {
			want = 128 + 9
		}
		if err != nil || st.Code != want {
			t.Errorf("%s: %+v, %v", note.name, st, err)
		}
	}
	s := newSessionOf(t, table, self(), "", "true")
	if err := s.Note("term", false); ninep.Errno(err) != linux.ESRCH {
		t.Errorf("an idle session: %v", err)
	}
	if err := s.Note("frob", false); err == nil || err.Error() != `"frob": unknown note` {
		t.Errorf("an unknown note: %v", err)
	}
}

// TestNoteGroup sends a note to every process, of whatever process group.
func TestNoteGroup(t *testing.T) {
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "", "sh", "-c", `trap : USR1; for i in 1 2 3; do setsid sh -c 'trap "exit 7" USR1; echo ready; while :; do read x; done' <&0 & done; wait; wait; wait; wait; echo all`)
	s.mustStart(t)
	ctx := soon(t)
	var said string
	for strings.Count(said, "ready") < 3 {
		b := make([]byte, 64)
		n, err := s.ReadStdout(ctx, b)
		if err != nil {
			t.Fatal(err)
		}
		said += string(b[:n])
	}
	if err := s.Note("usr1", true); err != nil {
		t.Fatal(err)
	}
	if out, _, st := s.output(t); out != "all\n" || st.Code != 0 {
		t.Errorf("said %q, %+v", out, st)
	}
}

func TestStop(t *testing.T) {
	table := newTable(t, Config{})
	next, stop := table.Events(self())
	defer stop()
	s := newSessionOf(t, table, self(), "", "sh", "-c", "echo ready; read x; exit 5")
	s.mustStart(t)
	ctx := soon(t)
	s.ReadStdout(ctx, make([]byte, 64))
	for _, c := range []struct {
		ctl  string
		want ctlfs.State
	}{{"stop", ctlfs.Stopped}, {"cont", ctlfs.Running}} {
		if err := s.Ctl(ctx, []string{c.ctl}); err != nil {
			t.Fatal(err)
		}
		for s.State() != c.want {
			if err := ctx.Err(); err != nil {
				t.Fatalf("%s: %v", c.ctl, err)
			}
		}
	}
	if st := s.Status(); st.PID == 0 || st.Real <= 0 || st.State != ctlfs.Running {
		t.Errorf("while it runs: %+v", st)
	}
	s.CloseStdin(false)
	if _, _, st := s.output(t); st.Code != 5 {
		t.Errorf("%+v", st)
	}
	for _, want := range []string{"started", "ended"} {
		line, err := next(ctx)
		if err != nil || line != fmt.Sprintf("%d tester %s", s.number, want) {
			t.Errorf("event %q, %v", line, err)
		}
	}
}

func TestTerminal(t *testing.T) {
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "", "sh", "-c", `tty; stty size; echo $TERM; trap 'echo got; stty size; exit 6' INT; echo ready; while :; do read x; echo "<$x>"; done`)
	ctx := soon(t)
	for _, line := range []string{"tty vt100 24 80", "winsize 30 100"} {
		if err := s.Ctl(ctx, strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
	}
	s.mustStart(t)
	said := ""
	until := func(text string) {
		for !strings.Contains(said, text) {
			b := make([]byte, 256)
			n, err := s.ReadCons(ctx, b)
			if err != nil {
				t.Fatalf("waiting for %q, after %q: %v", text, said, err)
			}
			said += string(b[:n])
		}
	}
	until("ready")
	if !strings.HasPrefix(said, "/dev/pts/") || !strings.Contains(said, "30 100\r\nvt100\r\n") {
		t.Errorf("said %q", said)
	}
	if _, err := s.WriteCons(ctx, []byte("typed\n")); err != nil {
		t.Error(err)
	}
	until("<typed>")
	if err := s.Ctl(ctx, []string{"winsize", "10", "20"}); err != nil {
		t.Error(err)
	}
	if err := s.Note("interrupt", false); err != nil {
		t.Error(err)
	}
	until("10 20")
	if out, errs, st := s.output(t); st.Code != 6 || errs != "" {
		t.Errorf("said %q, %q, %+v", out, errs, st)
	}
}

// TestCommandEndsBeforeOrphan: output ends with the command, though others still hold the pipe; they end with the session.
func TestCommandEndsBeforeOrphan(t *testing.T) {
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "", "sh", "-c", "setsid sleep 1000 & echo $!; exit 3")
	s.mustStart(t)
	out, _, st := s.output(t)
	if st.Code != 3 {
		t.Errorf("%+v", st)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(pid, 0); err != nil {
		t.Errorf("the orphan before the session's end: %v", err)
	}
	s.Release()
	<-s.gone
	if err := unix.Kill(pid, 0); err != unix.ESRCH {
		t.Errorf("the orphan after the session's end: %v", err)
	}
	s.Hold()
}

// TestLateReader: what was written before the command's end is there after it, though others still hold the pipe.
func TestLateReader(t *testing.T) {
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "", "sh", "-c", "setsid sleep 1000 & head -c 500000 /dev/zero; echo oops >&2")
	s.mustStart(t)
	if _, err := s.Wait(soon(t)); err != nil {
		t.Fatal(err)
	}
	if out, errs, _ := s.output(t); len(out) != 500000 || errs != "oops\n" {
		t.Errorf("%d bytes, %q", len(out), errs)
	}
}

// TestNothingLeft ends sessions in every state, by every way; newTable's cleanup looks for what is left.
func TestNothingLeft(t *testing.T) {
	forks := "sleep 1000 & setsid sleep 1000 & (setsid sh -c 'sleep 1000 & sleep 1000' &) & echo ready; trap '' HUP TERM; while :; do sleep 1000; done"
	for _, how := range []string{"idle", "running", "ended", "killed helper", "table"} {
		t.Run(how, func(t *testing.T) {
			table := newTable(t, Config{})
			s := newSessionOf(t, table, self(), "bind /tmp /no/such", "sh", "-c", forks)
			post(t, table, s, "term", tempDir(t))
			ctx := soon(t)
			if how != "idle" {
				s.mustStart(t)
				if _, err := s.ReadStdout(ctx, make([]byte, 64)); err != nil {
					t.Fatal(err)
				}
			}
			switch how {
			case "ended":
				if err := s.Ctl(ctx, []string{"note", "kill"}); err != nil {
					t.Fatal(err)
				}
				s.output(t)
			case "killed helper":
				ns, err := namespaceOf(s.process.Pid)
				if err != nil {
					t.Fatal(err)
				}
				s.process.Kill()
				if _, _, st := s.output(t); st.Code != 137 || !strings.Contains(s.Err(), "signal: killed") {
					t.Errorf("%+v, %q", st, s.Err())
				}
				for left := inNamespace(t, ns); len(left) > 0; left = inNamespace(t, ns) {
					if ctx.Err() != nil {
						t.Fatalf("processes %v are left", left)
					}
				}
			case "table":
				table.Close()
				<-s.gone
				if _, err := table.New(self()); err == nil {
					t.Error("a closed table makes sessions")
				}
				return
			}
			s.Release()
			<-s.gone
			s.Hold()
			if _, err := table.Session(self(), s.number); err == nil {
				t.Error("the session is still there")
			}
		})
	}
}

// inNamespace lists the processes in a mount namespace, wherever they have been adopted.
func inNamespace(t *testing.T, ns string) (pids []int) {
	t.Helper()
	dir, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range dir {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if id, err := namespaceOf(pid); err == nil && id == ns {
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestKeep is about a session that nobody holds.
func TestKeep(t *testing.T) {
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "", "sh", "-c", "read x; echo got $x")
	s.mustStart(t)
	ctx := soon(t)
	if err := s.Ctl(ctx, []string{"keep"}); err != nil {
		t.Fatal(err)
	}
	s.Release()
	again, err := table.Session(self(), s.number)
	if err != nil {
		t.Fatal(err)
	}
	again.Hold()
	if _, err := s.WriteStdin(ctx, []byte("it\n")); err != nil {
		t.Error(err)
	}
	if out, _, st := s.output(t); out != "got it\n" || st.Code != 0 {
		t.Errorf("said %q, %+v", out, st)
	}
}

func TestMax(t *testing.T) {
	table := newTable(t, Config{Max: 1})
	s := newSessionOf(t, table, self(), "", "true")
	if _, err := table.New(self()); err == nil || !strings.Contains(err.Error(), "takes no more") {
		t.Errorf("one too many: %v", err)
	}
	s.Release()
	<-s.gone
	s.Hold()
	newSessionOf(t, table, self(), "", "true")
}

func TestServerFacts(t *testing.T) {
	level := new(slog.LevelVar)
	table := newTable(t, Config{Version: "v1", Level: level})
	run(t, table, self(), "", "true")
	bad := newSessionOf(t, table, self(), "", "no-such-command")
	bad.Ctl(soon(t), []string{"start"})
	facts := map[string]string{}
	for _, p := range append(table.Info(), table.Stats()...) {
		facts[p.Name] = p.Value
	}
	for name, want := range map[string]string{"version": "v1", "os": "linux", "arch": cputype, "sessions": "2", "started": "1", "failed": "1"} {
		if facts[name] != want {
			t.Errorf("%s is %q, want %q", name, facts[name], want)
		}
	}
	root := ctlfs.User{Root: true}
	if err := table.Ctl(ctlfs.User{}, []string{"drain"}); err == nil {
		t.Error("an ordinary user drains the server")
	}
	if err := table.Ctl(root, []string{"debug", "debug"}); err != nil || level.Level() != slog.LevelDebug {
		t.Errorf("debug: %v, %v", err, level)
	}
	for _, line := range [][]string{nil, {"frob"}, {"debug"}, {"debug", "x"}} {
		if err := table.Ctl(root, line); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
	if err := table.Ctl(root, []string{"drain"}); err != nil {
		t.Error(err)
	}
	if _, err := table.New(self()); err == nil {
		t.Error("a drained server makes sessions")
	}
	if err := table.Ctl(root, []string{"undrain"}); err != nil {
		t.Error(err)
	}
	newSessionOf(t, table, self(), "", "true")
}

func TestBadCtl(t *testing.T) {
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "", "true")
	for _, line := range []string{"", "frob", "start now", "note", "note frob", "tty vt100 x 80", "tty vt100 24 70000", "winsize 1 1", "var x", "stop", "kill"} {
		if err := s.Ctl(soon(t), strings.Fields(line)); ninep.Errno(err) != linux.EINVAL || s.Err() != err.Error() {
			t.Errorf("%q: %v, errstr %q", line, err, s.Err())
		}
	}
	s.mustStart(t)
	if err := s.Ctl(soon(t), []string{"start"}); ninep.Errno(err) != linux.EBUSY {
		t.Errorf("started twice: %v", err)
	}
}
