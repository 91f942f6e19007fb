//go:build linux

package mnt

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// fusermount mounts as OpenFUSE does, with the help of the setuid program of that name, which passes the device back on a socket whose
// descriptor it finds in its environment: see fusermount3(1). Only the user himself gets in, for that is all it allows.
func fusermount(dir string, o Options) (*os.File, error) {
	fail := func(err error) (*os.File, error) { return nil, &os.PathError{Op: "mount", Path: dir, Err: err} }
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail(os.NewSyscallError("socketpair", err))
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "fusermount"), os.NewFile(uintptr(pair[1]), "fusermount")
	conn, err := fileConn(ours)
	if err != nil {
		theirs.Close()
		return fail(err)
	}
	defer conn.Close()
	options := "nosuid,nodev,subtype=9p,fsname=" + strings.NewReplacer(`\`, `\\`, ",", `\,`).Replace(o.source())
	if o.ReadOnly {
		options += ",ro"
	}
	c := exec.Command("fusermount3", "-o", options, "--", dir)
	c.Env = append(os.Environ(), "_FUSE_COMMFD=3")
	c.ExtraFiles = []*os.File{theirs}
	var said bytes.Buffer
	c.Stderr = &said
	err = c.Run()
	theirs.Close()
	if err != nil {
		if text := strings.TrimSpace(said.String()); text != "" {
			err = errors.New(text)
		}
		return fail(err)
	}
	dev, err := receive(conn)
	if err != nil {
		return fail(fmt.Errorf("fusermount3: %w", err))
	}
	return dev, nil
}

// receive takes one descriptor from a socket.
func receive(c *net.UnixConn) (*os.File, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := c.ReadMsgUnix(make([]byte, 1), oob)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return nil, errors.New("it sent no descriptor")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.New("it sent no descriptor")
	}
	unix.CloseOnExec(fds[0])
	return os.NewFile(uintptr(fds[0]), fuseDevice), nil
}

func fuserunmount(dir string) { exec.Command("fusermount3", "-u", "-z", "--", dir).Run() }

// fileConn makes a connection of a socket, which it owns.
func fileConn(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("%s: not a Unix socket", f.Name())
	}
	return u, nil
}
