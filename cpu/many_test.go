//go:build linux

package main_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMany is many sessions one after the other, and at once: nothing is left of them in cpud.
func TestMany(t *testing.T) { many(t, 30, 20, func() {}) }

// BenchmarkMany is more of the same, for the memory that they leave: cpud's own, at the most and afterwards, to what it was before.
func BenchmarkMany(b *testing.B) {
	for b.Loop() {
		// What cpud does when it has been at rest for two seconds tells nobody; the memory is read after that.
		before, most, after := many(b, 1000, 200, func() { time.Sleep(5 * time.Second) })
		b.ReportMetric(float64(before), "kB")
		b.ReportMetric(float64(most)/float64(before), "most/before")
		b.ReportMetric(float64(after)/float64(before), "after/before")
	}
	b.ReportMetric(0, "ns/op")
}

// many gives cpud's memory, in kB, of before, with all sessions at once, and after them. Rest is called before it is measured.
func many(t testing.TB, inARow, atOnce int, rest func()) (before, most, after int) {
	// Mounts of others do not count.
	few := newRigWith(t, &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS})
	r := newRigWith(t, &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}, "-startups", fmt.Sprint(2*atOnce))
	one := func(r *rig) { must(t, r.terminal(nil, "true")) }
	// What the first of its sessions bring in for good is no matter here; nor how many are at once.
	warm := func(r *rig) {
		for range 10 {
			one(r)
		}
		r.log.count("end of connection", 10)
	}
	warm(few)
	warm(r)
	held := r.holds(nil)
	rest()
	before = memory(t, r.daemon.Process.Pid)
	for range inARow {
		one(r)
	}
	r.holds(&held)

	var ends []io.Closer
	var commands []*exec.Cmd
	for range atOnce {
		c := r.terminal(nil, "sh", "-c", "echo up; read line")
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		said := newLineLog()
		c.Stdout = said
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		ends, commands = append(ends, in), append(commands, c)
		t.Cleanup(func() { c.Process.Kill() })
	}
	r.log.count("event=started", 10+inARow+atOnce)
	most = memory(t, r.daemon.Process.Pid)
	var all sync.WaitGroup
	for i, c := range commands {
		ends[i].Close()
		all.Go(func() { c.Wait() })
	}
	all.Wait()
	r.holds(&held)
	rest()
	after = memory(t, r.daemon.Process.Pid)
	r.log.count("end of connection", 10+inARow+atOnce)
	if want, got := few.goroutines(), r.goroutines(); got != want {
		t.Errorf("%d goroutines, %d after few sessions\n%s", got, want, r.log.text())
	}
	return before, most, after
}

// What a process holds.
type holdings struct {
	files, mounts, children int
}

// holds is what cpud holds, when it holds no more than before; what holds it longer than the test lasts is the test's failure.
func (r *rig) holds(before *holdings) holdings {
	r.t.Helper()
	pid := r.daemon.Process.Pid
	for {
		// Another process looks, for a mount that is being made would keep this one's threads.
		out := must(r.t, exec.Command("sh", "-c", `ls /proc/$0/fd | wc -l; wc -l </proc/$0/mountinfo; cat /proc/$0/task/*/children | wc -w`, fmt.Sprint(pid)))
		var h holdings
		if _, err := fmt.Sscan(out, &h.files, &h.mounts, &h.children); err != nil {
			r.t.Fatalf("%q: %v", out, err)
		}
		if before == nil && h.children == 0 || before != nil && h.files <= before.files && h.mounts <= before.mounts && h.children == 0 {
			return h
		}
	}
}

// memory is how much memory a process has that is no file's, in kB.
func memory(t testing.TB, pid int) (kB int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(status, []byte("RssAnon:"))
	if _, err := fmt.Sscan(string(rest), &kB); err != nil {
		t.Fatal(err)
	}
	return kB
}

// goroutines ends cpud, and counts those that it had.
func (r *rig) goroutines() int {
	r.daemon.Process.Signal(syscall.SIGQUIT)
	r.log.ended()
	return len(regexp.MustCompile(`(?m)^goroutine `).FindAllString(r.log.text(), -1))
}
