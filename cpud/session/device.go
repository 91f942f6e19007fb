//go:build linux

package session

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxFD is how many descriptors #d has a name for.
const maxFD = 256

// device finds the tree that a device name is about, and the path below it.
func (b *builder) device(name string) (tree int, p string, err error) {
	if len(name) < 2 || len(name) > 2 && name[2] != '/' || !strings.Contains(devices, name[1:2]) {
		return -1, "", fmt.Errorf("%s: unknown device", name)
	}
	if !strings.Contains(b.devices, name[1:2]) {
		return -1, "", fmt.Errorf("%s: %w", name, unix.EPERM)
	}
	p = strings.TrimPrefix(name[2:], "/")
	if p == "" {
		p = "."
	}
	switch name[1] {
	case 'U':
		return b.server, p, nil
	case 'p':
		return b.server, "proc/" + p, nil
	case 'c':
		return b.server, "dev/" + p, nil
	case 's':
		return b.srv, p, nil
	case 'e':
		tree, err = b.small('e', b.environment)
	case 'd':
		tree, err = b.small('d', descriptors)
	}
	return tree, p, err
}

// small gives the tree of a device that is made when it is first named. It is attached, out of sight, because only what is attached can
// be bound.
func (b *builder) small(letter byte, fill func(dir int) error) (int, error) {
	if tree, ok := b.made[letter]; ok {
		return tree, nil
	}
	tree, err := b.tmpfs(0o755, b.user.uid, b.user.gid)
	if err != nil {
		return -1, err
	}
	err = fill(tree)
	if err == nil {
		err = b.stow(tree, string(letter))
	}
	if err != nil {
		unix.Close(tree)
		return -1, err
	}
	b.made[letter] = tree
	return tree, nil
}

// environment makes a file for each variable of the command's environment, its value the content.
func (b *builder) environment(dir int) error {
	for _, e := range b.setup.Env {
		name, value, _ := strings.Cut(e, "=")
		if name == "" || strings.Contains(name, "/") || name == "." || name == ".." {
			continue
		}
		fd, err := unix.Openat(dir, name, unix.O_CREAT|unix.O_TRUNC|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err == unix.ENAMETOOLONG {
			continue
		}
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), name)
		_, err = f.WriteString(value)
		if err == nil {
			err = f.Chown(int(b.user.uid), int(b.user.gid))
		}
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// descriptors makes names for the descriptors of whoever looks.
func descriptors(dir int) error {
	for n := range maxFD {
		s := strconv.Itoa(n)
		if err := unix.Symlinkat("/proc/self/fd/"+s, dir, s); err != nil {
			return err
		}
	}
	return nil
}
