//go:build linux

// Package vm makes virtual machines whose whole user space is cpud, and runs them in QEMU: a Linux kernel of Debian's, an archive with cpud as
// /init, and nothing else.
//
// The program beside it, which mk vm runs, calls it for users, and the tests for themselves. It never downloads a kernel, makes no disk, and gives
// a guest none of this machine's files: those are what cpu(1) is for.
package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
)

// Port is where cpud listens in a guest, on its network and over vsock.
const Port = "17010"

// QEMU is the program that runs guests, which Debian's package qemu-system-x86 has.
const QEMU = "qemu-system-x86_64"

// A Machine is what a guest sees as its hardware.
type Machine struct {
	Kernel Kernel
	Root   string   // a file that System.Write has written
	Append string   // what the kernel is told, besides what a guest of this package needs
	Type   string   // of QEMU's machines; "": its own choice
	CPU    string   // of QEMU's processors; "": its own choice
	CPUs   int      // 0: one
	Memory int      // MiB
	Accel  []string // of QEMU's accelerators, the first that works
	CID    uint32   // the guest's number on vsock, 3 or more; 0: it is not on vsock. It wants /dev/vhost-vsock
	Port   int      // of this machine's loopback, which leads to cpud in the guest; 0: a free one
	Alone  bool     // the guest's network leads nowhere
	More   []string // arguments of QEMU's, for other hardware
}

// args are QEMU's. The guest's console goes to descriptor 3, QMP to standard input and output.
func (m Machine) args() []string {
	network := fmt.Sprintf("user,id=net,hostfwd=tcp:127.0.0.1:%d-:%s", m.Port, Port)
	if m.Alone {
		network += ",restrict=on"
	}
	args := []string{"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-vga", "none",
		"-chardev", "file,id=console,path=/dev/fd/3", "-serial", "chardev:console", "-qmp", "stdio",
		"-smp", strconv.Itoa(max(m.CPUs, 1)), "-m", strconv.Itoa(m.Memory),
		"-kernel", m.Kernel.Image, "-initrd", m.Root,
		"-append", "console=ttyS0 quiet panic=-1 " + m.Append + " -- " + arguments(),
		"-device", "virtio-rng-pci", "-netdev", network, "-device", "virtio-net-pci,netdev=net,romfile="}
	for _, a := range m.Accel {
		args = append(args, "-accel", a)
	}
	if m.Type != "" {
		args = append(args, "-M", m.Type)
	}
	if m.CPU != "" {
		args = append(args, "-cpu", m.CPU)
	}
	if m.CID != 0 {
		args = append(args, "-device", fmt.Sprintf("vhost-vsock-pci,guest-cid=%d", m.CID))
	}
	return append(args, m.More...)
}

// A Guest is a machine that runs.
type Guest struct {
	Port int // of this machine's loopback, which leads to cpud in the guest

	qemu   *exec.Cmd
	copied chan error // the console's end
}

// Start starts a guest, whose console is written to console. It runs until it turns itself off, or ctx is done; the caller must wait for that. At
// Start's return cpud does not listen yet: it says so on the console.
func Start(ctx context.Context, m Machine, console io.Writer) (*Guest, error) {
	qemu := exec.CommandContext(ctx, QEMU, m.args()...)
	qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	qemu.Stderr = console
	in, err := qemu.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := qemu.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	qemu.ExtraFiles = []*os.File{w}
	err = qemu.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	g := &Guest{qemu: qemu, copied: make(chan error, 1)}
	go func() {
		_, err := io.Copy(console, r)
		r.Close()
		g.copied <- err
	}()
	if g.Port, err = forwarded(in, out); err != nil {
		qemu.Process.Kill()
		return nil, errors.Join(fmt.Errorf("%s: %w", QEMU, err), g.Wait())
	}
	return g, nil
}

// Wait waits for the guest's end, and the last of its console.
func (g *Guest) Wait() error {
	err := g.qemu.Wait()
	return errors.Join(err, <-g.copied)
}

// rule is the line about a forwarded port in what QEMU says of its network: protocol, descriptor, address and port here.
var rule = regexp.MustCompile(`TCP\[HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)\s`)

// forwarded asks QEMU, over QMP, which port it forwards.
func forwarded(in io.Writer, out io.Reader) (int, error) {
	lines := bufio.NewReader(out)
	for _, command := range []string{`{"execute":"qmp_capabilities"}`,
		`{"execute":"human-monitor-command","arguments":{"command-line":"info usernet"}}`} {
		if _, err := fmt.Fprintln(in, command); err != nil {
			return 0, err
		}
	}
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return 0, err
		}
		var answer struct {
			Return json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			return 0, err
		}
		if answer.Error != nil {
			return 0, errors.New(answer.Error.Desc)
		}
		var text string
		if json.Unmarshal(answer.Return, &text) != nil {
			continue // a greeting, an event, or that capabilities are agreed on
		}
		match := rule.FindStringSubmatch(text)
		if match == nil {
			return 0, fmt.Errorf("no forwarded port in %q", text)
		}
		return strconv.Atoi(match[1])
	}
}
