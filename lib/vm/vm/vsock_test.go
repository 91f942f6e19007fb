//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"cpu/lib/vm"
)

// guestDir is the variable by which the test tells itself, run once more in a guest, where its files are.
const guestDir = "CPU_TEST_DIR"

// TestVsock reaches a guest over vsock. No guest's host need have vsock, so the host is a guest itself: it has the kernel's modules for that and
// this machine's root, in which this test runs once more, starts a guest and dials it.
func TestVsock(t *testing.T) {
	if dir := os.Getenv(guestDir); dir != "" {
		inGuest(t, dir)
		return
	}
	t.Parallel()
	kernel := kernelDir(t)
	dir := t.TempDir()
	for program, pkg := range map[string]string{vm.QEMU: "qemu-system-x86", "ssh-keygen": "openssh-client", "busybox": "busybox-static", "xz": "xz-utils"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: apt install %s", program, pkg)
		}
	}
	static := append(os.Environ(), "CGO_ENABLED=0")
	for _, args := range [][]string{
		{"go", "build", "-o", dir + "/", "cpu/cpu", "cpu/cpud", "cpu/lib/vm/vm"},
		{"go", "test", "-c", "-o", dir + "/vm.test", "."},
		{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", dir + "/key"},
	} {
		c := exec.Command(args[0], args[1:]...)
		c.Env = static
		must(t, c)
	}
	writeGuest(t, dir, kernel)
	if err := os.WriteFile(dir+"/ns", []byte("mount /srv/term /mnt/term\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := must(t, cpu(dir, boot(t, dir, kernel), "busybox", "sh", "-euc", `
PATH=/mnt/term/usr/bin:/mnt/term/bin
mount() { busybox mount "$@"; }
root=/tmp/root
busybox mkdir $root
mount -t 9p -o trans=virtio,ro,cache=loose,msize=512000 root $root
mount -t proc proc $root/proc
mount -o bind /dev $root/dev
mount -t tmpfs run $root/run
exec busybox chroot $root /usr/bin/env TMPDIR=/run HOME=/root PATH=/usr/bin:/bin `+guestDir+`="$1" "$1/vm.test" -test.v -test.run='^TestVsock$'`,
		"sh", dir))
	if !strings.Contains(out, "--- PASS: TestVsock") {
		t.Errorf("in the guest it said %s", out)
	}
}

// Of the guest's guest: its kernel, its first root, and its number on vsock.
const (
	guestKernel, guestRoot = "/vmlinux", "/guest.cpio"
	guestCID               = 3
)

// quick keeps its kernel from what takes it long: testing its ciphers, and reading the certificate by which it would judge modules.
const quick = "lsm= audit=0 cryptomgr.notests initcall_blacklist=load_system_certificate_list"

// writeGuest writes what the guest in the guest is started from, to dir. There each instruction is a hundred: its kernel is one that need not expand
// itself, and loads the least of modules.
func writeGuest(t *testing.T, dir, kernelDir string) {
	t.Helper()
	kernel, err := vm.FindKernel(kernelDir)
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(kernel.Image)
	if err != nil {
		t.Fatal(err)
	}
	const xz = "\xfd7zXZ\x00"
	if _, compressed, ok := bytes.Cut(image, []byte(xz)); ok {
		c := exec.Command("xz", "-dc", "--single-stream")
		c.Stdin = io.MultiReader(strings.NewReader(xz), bytes.NewReader(compressed))
		if image, err = c.Output(); err != nil {
			t.Fatalf("xz: %v", err)
		}
	}
	s := vm.System{Cpud: dir + "/cpud", Kernel: kernel, Hostname: "inner", Modules: []string{"virtio_pci", "vmw_vsock_virtio_transport", "fuse"}}
	var root bytes.Buffer
	var hostKeyErr, keysErr error
	s.HostKey, hostKeyErr = identity(dir)
	s.Authorized, keysErr = authorized(dir + "/key.pub")
	if err := errors.Join(hostKeyErr, keysErr, s.Write(&root), os.WriteFile(dir+guestRoot, root.Bytes(), 0o600),
		os.WriteFile(dir+guestKernel, image, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// inGuest starts that guest, and runs a program in it that only its host has.
func inGuest(t *testing.T, dir string) {
	console, w := io.Pipe()
	g, err := vm.Start(t.Context(), vm.Machine{Kernel: vm.Kernel{Image: dir + guestKernel}, Root: dir + guestRoot, Type: "pc", CPU: "qemu64", Memory: 384,
		Accel: []string{"tcg"}, CID: guestCID, Alone: true, Append: "mitigations=off tsc=unstable " + quick}, w)
	if err != nil {
		t.Fatal(err)
	}
	said := follow(t, console, []string{"listening on=vm("}, nil)
	t.Cleanup(func() { // after t.Context's end
		g.Wait()
		w.Close()
		said()
	})
	c := cpu(dir, []string{"-l", "root", "-o", "UserKnownHostsFile=" + dir + "/known_hosts", "-o", "HostKeyAlias=" + alias, "-net", "vsock",
		strconv.Itoa(guestCID)}, "busybox", "cat", "/proc/1/comm", "/etc/hostname")
	if got, want := must(t, c), "init\ninner\n"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}

// kernelDir is a directory with a kernel, or else the test is skipped.
func kernelDir(t *testing.T) string {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("guests of QEMU's are amd64 here, and run this machine's cpud")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Join(cache, "cpu/kernel"), "/"} {
		_, err := vm.FindKernel(dir)
		if err == nil {
			return dir
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	t.Skip("there is no kernel for guests: mk kernel fetches one")
	return ""
}

// boot starts the first guest, by the program, waits until it listens and has an address, and gives the arguments of cpu's with which it is reached. Its
// end is the test's cleanup.
func boot(t *testing.T, dir, kernel string) (arguments []string) {
	t.Helper()
	c := exec.Command(dir+"/vm", "-accel", "tcg", "-cpud", dir+"/cpud", "-keys", dir+"/key.pub", "-kernel", kernel, "-m", "3000", "-smp", "2",
		"-modules", "vhost_vsock,9pnet_virtio", "--", "-M", "q35", "-cpu", "max",
		"-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap")
	c.Env = append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir(), "TMPDIR="+t.TempDir())
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = w, w
	err = c.Start()
	w.Close()
	if err != nil {
		r.Close()
		t.Fatal(err)
	}
	said := follow(t, r, []string{"dhcp eth0: ", "listening on=[::]:"}, func(line string) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == "cpu" && words[len(words)-1] == "localhost" {
			arguments = words[1:]
		}
	})
	t.Cleanup(func() {
		c.Process.Signal(syscall.SIGTERM)
		c.Wait()
		said()
		r.Close()
	})
	return arguments
}

// follow reads what a guest says until it has said all that is in ready. Each is called for each line until then; nil: nothing is. What it gives is to
// be called when the guest is at its end.
func follow(t *testing.T, console io.Reader, ready []string, each func(line string)) (said func()) {
	t.Helper()
	var text bytes.Buffer
	lines := bufio.NewReader(io.TeeReader(console, &text))
	for len(ready) > 0 {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the guest has ended: %v\n%s", err, text.Bytes())
		}
		if each != nil {
			each(line)
		}
		ready = slices.DeleteFunc(ready, func(s string) bool { return strings.Contains(line, s) })
	}
	rest := make(chan struct{})
	go func() { io.Copy(io.Discard, lines); close(rest) }()
	return func() {
		<-rest
		if t.Failed() {
			t.Logf("the guest said:\n%s", text.Bytes())
		}
	}
}

// cpu is a command for a host that is named at the end of flags. Sessions see the terminal's files at one place, and nothing else of it: the less there
// is to mount, the sooner the command starts.
func cpu(dir string, flags []string, words ...string) *exec.Cmd {
	args := append([]string{"-F", "none", "-i", dir + "/key", "-n", dir + "/ns", "-e", "PATH=/mnt/term/usr/bin:/mnt/term/bin"}, flags...)
	return exec.Command(dir+"/cpu", append(args, words...)...)
}

// must runs a command that has to succeed, and gives what it wrote to standard output.
func must(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", c.Args, err, out, errs.Bytes())
	}
	return string(out)
}
