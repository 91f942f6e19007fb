//go:build linux

// Package umltest runs a program in a user-mode-linux guest: a Linux kernel as an ordinary process, whose root is this machine's, but whose
// kernel has what this machine's may lack, v9fs and vsock.
//
// Tests call it, to run themselves once more inside the guest; nothing else does. The guest has one processor, no network but its
// loopback, and slow system calls. It never writes to this machine's disk but where the program does: /run and /tmp are its own.
package umltest

import (
	"bytes"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// kernel and loader are the programs a guest needs, with the Debian packages that have them.
const (
	kernel, kernelPackage = "linux.uml", "user-mode-linux"
	loader, loaderPackage = "busybox", "busybox-static"
)

//go:embed init.sh
var script []byte

// Run boots a guest, runs argv in it as root with the variables env besides PATH, HOME and TMPDIR, and waits for both to end. The program
// and the files it names must lie outside /tmp and /run, or below t.TempDir of the caller, named by share, which the guest sees too.
// It returns what the program wrote to standard output and standard error, and its exit status as a shell has it.
//
// It skips the test where the machine cannot run guests, naming the Debian package; it fails it where the guest ends before the program.
func Run(t testing.TB, share string, env []string, argv ...string) (output string, status string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("a guest has this machine's root: run this test as root")
	}
	for program, pkg := range map[string]string{kernel: kernelPackage, loader: loaderPackage} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: apt install %s", program, pkg)
		}
	}
	dir := t.TempDir()
	write(t, dir+"/init", script, 0o755)
	write(t, dir+"/share", []byte(share), 0o644)
	var job strings.Builder
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		job.WriteString("export " + name + "=" + quote(value) + "\n")
	}
	for _, a := range argv {
		job.WriteString(quote(a) + " ")
	}
	write(t, dir+"/job", []byte(job.String()+"\n"), 0o644)

	// Whenever a process in the guest calls its kernel, two processes of this machine wait for each other. Where many compute, each would wait for
	// its turn, and the guest would hardly move; so the guest, which is idle most of the time, goes first.
	c := exec.Command("nice", "-n", "-15", kernel, "mem=1G", "rootfstype=hostfs", "rootflags=/", "rw", "init="+dir+"/init",
		"con=null", "con0=fd:0,fd:1", "ssl=null", "quiet", "uml_dir="+dir, "umid=guest")
	var console bytes.Buffer
	c.Stdout, c.Stderr = &console, &console
	// The kernel is a group of processes; all of them go with the test.
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	err := c.Wait()
	result, readErr := os.ReadFile(filepath.Join(dir, "status"))
	if readErr != nil {
		t.Fatalf("%s ended before the program in it: %v\n%s", kernel, err, console.Bytes())
	}
	out, err := os.ReadFile(filepath.Join(dir, "output"))
	if err != nil {
		t.Fatal(err)
	}
	return string(out), strings.TrimSpace(string(result))
}

// quote makes one word of s for sh(1).
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func write(t testing.TB, path string, data []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
}
