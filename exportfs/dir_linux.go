//go:build !portable

package exportfs

import (
	"math"
	"os"
	"strings"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// dir is a directory held open to look into, by an O_PATH descriptor. Names given to its methods are names in that directory, never
// paths, never "." or "..": no method follows a symbolic link or leaves the directory.
type dir struct {
	fd    int
	id    ident
	live  liveness
	mount bool
}

const openPath = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC

// openRoot opens the directory that everything else is found from.
func openRoot(path string) (*dir, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	d, err := newDir(fd)
	if err != nil {
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if err := checkProc(fd); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// maxDescriptors is how many files this process may have open.
func maxDescriptors() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil || l.Cur > math.MaxInt32 {
		return math.MaxInt32
	}
	return int(l.Cur)
}

// newDir owns fd, also when it fails.
func newDir(fd int) (*dir, error) {
	var fsys unix.Statfs_t
	err := again(func() error { return unix.Fstatfs(fd, &fsys) })
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	d := &dir{fd: fd, live: liveFS(int64(fsys.Type))}
	i, err := statx(fd, "", unix.AT_EMPTY_PATH)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	d.id, d.mount = i.id, i.mount
	return d, nil
}

func (d *dir) close() { unix.Close(d.fd) }

// openDir opens the directory that names lead to, one in the other.
func (d *dir) openDir(names []string) (*dir, error) {
	fd, err := openBeneath(d.fd, names)
	if err != nil {
		return nil, err
	}
	return newDir(fd)
}

// openBeneath opens a directory some levels down, in one system call where the kernel can (Linux 5.6) and the path is not too long
// for one, else in several.
func openBeneath(fd int, names []string) (int, error) {
	if len(names) == 1 {
		return openEach(fd, names)
	}
	path := strings.Join(names, "/")
	if len(path) >= unix.PathMax {
		return openEach(fd, names)
	}
	how := unix.OpenHow{
		Flags:   openPath | unix.O_DIRECTORY,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	var sub int
	err := again(func() (err error) {
		sub, err = unix.Openat2(fd, path, &how)
		return err
	})
	switch err {
	case linux.ENOSYS, linux.EPERM, linux.EAGAIN:
		// An old kernel, a seccomp filter that does not know the call, or a rename overtook the kernel's own check.
		return openEach(fd, names)
	}
	return sub, err
}

// openEach opens the directories one after the other. A name alone cannot lead anywhere but to that entry.
func openEach(fd int, names []string) (int, error) {
	at := fd
	for _, name := range names {
		var sub int
		err := again(func() (err error) {
			sub, err = unix.Openat(at, name, openPath|unix.O_DIRECTORY, 0)
			return err
		})
		if at != fd {
			unix.Close(at)
		}
		if err != nil {
			return -1, err
		}
		at = sub
	}
	return at, nil
}

// stat describes the file at a name.
func (d *dir) stat(name string) (info, error) {
	i, err := statx(d.fd, name, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
	if err != nil {
		return info{}, err
	}
	switch {
	case i.id.dev == d.id.dev:
		i.live = d.live.holds(&i)
	case unix.Major(i.id.dev) == 0 && !i.attr.Mode.IsSymlink():
		// Another file system that is on no device: a mount point, or a member of an overlay.
		if o, err := d.pin(name); err == nil {
			i.live = o.liveness().holds(&i)
			o.unpin()
		}
	}
	return i, nil
}

// pin takes hold of the file at a name, whatever its kind, without opening it.
func (d *dir) pin(name string) (object, error) {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat(d.fd, name, openPath, 0)
		return err
	})
	return object{fd: fd}, err
}

// pinSelf is pin of the directory itself.
func (d *dir) pinSelf() (object, error) { return d.pin(".") }

// create makes a regular file that was not there before, and opens it.
func (d *dir) create(name string, flags p9.OpenFlags, mode p9.FileMode) (*handle, info, error) {
	var fd int
	err := again(func() (err error) {
		fd, err = unix.Openat(d.fd, name, systemFlags(flags)|unix.O_CREAT|unix.O_EXCL, uint32(mode&permissions))
		return err
	})
	if err != nil {
		return nil, info{}, err
	}
	h := &handle{fd: fd, flags: flags}
	i, err := d.grant(object{fd: fd}, mode)
	if err != nil {
		h.close()
		return nil, info{}, err
	}
	h.live, h.id = i.live, i.id
	return h, i, nil
}

// grant gives a file just made the permissions which this process's umask took from it: it is the far process's that counts, and it
// has been applied there. Where the directory has a default access list the umask is not applied, and the list says what is right.
func (d *dir) grant(o object, mode p9.FileMode) (info, error) {
	i, err := o.info()
	lost := mode & 0o777 &^ i.attr.Mode
	if err != nil || lost == 0 || i.attr.Mode.IsSymlink() {
		return i, err
	}
	if _, err := unix.Getxattr(object{fd: d.fd}.path(), "system.posix_acl_default", nil); err == nil {
		return i, nil
	}
	if err := o.chmod(i.attr.Mode | lost); err != nil {
		return i, err
	}
	return o.info()
}

// made describes what has just been made at a name, and grants it mode.
func (d *dir) made(name string, mode p9.FileMode) (info, error) {
	o, err := d.pin(name)
	if err != nil {
		return info{}, err
	}
	defer o.unpin()
	return d.grant(o, mode)
}

func (d *dir) mkdir(name string, mode p9.FileMode) (info, error) {
	if err := again(func() error { return unix.Mkdirat(d.fd, name, uint32(mode&permissions)) }); err != nil {
		return info{}, err
	}
	return d.made(name, mode)
}

func (d *dir) mknod(name string, mode p9.FileMode, major, minor uint32) (info, error) {
	dev := int(unix.Mkdev(major, minor))
	if err := again(func() error { return unix.Mknodat(d.fd, name, uint32(mode), dev) }); err != nil {
		return info{}, err
	}
	return d.made(name, mode)
}

func (d *dir) symlink(target, name string) (info, error) {
	if err := again(func() error { return unix.Symlinkat(target, d.fd, name) }); err != nil {
		return info{}, err
	}
	return d.stat(name)
}

func (d *dir) unlink(name string, isDir bool) error {
	flags := 0
	if isDir {
		flags = unix.AT_REMOVEDIR
	}
	return again(func() error { return unix.Unlinkat(d.fd, name, flags) })
}

// linkFile gives t's file one more name.
func (fs *FS) linkFile(t *file, to *heldDir, name string) error {
	o, err := t.object()
	if err != nil {
		return err
	}
	defer o.unpin()
	return again(func() error { return unix.Linkat(unix.AT_FDCWD, o.path(), to.fd, name, unix.AT_SYMLINK_FOLLOW) })
}

// renameFile has the kernel rename; the nodes are the caller's.
func (fs *FS) renameFile(from *heldDir, name string, to *heldDir, toName string) error {
	return again(func() error { return unix.Renameat(from.fd, name, to.fd, toName) })
}
