//go:build linux

package main_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A docker is a daemon of Docker's that is the test's own: its images, its containers, and none of the machine's network but by --network host.
type docker struct {
	t                *testing.T
	program, address string
}

// newDocker starts a daemon. Its end, with nothing left behind, is the test's cleanup.
func newDocker(t *testing.T) *docker {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("containers want root: run this test as root")
	}
	daemon := needs(t, "dockerd", "docker.io")
	dir, err := os.MkdirTemp("", "docker-") // t.TempDir's names are too long for a socket's
	if err != nil {
		t.Fatal(err)
	}
	d := &docker{t, needs(t, "docker", "docker.io"), "unix://" + dir + "/sock"}
	const identity = "/etc/docker/key.json" // made wherever the daemon's files are
	_, err = os.Stat(identity)
	hadNone := errors.Is(err, fs.ErrNotExist)
	log := newLineLog()
	c := exec.Command(daemon, "-H", d.address, "--data-root", dir+"/data", "--exec-root", dir+"/exec", "-p", dir+"/pid",
		"--storage-driver", "vfs", "--bridge", "none", "--iptables=false", "--ip-forward=false")
	c.Stderr = log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} // that it may end what it has started
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { c.Wait(); log.close(); close(ended) }()
	t.Cleanup(func() {
		c.Process.Signal(syscall.SIGTERM)
		<-ended
		if hadNone {
			os.Remove(identity)
			os.Remove("/etc/docker")
		}
		// It leaves the network that the containers shared with the machine where it held on to it.
		if err := syscall.Unmount(dir+"/exec/netns/default", syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if log.find(regexp.MustCompile("API listen on")) == "" {
		t.Fatalf("dockerd has ended:\n%s", log.text())
	}
	return d
}

// command is a command of docker's.
func (d *docker) command(args ...string) *exec.Cmd {
	return exec.Command(d.program, append([]string{"-H", d.address}, args...)...)
}

// run is docker run for a container on the machine's network, that is gone when it has ended.
func (d *docker) run(args ...string) *exec.Cmd {
	return d.command(append([]string{"run", "--rm", "--network", "host"}, args...)...)
}

// image builds this repository's Dockerfile. Where it builds, go is one that takes the programs of the tests: compiling them, and all that
// they are made of, once more is not what is looked at here.
func (d *docker) image(name string) {
	d.t.Helper()
	root := d.t.TempDir()
	for _, dir := range []string{"bin", "built", "tmp"} {
		if err := os.Mkdir(root+"/"+dir, 0o755); err != nil {
			d.t.Fatal(err)
		}
	}
	must(d.t, exec.Command("cp", programs+"/cpu", programs+"/cpud", root+"/built"))
	must(d.t, exec.Command("cp", needs(d.t, "busybox", "busybox-static"), root+"/bin/busybox"))
	write(d.t, root+"/bin/go", []byte(`#!/bin/busybox sh
test "$1" = build || exit 0
while test "$1" != -o; do shift; done
busybox mkdir -p "$2" && busybox cp /built/* "$2"
`), 0o755)
	if err := os.Symlink("busybox", root+"/bin/sh"); err != nil {
		d.t.Fatal(err)
	}
	d.load(root, name+"-go", "ENV PATH=/bin")
	must(d.t, d.command("build", "-q", "--network", "none", "--build-arg", "GO="+name+"-go", "-t", name, ".."))
}

// load makes an image of a directory.
func (d *docker) load(dir, name, change string) {
	d.t.Helper()
	c := exec.Command("sh", "-c", `tar -C "$1" -c . | "$2" -H "$3" import -c "$4" - "$5"`, "sh", dir, d.program, d.address, change, name)
	must(d.t, c)
}

// TestContainer has a container as server, and one as terminal, as the README shows.
func TestContainer(t *testing.T) {
	d := newDocker(t)
	d.image("cpu")
	t.Run("server", func(t *testing.T) {
		r := d.server(t, 0, "--cap-drop", "ALL", "--cap-add", "SYS_ADMIN", "--cap-add", "SYS_CHROOT", "--cap-add", "SETGID")
		r.flags = []string{"-l", "root"}
		checkContainer(t, r)
	})
	t.Run("server of a user", func(t *testing.T) {
		const nobody = 65534
		home := t.TempDir()
		if err := os.Chown(home, nobody, nobody); err != nil {
			t.Fatal(err)
		}
		r := d.server(t, nobody, "--cap-drop", "ALL", "--security-opt", "seccomp=unconfined", "--user", "65534:65534",
			"-v", "/etc/passwd:/etc/passwd:ro", "-v", home+":/home", "-e", "HOME=/home")
		r.flags = []string{"-l", "nobody"}
		checkContainer(t, r)
	})
	t.Run("terminal", func(t *testing.T) { d.terminal(t) })
}

// server is a container whose cpud runs as uid.
func (d *docker) server(t *testing.T, uid int, flags ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), keys: t.TempDir()}
	newKeys(t, r.keys, "cputest")
	for _, f := range []string{r.keys, r.keys + "/hostkey", r.keys + "/authorized"} {
		if err := os.Chown(f, uid, -1); err != nil {
			t.Fatal(err)
		}
	}
	flags = append([]string{"-v", r.keys + ":/keys:ro", "--device", "/dev/fuse"}, flags...)
	r.start(d.run(append(flags, "cpu", "-a", "127.0.0.1:0", "-hk", "/keys/hostkey", "-ak", "/keys/authorized")...))
	return r
}

// checkContainer has a program that only the terminal has run in the container, on a file of the terminal's.
func checkContainer(t *testing.T, r *rig) {
	t.Helper()
	perl := needs(t, "perl", "perl")
	got := must(t, r.terminal(nil, perl, "-MPOSIX", "-e", `open F, ">made"; print F 6*7; close F; open P, "/proc/1/comm"; print <P>`))
	if got != "cpud\n" {
		t.Errorf("process 1 is %q", got)
	}
	checkFile(t, r.dir+"/made", "42")
}

// terminal runs a program that is only in a container on this machine, on the container's files.
func (d *docker) terminal(t *testing.T) {
	dir := t.TempDir()
	must(t, exec.Command("cp", needs(t, "busybox", "busybox-static"), dir+"/busybox"))
	write(t, dir+"/Dockerfile", []byte("FROM scratch\nCOPY --from=cpu /usr/bin/cpu /usr/bin/\nCOPY busybox /app/\nWORKDIR /app\n"), 0o644)
	must(t, d.command("build", "-q", "-t", "app", dir))
	r := newRig(t)
	host, port, _ := strings.Cut(r.addr, ":")
	data := t.TempDir()
	got := must(t, d.run("-v", r.keys+":/root/.ssh:ro", "-v", data+":/workspace", "-w", "/workspace", "-e", "HOME=/root", "--entrypoint", "cpu", "app",
		"-F", "none", "-i", "/root/.ssh/key", "-o", "HostKeyAlias=cputest", "-p", port, "-l", "root", "-n", "docker", host,
		"/app/busybox", "sh", "-c", "/app/busybox pidof cpud; echo made >file"))
	if !strings.Contains(" "+strings.TrimSpace(got)+" ", " "+strconv.Itoa(r.daemon.Process.Pid)+" ") {
		t.Errorf("there run as cpud %q, and not %d", got, r.daemon.Process.Pid)
	}
	checkFile(t, data+"/file", "made")
}
