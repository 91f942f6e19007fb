//go:build linux

package main_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestArch is about a terminal with a system for another architecture, and a server that can run it; here by an emulator.
func TestArch(t *testing.T) {
	gcc := needs(t, "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")
	registerEmulator(t, needs(t, "qemu-aarch64-static", "qemu-user-static"))
	r := newRig(t)
	roots := t.TempDir()
	system := roots + "/" + strings.TrimSpace(must(t, exec.Command("go", "env", "GOARCH"))) // the server's, as $cputype has it
	for _, dir := range []string{"usr/bin", "usr/lib/aarch64-linux-gnu", "etc"} {
		if err := os.MkdirAll(system+"/"+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin", "lib"} {
		if err := os.Symlink("usr/"+dir, system+"/"+dir); err != nil {
			t.Fatal(err)
		}
	}
	for name, source := range map[string]string{
		"uname": `#include <stdio.h>
#include <sys/utsname.h>
int main(void) { struct utsname u; uname(&u); puts(u.machine); return 0; }`,
		"root": `#include <math.h>
#include <stdio.h>
int main(void) { double x; FILE *f = fopen("number", "r"); if (!f || fscanf(f, "%lf", &x) != 1) return 1; printf("%.3f\n", sqrt(x)); return 3; }`,
	} {
		write(t, roots+"/"+name+".c", []byte(source), 0o644)
		must(t, exec.Command(gcc, "-o", system+"/usr/bin/"+name, roots+"/"+name+".c", "-Wl,--no-as-needed", "-lm"))
	}
	const libraries = "/usr/aarch64-linux-gnu/lib/"
	for from, to := range map[string]string{
		"ld-linux-aarch64.so.1": "usr/lib/", "libc.so.6": "usr/lib/aarch64-linux-gnu/", "libm.so.6": "usr/lib/aarch64-linux-gnu/",
	} {
		must(t, exec.Command("cp", "-L", libraries+from, system+"/"+to))
	}
	write(t, roots+"/number", []byte("2\n"), 0o644)
	session := func(command ...string) *exec.Cmd {
		c := r.terminal([]string{"-r", roots, "-n", "arch", "-n", r.keys + "/here", "-e", "termroot=/"}, command...)
		c.Dir = roots
		return c
	}
	if got := must(t, session("uname", "-m")); got != "aarch64\n" {
		t.Errorf("uname -m says %q", got)
	}
	if out, errs, status := run(t, session("root")); out != "1.414\n" || errs != "" || status != 3 {
		t.Errorf("root says %q and %q, exit status %d", out, errs, status)
	}
}

// registerEmulator has the kernel run programs for arm64 by the emulator, which it opens now, so that no namespace needs to have it.
func registerEmulator(t *testing.T, emulator string) {
	t.Helper()
	const binfmt, name = "/proc/sys/fs/binfmt_misc/", "cpu-test-aarch64"
	if _, err := os.Stat(binfmt + "register"); errors.Is(err, fs.ErrNotExist) {
		exec.Command("mount", "-t", "binfmt_misc", "none", filepath.Clean(binfmt)).Run()
		t.Cleanup(func() { exec.Command("umount", filepath.Clean(binfmt)).Run() })
	}
	const (
		magic = `\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`
		mask  = `\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`
	)
	entry := ":" + name + ":M::" + magic + ":" + mask + ":" + emulator + ":F"
	if err := os.WriteFile(binfmt+"register", []byte(entry), 0); err != nil {
		t.Skipf("the kernel takes no interpreter for other programs: run this test as root, with binfmt_misc: %v", err)
	}
	t.Cleanup(func() { os.WriteFile(binfmt+name, []byte("-1"), 0) })
}
