//go:build linux

package mnt_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"cpu/lib/mnt"

	"golang.org/x/sys/unix"
)

// The process that serves a mount must not touch it: the runtime could wait for itself. So this program is run again, in one of these
// roles, named by its first argument.
const (
	mountRole = "mnt-mount" // DIR: in a namespace of its own, mounts DIR with FUSE, sends the device over descriptor 3, runs cases
	guestRole = "mnt-guest" // CASE...: in a user-mode-linux guest, runs cases on a v9fs mount
	caseRole  = "mnt-case"  // CASE MNT TREE fuse|v9fs: runs one case
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case mountRole:
			os.Exit(report(mountMain(os.Args[2], os.Args[3])))
		case guestRole:
			os.Exit(report(guestMain(os.Args[2:])))
		case caseRole:
			os.Exit(report(caseMain(os.Args[2], os.Args[3], os.Args[4], os.Args[5] == "v9fs")))
		}
	}
	os.Exit(m.Run())
}

func report(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// failure is what a case panics with to end.
type failure struct{ error }

// place is where a case works: the mount, and the tree behind it as the far side sees it.
type place struct {
	mnt, tree string
	v9fs      bool // the mount is the kernel's
}

func (p place) fatal(format string, a ...any) { panic(failure{fmt.Errorf(format, a...)}) }

func (p place) check(err error) {
	if err != nil {
		_, file, line, _ := runtime.Caller(1)
		p.fatal("%s:%d: %v", file[strings.LastIndexByte(file, '/')+1:], line, err)
	}
}

func (p place) want(ok bool, format string, a ...any) {
	if !ok {
		_, file, line, _ := runtime.Caller(1)
		p.fatal("%s:%d: %s", file[strings.LastIndexByte(file, '/')+1:], line, fmt.Sprintf(format, a...))
	}
}

// sh runs a script with the mount as $M and the tree as $T, in the mount, and gives what it prints.
func (p place) sh(script string) string {
	c := exec.Command("sh", "-euc", `cd "$M"; `+script)
	c.Env = append(os.Environ(), "M="+p.mnt, "T="+p.tree, "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "PYTHONDONTWRITEBYTECODE=")
	out, err := c.CombinedOutput()
	if err != nil {
		_, file, line, _ := runtime.Caller(1)
		p.fatal("%s:%d: %v\n%s", file[strings.LastIndexByte(file, '/')+1:], line, err, out)
	}
	return string(out)
}

func caseMain(name, dir, tree string, v9fs bool) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r.error
		default:
			panic(r)
		}
	}()
	for _, c := range cases {
		if c.name == name {
			p := place{dir + "/" + name, tree + "/" + name, v9fs}
			p.check(os.Mkdir(p.tree, 0o755))
			c.run(p)
			return nil
		}
	}
	return errors.New("no such case: " + name)
}

// mountMain mounts dir, sends the device, and runs the cases whose names come on standard input, one a line. It answers with a line of
// JSON for each. The mount goes with the namespace.
func mountMain(dir, tree string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	dev, err := mnt.OpenFUSE(dir, mnt.Options{FSName: "tree"})
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(dev.Fd())), nil, 0); err != nil {
		return err
	}
	dev.Close()
	in := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		if err := out.Encode(runCase(in.Text(), dir, tree, "fuse")); err != nil {
			return err
		}
	}
	return in.Err()
}

// runCase gives what went wrong, or "".
func runCase(name, dir, tree, how string) string {
	c := exec.Command("/proc/self/exe", caseRole, name, dir, tree, how)
	c.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := c.CombinedOutput()
	if err == nil {
		return ""
	}
	return fmt.Sprintf("%v\n%s", err, out)
}

// mounter is a process in the role mountRole.
type mounter struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
	dev *os.File
}

// startMounter starts one that mounts dir, and waits until it has. An ordinary user's is in a user namespace.
func startMounter(t *testing.T, dir, tree string) *mounter {
	t.Helper()
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		t.Skipf("no FUSE here, see modprobe fuse: %v", err)
	} else {
		f.Close()
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	m := &mounter{cmd: exec.Command("/proc/self/exe", mountRole, dir, tree)}
	m.cmd.Stderr = os.Stderr
	m.cmd.ExtraFiles = []*os.File{theirs}
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if uid, gid := os.Getuid(), os.Getgid(); uid != 0 {
		m.cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		m.cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		m.cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	}
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	m.out = json.NewDecoder(out)
	if err := m.cmd.Start(); err != nil {
		if errors.Is(err, syscall.EPERM) {
			t.Skipf("no namespaces here: %v", err)
		}
		t.Fatal(err)
	}
	theirs.Close()
	t.Cleanup(func() {
		m.in.Close()
		m.cmd.Process.Kill()
		m.cmd.Wait()
	})
	oob := make([]byte, 64)
	_, n, _, _, err := unix.Recvmsg(int(ours.Fd()), make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n == 0 {
		t.Fatalf("the mounter sent no device: %v", err)
	}
	list, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&list[0])
	if err != nil {
		t.Fatal(err)
	}
	m.dev = os.NewFile(uintptr(fds[0]), "/dev/fuse")
	return m
}

// run runs a case in the mounter's namespace.
func (m *mounter) run(t *testing.T, name string) {
	t.Helper()
	if _, err := io.WriteString(m.in, name+"\n"); err != nil {
		t.Fatal(err)
	}
	var result string
	if err := m.out.Decode(&result); err != nil {
		t.Fatal(err)
	}
	if result != "" {
		t.Error(result)
	}
}
