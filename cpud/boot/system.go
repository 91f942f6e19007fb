//go:build linux

package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// mounts are what a system has, in order.
var mounts = []struct {
	dir, kind, options string
	flags              uintptr
}{
	{"/proc", "proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{"/sys", "sysfs", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{"/dev", "devtmpfs", "mode=755", unix.MS_NOSUID},
	{"/dev/pts", "devpts", "mode=620,ptmxmode=666", unix.MS_NOSUID | unix.MS_NOEXEC},
	{"/dev/shm", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
	{"/sys/fs/cgroup", "cgroup2", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
	{"/run", "tmpfs", "mode=755", unix.MS_NOSUID | unix.MS_NODEV},
	{"/tmp", "tmpfs", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
}

// links are what programs look for in /dev.
var links = [][2]string{{"/proc/self/fd", "/dev/fd"}, {"fd/0", "/dev/stdin"}, {"fd/1", "/dev/stdout"}, {"fd/2", "/dev/stderr"}, {"pts/ptmx", "/dev/ptmx"}}

// Prepare makes the system: what is mounted, the kernel's modules, the loopback, the name of the machine. What is there already stays. It does all
// that it can, and returns what it could not.
func Prepare(o Options) (failed []error) {
	note := func(err error) {
		if err != nil {
			failed = append(failed, err)
		}
	}
	for _, m := range mounts {
		if mounted(m.dir) {
			continue
		}
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			note(err)
			continue
		}
		if err := unix.Mount(m.kind, m.dir, m.kind, m.flags, m.options); err != nil && err != unix.EBUSY {
			note(&os.PathError{Op: "mount " + m.kind, Path: m.dir, Err: err})
		}
	}
	for _, l := range links {
		if err := os.Symlink(l[0], l[1]); err != nil && !errors.Is(err, fs.ErrExist) {
			note(err)
		}
	}
	note(loadModules(o.Modules))
	note(setUp("lo"))
	note(setHostname(o.Hostname))
	return failed
}

// mounted says whether dir is the root of a mount: its parent is on another device, or itself.
func mounted(dir string) bool {
	var d, up unix.Stat_t
	if unix.Stat(dir, &d) != nil || unix.Stat(dir+"/..", &up) != nil {
		return false
	}
	return d.Dev != up.Dev
}

// loadModules loads what a file lists.
func loadModules(file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var failed []error
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := loadModule(words[0], strings.Join(words[1:], " ")); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func loadModule(path, parameters string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), parameters, 0); err != nil && err != unix.EEXIST {
		return fmt.Errorf("load %s: %w", path, err)
	}
	return nil
}

// setUp brings an interface up.
func setUp(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.SetUint16(r.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func setHostname(name string) error {
	if name == "" {
		b, err := os.ReadFile("/etc/hostname")
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name = strings.TrimSpace(string(b))
	}
	if name == "" {
		return nil
	}
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("host name %s: %w", name, err)
	}
	return nil
}
