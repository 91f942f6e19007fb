//go:build linux

package vm

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

// Modules are those that a guest of QEMU's needs to be a cpu server: randomness, its network, vsock, and both ways to mount a
// terminal's files.
var Modules = []string{"virtio_pci", "virtio_rng", "virtio_net", "vmw_vsock_virtio_transport", "fuse", "9p", "9pnet_fd"}

// A System is a guest's user space: cpud, and what it cannot be without.
type System struct {
	Cpud       string // the executable, static, for the guest's architecture
	Kernel     Kernel
	Modules    []string // to be loaded, besides those that they depend on
	HostKey    []byte   // the guest's, a private key as ssh-keygen(1) writes it
	Authorized []byte   // the keys that may come in as root, as in authorized_keys
	Hostname   string
}

// Where a System has its files.
const (
	hostKeyFile    = "etc/cpud/hostkey"
	modulesFile    = "etc/cpud/modules"
	authorizedFile = ".ssh/authorized_keys"
)

// Write writes the system as the archive that a kernel takes for its first root: cpud as /init, its keys, the modules and the list of them.
func (s System) Write(w io.Writer) error {
	cpud, err := os.ReadFile(s.Cpud)
	if err != nil {
		return err
	}
	modules, err := s.Kernel.load(s.Modules)
	if err != nil {
		return err
	}
	a := &archive{w: w}
	a.dir(".", 0o755) // else everybody may write in the guest's root, and nobody's list of keys there counts
	a.file("init", 0o755, cpud)
	a.dir("root", 0o700)
	a.file("etc/hostname", 0o644, []byte(s.Hostname+"\n"))
	a.dir("etc/cpud", 0o700)
	a.file(hostKeyFile, 0o600, s.HostKey)
	a.dir(".ssh", 0o700)
	a.file(authorizedFile, 0o600, s.Authorized)
	var list bytes.Buffer
	for _, m := range modules {
		path := "lib/modules/" + m.name + ".ko"
		a.file(path, 0o644, m.data)
		fmt.Fprintln(&list, "/"+path)
	}
	a.file(modulesFile, 0o644, list.Bytes())
	return a.close()
}

// arguments are cpud's, for what comes after -- on the kernel's command line.
func arguments() string {
	return strings.Join([]string{"-modules", "/" + modulesFile, "-dhcp", "eth*", "-a", ":" + Port, "-a", "vsock/:" + Port}, " ")
}
