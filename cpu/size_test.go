//go:build linux

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What cpud may take of a small board: of its disk, and of its memory with one session that does nothing.
const (
	maxSize     = 8 << 20
	maxResident = 20 << 20
)

// TestSize measures cpud as mk small builds it for a board; mk size shows what it finds.
func TestSize(t *testing.T) {
	size := smallSize(t, "")
	t.Logf("cpud for arm: %.2f MiB on disk, and %.2f MiB without DNS-SD", float64(size)/(1<<20), float64(smallSize(t, "-tags=nodnssd"))/(1<<20))
	if size > maxSize {
		t.Errorf("cpud for arm has %d bytes, want at most %d", size, maxSize)
	}

	r := newRig(t)
	session := r.terminal(nil, "sh", "-c", "echo there; read x")
	stdin, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := newLineLog()
	session.Stdout = out
	if err := session.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stdin.Close(); session.Wait() }()
	out.find(regexp.MustCompile("there"))
	daemon := resident(t, r.daemon.Process.Pid)
	all := daemon
	for _, pid := range processes(t, r.daemon.Process.Pid) {
		all += resident(t, pid)
	}
	t.Logf("resident with one idle session: %.1f MiB the daemon, %.1f MiB with the session's helper", float64(daemon)/(1<<20), float64(all)/(1<<20))
	if all > maxResident {
		t.Errorf("%d bytes are resident, want at most %d", all, maxResident)
	}
}

// smallSize is how large cpud for arm is, in bytes.
func smallSize(t *testing.T, flags string) int64 {
	t.Helper()
	dir := t.TempDir()
	c := exec.Command(needs(t, "/usr/lib/plan9/bin/mk", "9base"), "out="+dir, "small")
	c.Dir = ".."
	c.Env = append(os.Environ(), "GOARCH=arm", "GOFLAGS="+os.Getenv("GOFLAGS")+" "+flags)
	must(t, c)
	fi, err := os.Stat(dir + "/cpud")
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}

// processes are those below pid that run the same program.
func processes(t *testing.T, pid int) (all []int) {
	t.Helper()
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		t.Fatal(err)
	}
	children, err := exec.Command("pgrep", "-P", strconv.Itoa(pid)).Output()
	if err != nil {
		return nil // there are none
	}
	for _, word := range strings.Fields(string(children)) {
		child, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", child)); err == nil && exe == program {
			all = append(append(all, child), processes(t, child)...)
		}
	}
	return all
}

// resident is the memory of a process, in bytes; of what it shares with others its part.
func resident(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^Pss: +(\d+) kB`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("no Pss for process %d:\n%s", pid, b)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
