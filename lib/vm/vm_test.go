//go:build linux

package vm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// modinfo is the least of an ELF file that tells what a module depends on.
func modinfo(t *testing.T, depends string) []byte {
	t.Helper()
	info := "license=GPL\x00depends=" + depends + "\x00name=x\x00"
	names := "\x00.modinfo\x00.shstrtab\x00"
	const header, section = 64, 64
	h := elf.Header64{Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: header, Shentsize: section, Shnum: 3, Shstrndx: 2,
		Shoff: header + uint64(len(info)+len(names))}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	var b bytes.Buffer
	for _, part := range []any{h, []byte(info + names), elf.Section64{},
		elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: header, Size: uint64(len(info))},
		elf.Section64{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: header + uint64(len(info)), Size: uint64(len(names))}} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// kernelDir makes a directory as a kernel's package has it: virtio depends on virtio_ring, virtio_net on both, and unix is built in.
func kernelDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"boot/vmlinuz-6.1": nil, "boot/vmlinuz-7.0": nil, // whose modules are not there
		"lib/modules/6.1/modules.builtin":              []byte("kernel/net/unix/unix.ko\n"),
		"lib/modules/6.1/kernel/drivers/virtio.ko":     modinfo(t, "virtio_ring"),
		"lib/modules/6.1/kernel/drivers/virtio-net.ko": modinfo(t, "virtio,virtio_ring"),
		"lib/modules/6.1/kernel/virtio_ring.ko":        modinfo(t, ""),
		"lib/modules/6.1/kernel/broken.ko":             []byte("not a module"),
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(dir+"/"+name), 0o755), os.WriteFile(dir+"/"+name, data, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestKernel(t *testing.T) {
	dir := kernelDir(t)
	k, err := FindKernel(t.TempDir(), dir)
	if err != nil || k.Image != dir+"/boot/vmlinuz-6.1" || k.Modules != dir+"/lib/modules/6.1" {
		t.Fatalf("found %+v, %v", k, err)
	}
	if _, err := FindKernel(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("where there is none: %v", err)
	}
	modules, err := k.load([]string{"unix", "virtio-net", "virtio"})
	var names []string
	for _, m := range modules {
		names = append(names, m.name)
	}
	if want := []string{"virtio_ring", "virtio", "virtio_net"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("loaded in the order %q, %v; want %q", names, err, want)
	}
	for _, name := range []string{"none", "broken"} {
		if _, err := k.load([]string{name}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("module %s: %v", name, err)
		}
	}
}

// TestSystem has busybox read the archive.
func TestSystem(t *testing.T) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("busybox is not installed: apt install busybox-static")
	}
	k, err := FindKernel(kernelDir(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/cpud", []byte("cpud's"), 0o644); err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	s := System{Cpud: dir + "/cpud", Kernel: k, Modules: []string{"virtio_net"}, HostKey: []byte("secret"), Authorized: []byte("public"), Hostname: "h"}
	if err := s.Write(&archive); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(busybox, "cpio", "-idm")
	c.Stdin, c.Dir = &archive, t.TempDir()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("cpio: %v: %s", err, out)
	}
	for name, want := range map[string]struct {
		mode fs.FileMode
		text string
	}{
		"init":                       {0o755, "cpud's"},
		"etc/hostname":               {0o644, "h\n"},
		"etc/cpud/hostkey":           {0o600, "secret"},
		"etc/cpud/modules":           {0o644, "/lib/modules/virtio_ring.ko\n/lib/modules/virtio.ko\n/lib/modules/virtio_net.ko\n"},
		".ssh/authorized_keys":       {0o600, "public"},
		"lib/modules/virtio_ring.ko": {0o644, string(modinfo(t, ""))},
		".ssh":                       {mode: fs.ModeDir | 0o700}, "etc": {mode: fs.ModeDir | 0o755},
	} {
		info, err := os.Stat(c.Dir + "/" + name)
		if err != nil {
			t.Error(err)
			continue
		}
		if info.Mode() != want.mode {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), want.mode)
		}
		if b, _ := os.ReadFile(c.Dir + "/" + name); string(b) != want.text {
			t.Errorf("%s has %q, want %q", name, b, want.text)
		}
	}
}
