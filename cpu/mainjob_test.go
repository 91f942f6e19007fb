//go:build linux

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A board is a machine with a kernel and cpud, and nothing else: its own mounts, its own network, a root with /cpud, /dev, /proc and an
// empty /tmp. The script builds it around itself; when its standard input says that the cable is in, it becomes cpud.
const board = `set -eu
mount --make-rprivate /
mount -t tmpfs board "$1"
mkdir "$1/dev" "$1/proc" "$1/tmp" "$1/keys"
cp "$2/cpud" "$1/cpud"
cp "$3/hostkey" "$3/authorized" "$1/keys"
mount --rbind /dev "$1/dev"
mount -t proc proc "$1/proc"
read -r address
ip link set lo up
ip address add "$address/30" dev eth0
ip link set eth0 up
cd "$1"
case $4 in
chroot)
	exec chroot . /cpud -a "$address:17010" -hk /keys/hostkey -ak /keys/authorized ;;
pivot)
	pivot_root . tmp
	exec "/tmp$5" sh -c '"$1" umount -l /tmp; exec /cpud -a "$0:17010" -hk /keys/hostkey -ak /keys/authorized' "$address" "/tmp$5" ;;
esac
`

// newBoard starts a board and connects it to this machine with a cable of two virtual Ethernet devices.
func newBoard(t *testing.T, root string) *rig {
	if os.Getuid() != 0 {
		t.Skip("a network and a root of its own want root: run this test as root")
	}
	ip := needs(t, "ip", "iproute2")
	busybox := needs(t, "busybox", "busybox-static") // needs no libraries, which the board's root has none of
	r := &rig{t: t, dir: t.TempDir(), keys: t.TempDir()}
	newKeys(t, r.keys, "cputest")

	c := exec.Command("sh", "-c", board, "board", t.TempDir(), programs, r.keys, root, busybox)
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	plug, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r.beforeReady = func() {
		id := c.Process.Pid
		dev := fmt.Sprintf("cpu%d", id)
		here := fmt.Sprintf("10.%d.%d.1", 64+id/64%64, id%64*4)
		there := strings.TrimSuffix(here, "1") + "2"
		for _, args := range [][]string{
			{"link", "add", dev, "type", "veth", "peer", "name", "eth0", "netns", fmt.Sprint(id)},
			{"address", "add", here + "/30", "dev", dev},
			{"link", "set", dev, "up"},
		} {
			if out, err := exec.Command(ip, args...).CombinedOutput(); err != nil {
				plug.Close()
				t.Errorf("ip %s: %v: %s", strings.Join(args, " "), err, out)
				return
			}
		}
		if _, err := fmt.Fprintln(plug, there); err != nil {
			t.Error(err)
		}
	}
	r.start(c)
	return r
}

// TestMainJob is what all this is for: a board with nothing on it runs the terminal's programs on the terminal's files.
func TestMainJob(t *testing.T) {
	for _, root := range []string{"chroot", "pivot"} {
		t.Run(root, func(t *testing.T) {
			r := newBoard(t, root)
			// The file is the board's alone, the program the terminal's alone.
			if got := must(t, r.terminal(nil, "cat", "/keys/authorized")); !strings.HasPrefix(got, "ssh-ed25519 ") {
				t.Errorf("cat of the board's file gave %q", got)
			}
			mainJob(t, r)
		})
	}
}

// TestMainJobHere has terminal and server on one machine.
func TestMainJobHere(t *testing.T) { mainJob(t, newRig(t)) }

func mainJob(t *testing.T, r *rig) {
	t.Run("a service of Plan 9", func(t *testing.T) { plan9Service(t, r) })
	t.Run("python3", func(t *testing.T) {
		python := needs(t, "/usr/bin/python3", "python3")
		got := must(t, r.terminal(nil, python, "-c",
			"import json, hashlib; open('from-python', 'w').write(json.dumps({'md5': hashlib.md5(b'').hexdigest()})); print(6*7)"))
		if got != "42\n" {
			t.Errorf("python3 said %q, want 42", got)
		}
		checkFile(t, r.dir+"/from-python", "d41d8cd98f00b204e9800998ecf8427e")
	})
	t.Run("perl", func(t *testing.T) {
		perl := needs(t, "perl", "perl")
		write(t, r.dir+"/count.pl", []byte(`use strict; use List::Util qw(sum); my @n = <STDIN>; print sum(@n), "\n";`), 0o644)
		c := r.terminal(nil, perl, "count.pl")
		c.Stdin = strings.NewReader("1\n2\n39\n")
		if got := must(t, c); got != "42\n" {
			t.Errorf("perl said %q, want 42", got)
		}
	})
	t.Run("git clone", func(t *testing.T) {
		git := needs(t, "git", "git")
		origin := filepath.Join(r.dir, "origin")
		here := func(args ...string) {
			c := exec.Command(git, append([]string{"-C", origin, "-c", "user.name=t", "-c", "user.email=t@example"}, args...)...)
			must(t, c)
		}
		if err := os.Mkdir(origin, 0o755); err != nil {
			t.Fatal(err)
		}
		here("init", "-q")
		write(t, origin+"/hello", []byte("hello\n"), 0o644)
		here("add", "hello")
		here("commit", "-q", "-m", "hello")
		must(t, r.terminal(nil, git, "clone", "-q", "origin", "clone"))
		checkFile(t, r.dir+"/clone/hello", "hello")
		must(t, exec.Command(git, "-C", r.dir+"/clone", "fsck", "--strict"))
	})
	t.Run("gcc", func(t *testing.T) {
		gcc := needs(t, "gcc", "gcc")
		write(t, r.dir+"/main.c", []byte("#include <stdio.h>\nint main(void) { puts(\"compiled there\"); return 7; }\n"), 0o644)
		must(t, r.terminal(nil, gcc, "-O", "-o", "main", "main.c"))
		out, _, status := run(t, exec.Command(r.dir+"/main"))
		if out != "compiled there\n" || status != 7 {
			t.Errorf("at the terminal it said %q with exit status %d", out, status)
		}
		out, _, status = run(t, r.terminal(nil, "./main"))
		if out != "compiled there\n" || status != 7 {
			t.Errorf("on the board it said %q with exit status %d", out, status)
		}
	})
}

// checkFile looks into a file at the terminal.
func checkFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(got), want) {
		t.Errorf("%s has %q, want %q in it", path, got, want)
	}
}
