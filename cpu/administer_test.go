//go:build linux

package main_test

import (
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// A place is where the control tree is seen, as /mnt/cpu, by the scripts of a shell. With v9fs, which goes on reading until it has as much as
// was asked for, only sh can read what comes by and by: it reads byte by byte, and bash does not. Bash says why a write fails.
type place func(shell, script string) *exec.Cmd

// administer does to sessions of another connection whatever can be done to them from a place, while a monitor there reads events.
func administer(t *testing.T, r *rig, at place) {
	events, end := begin(t, at("sh", `exec 3</mnt/cpu/events; echo ready; while read line <&3; do echo "$line"; done`))
	if events.find(regexp.MustCompile("^ready\n")) == "" {
		t.Fatal("the monitor cannot read events")
	}
	// Another session is there until somebody has ended it; it says what it is told.
	others := 0
	another := func() (c *exec.Cmd, said *lineLog, number string) {
		t.Helper()
		others++
		name := fmt.Sprintf("session-%d", others)
		c = r.terminal([]string{"-n", "none"}, "sh", "-c", "trap 'echo usr1' USR1; echo up; while :; do sleep 1000 & wait; done", name)
		said, _ = begin(t, c)
		if said.find(regexp.MustCompile("^up\n")) == "" {
			t.Fatal("there is no session")
		}
		number = strings.TrimSpace(must(t, at("sh", "cd /mnt/cpu && for n in [1-9]*; do read words <$n/args; case $words in *"+name+") echo $n; esac; done")))
		if events.find(regexp.MustCompile("^"+number+" [^ ]+ started\n")) == "" {
			t.Error("the monitor has not seen it start")
		}
		return c, said, number
	}
	c, said, n := another()
	tests := []struct{ command, want string }{
		{"note usr1", "/ running"},
		{"stop", "/ stopped"},
		{"stop", "/ stopped"},
		{"cont", "/ running"},
		{"dance", "Invalid argument / dance: unknown command / running"},
		{"start", "Device or resource busy / the session has been started already / running"},
		{"winsize 24 x", `Invalid argument / "x": not a number of rows or columns / running`},
		{"winsize 24 80", "Invalid argument / winsize: the session has no terminal / running"},
		{"keep 0", `Invalid argument / keep: ["0"]: want [bytes] [block|oldest] / running`},
		{"note dance", `Invalid argument / "dance": unknown note / running`},
	}
	script := "cd /mnt/cpu/" + n + ` && exec 2>&1; tell() { said=$( (echo "$@" >ctl) 2>&1); why=$(cat errstr); read words <status; ` +
		`echo "${said##*write error: } / ${why:+$why / }${words##* }"; }`
	for _, test := range tests {
		script += "; tell " + test.command
	}
	answers := strings.Split(must(t, at("bash", script)), "\n")
	for i, test := range tests {
		if i >= len(answers) || strings.TrimSpace(answers[i]) != test.want {
			t.Errorf("%s: want %q, got %q", test.command, test.want, answers[min(i, len(answers)):])
		}
	}
	if said.find(regexp.MustCompile("^usr1\n")) == "" {
		t.Error("the note has not come")
	}
	for _, test := range []struct {
		verb   string
		status int
	}{{"kill", 128 + 9}, {"hangup", 128 + 1}} {
		if c == nil {
			c, _, n = another()
		}
		must(t, at("sh", "echo "+test.verb+" >/mnt/cpu/"+n+"/ctl"))
		if c.Wait(); c.ProcessState.ExitCode() != test.status {
			t.Errorf("%s: the session ends with %d, want %d", test.verb, c.ProcessState.ExitCode(), test.status)
		}
		if events.find(regexp.MustCompile("^"+n+" [^ ]+ ended\n")) == "" {
			t.Error("the monitor has not seen it end")
		}
		c = nil
	}
	// One that has ended and is held still, by either file, and one that there is not.
	out, errs, _ := run(t, at("bash", "cd /mnt/cpu && exec 3<>clone && read n <&3; echo true >$n/args; echo start >&3; read wait <$n/wait; echo note usr1 >&3; "+
		"echo usr1 >$n/note; cat $n/errstr; echo kill >999999/ctl"))
	if want := "usr1: no command is running\n"; out != want {
		t.Errorf("a note to what has ended: %q, want %q", out, want)
	}
	for _, want := range []string{"Invalid argument\n", "No such process\n", "No such file or directory\n"} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q, want %s", errs, want)
		}
	}
	end()
}

// others is what another user does where the tree is mounted for root, who sees all sessions and can start one: he does not get in.
func others(t *testing.T, dir string) {
	t.Helper()
	other := exec.Command("bash", "-c", `ls "$0"; exec cat "$0"/clone`, dir)
	other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, errs, status := run(t, other)
	refused := strings.Count(errs, ": Permission denied\n") + strings.Count(errs, ": Operation not permitted\n")
	if out != "" || refused != 2 || status != 1 {
		t.Errorf("another user sees %q, and %q: exit status %d", out, errs, status)
	}
}

// begin starts a command, whose output is noted; end kills it. So does the end of the test.
func begin(t *testing.T, c *exec.Cmd) (said *lineLog, end func()) {
	t.Helper()
	said = newLineLog()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		io.Copy(said, out)
		said.close()
		close(read)
	}()
	end = func() {
		c.Process.Kill()
		<-read
		c.Wait()
	}
	t.Cleanup(end)
	return said, end
}
