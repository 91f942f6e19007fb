//go:build linux

package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"cpu/lib/vm"
)

// guestKernel gives a kernel for guests of QEMU's, or skips the test.
func guestKernel(t *testing.T) vm.Kernel {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("guests of QEMU's are amd64 here, and run this machine's cpud")
	}
	needs(t, vm.QEMU, "qemu-system-x86")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := vm.FindKernel(cache+"/cpu/kernel", "/")
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("%v: mk kernel fetches one", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return kernel
}

// writeGuest writes a guest's system, which has the keys that newKeys has made, and gives the file.
func writeGuest(t *testing.T, dir, keys string, kernel vm.Kernel, modules ...string) string {
	t.Helper()
	s := vm.System{Cpud: programs + "/cpud", Kernel: kernel, Modules: append(modules, vm.Modules...), Hostname: "guest"}
	var err error
	if s.HostKey, err = os.ReadFile(keys + "/hostkey"); err != nil {
		t.Fatal(err)
	}
	if s.Authorized, err = os.ReadFile(keys + "/authorized"); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "guest.cpio"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Write(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// newGuest starts a guest and waits until the cpud in it listens.
func newGuest(t *testing.T, keys string, m vm.Machine) (*rig, *vm.Guest) {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), keys: keys, log: newLineLog(), flags: []string{"-l", "root"}}
	m.Accel, m.Alone = []string{"tcg"}, true
	m.Append = "mitigations=off tsc=unstable"
	g, err := vm.Start(t.Context(), m, r.log)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { g.Wait(); r.log.close(); close(ended) }()
	t.Cleanup(func() { // after t.Context's end
		<-ended
		if t.Failed() {
			t.Logf("the guest said:\n%s", r.log.text())
		}
	})
	if r.log.find(regexp.MustCompile(`listening on=vm\(`)) == "" {
		t.Fatal("the guest ended before cpud listened")
	}
	return r, g
}

// reachable waits until the guest has an address, which QEMU leases it.
func (r *rig) reachable(g *vm.Guest) {
	r.t.Helper()
	if got := r.log.find(regexp.MustCompile(`dhcp.*`)); !strings.HasPrefix(got, "dhcp eth0: 10.0.2.15/24 for ") {
		r.t.Fatalf("the guest has no address, but says %q", got)
	}
	r.addr = fmt.Sprint("127.0.0.1:", g.Port)
}

// TestGuest is a virtual machine that has a kernel and cpud, and nothing else: its own network, addressed by DHCP.
func TestGuest(t *testing.T) {
	t.Parallel()
	kernel := guestKernel(t)
	keys := t.TempDir()
	newKeys(t, keys, "cputest")
	r, g := newGuest(t, keys, vm.Machine{Kernel: kernel, Root: writeGuest(t, keys, keys, kernel), Memory: 512})
	r.reachable(g)

	script := `uname -nr; cat /proc/1/comm; ls /proc/1/root/lib
for dir in /proc /sys /dev /dev/pts /dev/shm /sys/fs/cgroup /run /tmp; do mountpoint -q $dir || echo $dir is not mounted; done
mkdir /sys/fs/cgroup/made && rmdir /sys/fs/cgroup/made && cat /sys/fs/cgroup/cgroup.procs | head -1`
	want := "guest " + strings.TrimPrefix(filepath.Base(kernel.Image), "vmlinuz-") + "\ninit\nmodules\n1\n"
	if got := must(t, r.terminal(nil, "sh", "-c", script)); got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	// Programs that only the terminal has, on a terminal that the guest makes.
	perl := needs(t, "perl", "perl")
	if got := must(t, r.terminal(nil, perl, "-MPOSIX", "-e", `open F, ">made"; print F ((POSIX::uname())[1]); close F; print 6*7`)); got != "42" {
		t.Errorf("perl said %q", got)
	}
	checkFile(t, r.dir+"/made", "guest")
	if got := must(t, r.terminal([]string{"-t"}, "tty")); got != "/dev/pts/0\r\n" {
		t.Errorf("the terminal is %q", got)
	}

	run(t, r.terminal(nil, "sh", "-c", "echo poweroff >/mnt/cpu/ctl; sleep 600"))
	r.log.ended()
}
