package ctlfs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"cpu/ctlfs"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// What is written through one open of a file is one text, in however many writes.
func TestSetup(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		h := newHost(t)
		dir, _ := attach(t, h, glenda, version)
		n, _ := clone(t, dir)

		f := open(t, dir, n+"/args", p9.WriteOnly|trunc)
		offset := int64(0)
		for _, part := range []string{"echo 'two ", "words' ", "''", " it''s''\n"} {
			k, err := f.WriteAt([]byte(part), offset)
			must(t, err)
			offset += int64(k)
		}
		if got := read(t, dir, n+"/args"); got != "echo 'two words' '' its\n" {
			t.Errorf("args reads %q", got)
		}
		must(t, write(dir, n+"/args", "cat"))
		must(t, writeMode(dir, n+"/args", "echo -n", p9.WriteOnly)) // no truncation: replaces all the same
		if got := read(t, dir, n+"/args"); got != "echo -n\n" {
			t.Errorf("args reads %q", got)
		}

		must(t, write(dir, n+"/env", "A=1\nB=2\n"))
		must(t, writeMode(dir, n+"/env", "C='a b'\nA=3\n", p9.WriteOnly|add))
		if got := read(t, dir, n+"/env"); got != "A=3\nB=2\nC='a b'\n" {
			t.Errorf("env reads %q", got)
		}
		must(t, write(dir, n+"/env", ""))
		must(t, write(dir, n+"/env", "D=4"))
		if got := read(t, dir, n+"/env"); got != "D=4\n" {
			t.Errorf("env reads %q", got)
		}
		// What v9fs does for `>`: the file is truncated after it has been opened.
		f = open(t, dir, n+"/env", p9.WriteOnly)
		must(t, f.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{}))
		_, err := f.WriteAt([]byte("E=5\n"), 0)
		must(t, err)
		if got := read(t, dir, n+"/env"); got != "E=5\n" {
			t.Errorf("env reads %q", got)
		}

		must(t, write(dir, n+"/dir", "/with a blank\n"))
		if got := read(t, dir, n+"/dir"); got != "/with a blank\n" {
			t.Errorf("dir reads %q", got)
		}

		ns := strings.Repeat("bind -q '/a b' /c # a long namespace file\n", 5000)
		f = open(t, dir, n+"/ns", p9.WriteOnly|trunc)
		for rest, at := ns, int64(0); rest != ""; {
			part := rest[:min(len(rest), 4096)]
			_, err := f.WriteAt([]byte(part), at)
			must(t, err)
			rest, at = rest[len(part):], at+int64(len(part))
		}
		if got := read(t, dir, n+"/ns"); got != ns {
			t.Errorf("ns reads as %d bytes, want %d", len(got), len(ns))
		}
		must(t, write(dir, n+"/ns", "clear\n"))
		must(t, writeMode(dir, n+"/ns", "cd /\n", p9.WriteOnly|add))
		if got := read(t, dir, n+"/ns"); got != "clear\ncd /\n" {
			t.Errorf("ns reads %q", got)
		}
	})
}

// Each mistake has its number, and its words in errstr.
func TestErrors(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		dir, _ := attach(t, newHost(t), glenda, version)
		n, _ := clone(t, dir)
		for _, c := range []struct {
			file, text string
			want       linux.Errno
			words      string
		}{
			{"ctl", "dance", linux.EINVAL, "dance: unknown command"},
			{"ctl", "var a", linux.EINVAL, "var a: unknown command"},
			{"ctl", "var a 'b", linux.EINVAL, "ctl: unclosed quote"},
			{"ctl", "winsize 1 2", linux.EINVAL, "winsize: no terminal"},
			{"ctl", "winsize a b", linux.EINVAL, "winsize: a: not a number"},
			{"ctl", "note nonsense", linux.EINVAL, "nonsense: unknown note"},
			{"ctl", "kill", linux.EINVAL, "nothing runs"},
			{"note", "interrupt", linux.ESRCH, "nothing runs"},
			{"ctl", "note usr1", linux.EINVAL, "nothing runs"},
			{"notepg", "nonsense\n", linux.EINVAL, "nonsense: unknown note"},
			{"env", "A=1\nB C\n", linux.EINVAL, "env: B: not NAME=value"},
			{"args", "echo 'a\n", 0, "env: B: not NAME=value"},
			{"ctl", "start", linux.EINVAL, "args: unclosed quote"},
			{"args", "no-such-command", 0, "args: unclosed quote"},
			{"env", "A=1\nB", 0, "args: unclosed quote"},
			{"ctl", "start", linux.EINVAL, "env: B: not NAME=value"},
			{"env", "", 0, "env: B: not NAME=value"},
			{"ctl", "start", linux.ENOENT, "no-such-command: no such command"},
			{"ctl", "start", linux.EBUSY, "started already"},
			{"args", "ls", linux.EBUSY, "started already"},
			{"dir", "/", linux.EBUSY, "started already"},
			{"ctl", "hangup", linux.EINVAL, "nothing runs"},
		} {
			wantErrno(t, writeMode(dir, n+"/"+c.file, c.text, p9.WriteOnly|trunc), c.want, fmt.Sprintf("%s: %q", c.file, c.text))
			if got := read(t, dir, n+"/errstr"); got != c.words+"\n" {
				t.Errorf("after %q to %s errstr is %q, want %q", c.text, c.file, got, c.words)
			}
		}
	})
}

// Lines of one write are commands, done in order up to the first that fails.
func TestCommands(t *testing.T) {
	h := newHost(t)
	dir, _ := attach(t, h, glenda, ninep.VersionCPU)
	n, ctl := clone(t, dir)
	_, err := ctl.WriteAt([]byte("var dir 'a\nb'\n\n  var x ''\nnonsense\nvar y 1\n"), 0)
	wantErrno(t, err, linux.EINVAL, "nonsense")
	s, err := h.Session(glenda, 1)
	must(t, err)
	if got := s.(interface{ Vars() []string }).Vars(); !slices.Equal(got, []string{"dir=a\nb", "x="}) {
		t.Errorf("session %s has the variables %q", n, got)
	}
}

// TestTerminal: cons and consctl.
func TestTerminal(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		h := newHost(t)
		dir, _ := attach(t, h, glenda, version)
		n, ctl := clone(t, dir)
		must(t, write(dir, n+"/args", "cat"))
		_, err := ctl.WriteAt([]byte("tty vt100 24 80\nstart"), 0)
		must(t, err)
		cons := open(t, dir, n+"/cons", p9.ReadWrite)
		_, err = cons.WriteAt([]byte("typed"), 0)
		must(t, err)
		p := make([]byte, 100)
		k, err := cons.ReadAt(p, 77)
		if err != nil || string(p[:k]) != "typed" {
			t.Errorf("cons gives %q, %v", p[:k], err)
		}
		must(t, write(dir, n+"/consctl", "winsize 50 132\n"))
		s, _ := h.Session(glenda, 1)
		if got := s.(interface{ Terminal() []string }).Terminal(); !slices.Equal(got, []string{"vt100", "50", "132"}) {
			t.Errorf("the terminal is %q", got)
		}
		must(t, write(dir, n+"/consctl", "break\n"))
		wantErrno(t, write(dir, n+"/consctl", "start\n"), linux.EINVAL, "start to consctl")
		if got := read(t, dir, n+"/errstr"); got != "consctl: start: unknown command\n" {
			t.Errorf("errstr is %q", got)
		}
	})
}

// TestWait: any number of readers get the line, before and after the end, in small pieces too; status has it without blocking.
func TestWait(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		dir, stats := attach(t, newHost(t), glenda, version)
		n, ctl := clone(t, dir)
		must(t, write(dir, n+"/args", "cat"))
		if got := read(t, dir, n+"/status"); got != "0 0 0 1 '' idle\n" {
			t.Errorf("status is %q", got)
		}
		_, err := ctl.WriteAt([]byte("start"), 0)
		must(t, err)
		if got := read(t, dir, n+"/status"); got != "0 0 0 1 '' running\n" {
			t.Errorf("status is %q", got)
		}

		// A reader that is interrupted goes away on both sides.
		w := open(t, dir, n+"/wait", p9.ReadOnly).(ninep.ContextFile)
		until(t, "no request is pending", func() bool { return stats.Pending.Load() == 0 })
		ctx, cancel := context.WithCancel(soon(t))
		gone := make(chan error)
		go func() {
			_, err := w.WithContext(ctx).ReadAt(make([]byte, 100), 0)
			gone <- err
		}()
		until(t, "the read blocks", func() bool { return stats.Pending.Load() == 1 })
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the interrupted read gives %v", err)
		}
		until(t, "no request is pending", func() bool { return stats.Pending.Load() == 0 })

		lines := make(chan string)
		for range 3 {
			go func() { lines <- read(t, dir, n+"/wait") }()
		}
		must(t, write(dir, n+"/stdin", "")) // and its close is the end of the input
		for range 3 {
			if got := <-lines; got != "1001 10 20 30 ''\n" {
				t.Errorf("wait gives %q", got)
			}
		}
		p := make([]byte, 4)
		var got string
		for {
			k, err := w.ReadAt(p, int64(len(got)))
			if k == 0 {
				break
			}
			must(t, err)
			got += string(p[:k])
		}
		if got != "1001 10 20 30 ''\n" {
			t.Errorf("wait in pieces gives %q", got)
		}
		if got := read(t, dir, n+"/status"); got != "1001 10 20 30 '' ended\n" {
			t.Errorf("status is %q", got)
		}
	})
}

// TestClient: a session from its making to its end, by the typed client.
func TestClient(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		h := newHost(t)
		dir, stats := attach(t, h, glenda, version)
		fids := stats.Fids.Load()
		ctx := soon(t)
		s, err := ctlfs.NewClient(dir).New(ctx)
		must(t, err)
		env := []string{"A=it's\nme", "B=" + strings.Repeat("long ", 100000), "C="}
		must(t, s.SetArgs(ctx, []string{"env", "a b", ""}))
		must(t, s.SetEnv(ctx, env))
		must(t, s.SetDir(ctx, "/tmp"))
		must(t, s.SetNamespace(ctx, "bind a b\n"))
		if ns, err := s.Namespace(ctx); ns != "bind a b\n" || err != nil {
			t.Errorf("the namespace is %q, %v", ns, err)
		}
		if err := s.Winsize(ctx, 1, 2); err == nil || err.Error() != "winsize: no terminal" || !errors.Is(err, linux.EINVAL) {
			t.Errorf("winsize gives %v", err)
		}
		must(t, s.Ctl(ctx, []string{"var", "home", "/usr/it's"}, []string{"var", "dir", "/"}))
		if st, err := s.Status(ctx); st.State != ctlfs.Idle || err != nil {
			t.Errorf("status is %+v, %v", st, err)
		}
		must(t, s.Start(ctx))
		if err := s.SetDir(ctx, "/"); err == nil || err.Error() != "started already" || !errors.Is(err, linux.EBUSY) {
			t.Errorf("a late SetDir gives %v", err)
		}
		out, err := s.Stdout(ctx)
		must(t, err)
		var b strings.Builder
		_, err = out.WriteTo(&b)
		must(t, err)
		if b.String() != strings.Join(env, "\n") {
			t.Errorf("the environment arrives as %d bytes, want %d", b.Len(), len(strings.Join(env, "\n")))
		}
		if st, err := s.Wait(ctx); st.Exit != "" || st.PID != 1001 || err != nil {
			t.Errorf("it ended with %+v, %v", st, err)
		}
		if st, err := s.Status(ctx); st.State != ctlfs.Ended || err != nil {
			t.Errorf("status is %+v, %v", st, err)
		}

		again, err := ctlfs.NewClient(dir).Session(ctx, s.Number())
		must(t, err)
		if err := again.Note(ctx, "interrupt", true); err == nil || err.Error() != "nothing runs" {
			t.Errorf("a late note gives %v", err)
		}
		if words, err := again.Errstr(ctx); words != "nothing runs" || err != nil {
			t.Errorf("errstr is %q, %v", words, err)
		}
		must(t, again.Close(ctx))
		must(t, out.Close())
		must(t, s.Close(ctx))
		if _, err := ctlfs.NewClient(dir).Session(ctx, s.Number()); ninep.Errno(err) != linux.ENOENT || !strings.Contains(err.Error(), "1/ctl") {
			t.Errorf("a session that is gone gives %v", err)
		}
		until(t, "no fid is left", func() bool { return stats.Fids.Load() == fids })
	})
}
