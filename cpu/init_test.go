//go:build linux

package main_test

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// newInit starts cpud as process 1 of a system that has nothing but cpud, below root: its own processes, mounts, network and name. It listens at the
// Unix socket sock/cpud there.
func newInit(t *testing.T, root string, flags ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), keys: root + "/keys"}
	for _, dir := range []string{"keys", "etc", "sock"} {
		if err := os.Mkdir(root+"/"+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	newKeys(t, r.keys, "cputest")
	write(t, r.keys+"/here", []byte("cd /mnt/term/$dir\n"), 0o644)
	write(t, root+"/etc/hostname", []byte("board7\n"), 0o644)
	must(t, exec.Command("cp", programs+"/cpud", root+"/init"))
	write(t, r.dir+"/file", []byte("the terminal's\n"), 0o644)
	r.flags = []string{"-n", "default", "-n", r.keys + "/here", "-e", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	args := append([]string{"-c", `mount --make-rprivate / && mount --bind "$0" "$0" && cd "$0" && exec chroot . /init "$@"`, root,
		"-net", "unix", "-a", "/sock/cpud", "-hk", "/keys/hostkey", "-ak", "/keys/authorized"}, flags...)
	c := exec.Command("sh", args...)
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	r.start(c)
	return r
}

// TestInit is such a system.
func TestInit(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a system of its own wants root: run this test as root")
	}
	root := t.TempDir()
	r := newInit(t, root)
	session := func(words ...string) *exec.Cmd { return r.at("unix/"+root+"/sock/cpud", words...) }
	want := "board7\n1 (init)\n1\nthe terminal's\n"
	script := `uname -n; cut -d' ' -f1,2 /proc/1/stat; tr -d '\0' </sys/class/net/lo/carrier; cat file; test -c /dev/ptmx -a -d /dev/shm -a -w /tmp -a -L /dev/fd`
	if got := must(t, session("sh", "-c", script)); got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	// The daemon goes, and comes back; its orphans are nobody's zombies.
	run(t, session("sh", "-c", "kill -9 $(cat /proc/[0-9]*/stat | awk '$4 == 1 { print $1 }')"))
	r.log.find(regexp.MustCompile("the daemon has ended: signal 9"))
	for strings.Count(r.log.text(), "listening") < 2 {
		runtime.Gosched()
	}
	if got := must(t, session("sh", "-c", "grep -l '^State:.Z' /proc/[0-9]*/status | wc -l")); got != "0\n" {
		t.Errorf("there are zombies: %s", got)
	}
	if got := must(t, session("sh", "-c", "echo dance >/mnt/cpu/ctl 2>/dev/null || echo no")); got != "no\n" {
		t.Errorf("ctl takes anything: %q", got)
	}
	run(t, session("sh", "-c", "echo poweroff >/mnt/cpu/ctl; sleep 60"))
	r.log.ended()
	// reboot(2) ends the first process of a namespace by the signal for what was asked.
	if ws, ok := r.daemon.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGINT {
		t.Errorf("the machine ended by %v", r.daemon.ProcessState)
	}
}
