//go:build linux

package main_test

import (
	"net"
	"os"
	"os/exec"
	"os/user"
	"testing"
)

// TestWindows has a terminal with Windows, as far as Wine is one: its files are on a drive, belong to nobody, and are written to in a session.
// Wine 8 does not know the calls that os.Root removes files by, nor symbolic links, so that there is nothing here of these.
func TestWindows(t *testing.T) {
	t.Parallel()
	const wine = "/usr/lib/wine/wine64"
	needs(t, wine, "wine64")
	linker := needs(t, "x86_64-w64-mingw32-ld", "binutils-mingw-w64-x86-64")
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir+"/", "cpu/cpu")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=windows", "GOARCH=amd64")
	must(t, build)
	windows := func(words ...string) *exec.Cmd {
		c := exec.Command(wine, words...)
		c.Env = append(os.Environ(), "WINEPREFIX="+dir+"/prefix", "WINEDEBUG=-all")
		c.Dir = dir
		return c
	}
	if err := os.Mkdir(dir+"/prefix", 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c := exec.Command("/usr/lib/wine/wineserver64", "-k", "-w")
		c.Env = append(os.Environ(), "WINEPREFIX="+dir+"/prefix")
		c.Run()
	})
	must(t, windows("wineboot", "-i"))
	// Go's random numbers come from a library that this Wine lacks; another one of it has the same function.
	write(t, dir+"/random.def", []byte("LIBRARY bcryptprimitives.dll\nEXPORTS\nProcessPrng = advapi32.SystemFunction036\n"), 0o644)
	must(t, exec.Command("sh", "-ec", `cd "$1" && : >empty.s && x86_64-w64-mingw32-as -o empty.o empty.s && "$2" --dll -e 0 -o prefix/drive_c/windows/system32/bcryptprimitives.dll empty.o random.def`, "sh", dir, linker))

	r := newRig(t)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(r.addr)
	if err != nil {
		t.Fatal(err)
	}
	work := dir + "/prefix/drive_c/work"
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	must(t, exec.Command("cp", r.keys+"/key", r.keys+"/known_hosts", work))
	write(t, work+"/ns", []byte("mount /srv/term /mnt/term\ncd /mnt/term$dir\n"), 0o644)
	write(t, work+"/file", []byte("on drive C\n"), 0o644)
	c := windows(dir+"/cpu.exe", "-F", "none", "-i", "key", "-o", "UserKnownHostsFile=known_hosts", "-o", "GlobalKnownHostsFile=none", "-o", "HostKeyAlias=cputest",
		"-o", "IdentityAgent=none", "-o", "ControlMaster=no", "-l", me.Username, "-p", port, "-r", `C:\work`, "-n", "ns", host,
		"sh", "-c", "cat file && mkdir dir && echo written >answer && mv answer dir/answer && cat DIR/answer; pwd; exit 3")
	c.Dir = work
	if out, errs, status := run(t, c); out != "on drive C\nwritten\n/mnt/term\n" || errs != "" || status != 3 {
		t.Errorf("said %q and %q, exit status %d", out, errs, status)
	}
	checkFile(t, work+"/dir/answer", "written\n")
}
