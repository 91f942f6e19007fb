//go:build linux

// Vm boots a virtual machine that is a cpu server and nothing else, for whoever runs mk vm: a kernel, cpud as its process 1, and the user's keys.
// It says how to reach the machine, shows its console, and ends with it, or ends it at SIGINT.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"cpu/lib/vm"

	"golang.org/x/crypto/ssh"
)

func main() {
	cache, err := os.UserCacheDir()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
	o := options{dir: filepath.Join(cache, "cpu")}
	flag.StringVar(&o.cpud, "cpud", "bin/cpud", "the cpud `executable`, static")
	flag.StringVar(&o.kernel, "kernel", "", "a `directory` with boot/vmlinuz-VERSION and lib/modules/VERSION (default this machine's, or what mk kernel has fetched)")
	flag.StringVar(&o.keys, "keys", "", "a `file` with the keys that may come in (default ~/.ssh/id_*.pub)")
	flag.StringVar(&o.modules, "modules", "", "more kernel modules, a `list` with commas")
	flag.StringVar(&o.accel, "accel", "kvm,tcg", "QEMU's accelerators, a `list` with commas, of which the first that works is used")
	flag.IntVar(&o.memory, "m", 1024, "memory, in `MiB`")
	flag.IntVar(&o.cpus, "smp", 1, "`number` of processors")
	flag.IntVar(&o.port, "p", 0, "`port` of the loopback that leads to the guest (default a free one)")
	flag.UintVar(&o.cid, "cid", 3, "the guest's `number` on vsock, where the machine has /dev/vhost-vsock")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: vm [flags] [argument of QEMU's ...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	o.more = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		os.Exit(1)
	}
}

type options struct {
	dir                         string // for what is kept from one guest to the next
	cpud, kernel, keys, modules string
	accel                       string
	memory, cpus, port          int
	cid                         uint
	more                        []string // arguments of QEMU's
}

func run(ctx context.Context, o options) error {
	kernels := []string{"/", filepath.Join(o.dir, "kernel")}
	if o.kernel != "" {
		kernels = []string{o.kernel}
	}
	kernel, err := vm.FindKernel(kernels...)
	if err != nil {
		return fmt.Errorf("%w (mk kernel fetches one)", err)
	}
	keys, err := authorized(o.keys)
	if err != nil {
		return err
	}
	dir := filepath.Join(o.dir, "vm")
	hostKey, err := identity(dir)
	if err != nil {
		return err
	}
	s := vm.System{Cpud: o.cpud, Kernel: kernel, HostKey: hostKey, Authorized: keys, Hostname: "vm",
		Modules: append(vm.Modules, words(o.modules)...)}
	root, err := os.CreateTemp("", "cpu-vm-")
	if err != nil {
		return err
	}
	defer os.Remove(root.Name())
	w := bufio.NewWriter(root)
	if err := errors.Join(s.Write(w), w.Flush(), root.Close()); err != nil {
		return err
	}
	m := vm.Machine{Kernel: kernel, Root: root.Name(), CPUs: o.cpus, Memory: o.memory, Port: o.port, Accel: words(o.accel), More: o.more}
	if writable("/dev/vhost-vsock") {
		m.CID = uint32(o.cid)
	}
	g, err := vm.Start(ctx, m, os.Stdout)
	if err != nil {
		return err
	}
	fmt.Println("When it listens, reach it by")
	cpu := fmt.Sprintf("\n\tcpu -l root -o UserKnownHostsFile=%s -o HostKeyAlias=%s", filepath.Join(dir, "known_hosts"), alias)
	if m.CID != 0 {
		fmt.Printf("%s vsock/%d\n", cpu, m.CID)
	}
	fmt.Printf("%s -p %d localhost\n\n", cpu, g.Port)
	fmt.Print("Interrupt, or poweroff written to /mnt/cpu/ctl in a session, ends it.\n\n")
	return g.Wait()
}

// words are those of a list with commas.
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// writable says whether a device is there for this user.
func writable(device string) bool {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// authorized reads the keys that may come in, from a file or from all that the user has.
func authorized(file string) ([]byte, error) {
	if file != "" {
		return os.ReadFile(file)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(home + "/.ssh/id_*.pub")
	if err != nil {
		return nil, err
	}
	var all []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		all = append(append(all, bytes.TrimSpace(b)...), '\n')
	}
	if all == nil {
		return nil, fmt.Errorf("%s/.ssh/id_*.pub: no key that may come in: make one with ssh-keygen, or name a file with -keys", home)
	}
	return all, nil
}

// alias is what known_hosts calls the guests.
const alias = "cpu-vm"

// identity gives the guests' host key, which lasts, and is made, with the known_hosts beside it, where there is none.
func identity(dir string) ([]byte, error) {
	file := filepath.Join(dir, "hostkey")
	if key, err := os.ReadFile(file); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, err
	}
	known, err := ssh.NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	key := pem.EncodeToMemory(block)
	return key, errors.Join(os.MkdirAll(dir, 0o700),
		os.WriteFile(filepath.Join(dir, "known_hosts"), []byte(alias+" "+string(ssh.MarshalAuthorizedKey(known))), 0o600),
		os.WriteFile(file, key, 0o600))
}
