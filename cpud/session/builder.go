//go:build linux

package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"cpu/lib/mnt"
	"cpu/nsfile"

	"golang.org/x/sys/unix"
)

// termDir is where the terminal's files are in every session that has them.
const termDir = "/mnt/term"

// builder carries out a namespace file in the helper's namespace. It is an nsfile.Builder; its methods run on the helper's thread.
type builder struct {
	*root
	user  *user
	setup *setup
	ask   func(m *message, files ...*os.File) (*message, error) // asks cpud

	dir     string  // the current directory, absolute and clean
	cd      bool    // a cd line set it
	devices string  // letters of the devices that may be named
	done    []*line // what was carried out
	changed bool    // something was bound or mounted
}

// line is an operation that was carried out, with what it mounted, if it did.
type line struct {
	nsfile.Op
	what, at string
	union    *joined // that the mount is a member of; nil: it is alone
}

// devices has the letters of all there are.
const devices = "Upcesd"

func newBuilder(r *root, u *user, s *setup, ask func(*message, ...*os.File) (*message, error)) *builder {
	return &builder{root: r, user: u, setup: s, ask: ask, dir: "/", devices: devices}
}

// build carries out the namespace file of the setup.
func (b *builder) build(ctx context.Context) error {
	ops, err := nsfile.Parse("ns", strings.NewReader(b.setup.Namespace))
	if err != nil {
		return err
	}
	return nsfile.Eval(ctx, ops, b, b.getenv)
}

// getenv knows the variables of a namespace file: what was set for it, then the command's environment.
func (b *builder) getenv(name string) (string, bool) {
	if v, ok := b.setup.Vars[name]; ok {
		return v, true
	}
	return lookupEnv(b.setup.Env, name)
}

// String prints what was done as a namespace file that does it again.
func (b *builder) String() string {
	var ops []nsfile.Op
	for _, l := range b.done {
		ops = append(ops, l.Op)
	}
	return nsfile.Format(append(ops, nsfile.Op{Verb: nsfile.Cd, Args: []nsfile.Word{nsfile.Text(b.dir)}}))
}

// record remembers an operation that was carried out.
func (b *builder) record(v nsfile.Verb, f nsfile.Flags, args ...string) *line {
	l := &line{Op: nsfile.Op{Verb: v, Flags: f &^ nsfile.Quiet}}
	for _, a := range args {
		l.Args = append(l.Args, nsfile.Text(a))
	}
	b.done = append(b.done, l)
	return l
}

// put remembers an operation that mounted what at old.
func (b *builder) put(u *joined, what, old string, v nsfile.Verb, f nsfile.Flags, args ...string) {
	l := b.record(v, f, args...)
	l.what, l.at, l.union = what, old, u
	b.changed = true
}

func (b *builder) abs(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(b.dir, p)
}

// unite is the flags that make a union.
const unite = nsfile.After | nsfile.Before

// Mount mounts a service's tree, or that of a Unix socket.
func (b *builder) Mount(ctx context.Context, serv, old, spec string, f nsfile.Flags) error {
	serv, old = b.abs(serv), b.abs(old)
	m, err := b.attachTo(ctx, serv, spec)
	if err != nil {
		return err
	}
	u, err := b.mountTree(m.Tree, path.Base(serv), spec, serv, old, f)
	if err != nil {
		return err
	}
	args := []string{serv, old}
	if spec != "" {
		args = append(args, spec)
	}
	b.put(u, serv, old, nsfile.Mount, f, args...)
	return nil
}

// Import mounts the files of a third machine, which the terminal has posted.
func (b *builder) Import(ctx context.Context, host, tree, old string, f nsfile.Flags) error {
	old = b.abs(old)
	name := nsfile.ImportService(host)
	if !slices.Contains(b.setup.Services, name) {
		return errors.New("the terminal offers no way there")
	}
	m, err := b.ask(&message{Kind: kindAttach, Name: name, Spec: tree})
	if err != nil {
		return err
	}
	u, err := b.mountTree(m.Tree, name, tree, host, old, f)
	if err != nil {
		return err
	}
	args := []string{host, old}
	if tree != "/" {
		args = []string{host, tree, old}
	}
	b.put(u, host, old, nsfile.Import, f, args...)
	return nil
}

// attachTo has cpud attach to the tree spec of what is posted, or listens, at serv.
func (b *builder) attachTo(ctx context.Context, serv, spec string) (*message, error) {
	if dir, name := path.Split(serv); dir == "/srv/" {
		for _, s := range b.setup.Services {
			if s == name {
				return b.ask(&message{Kind: kindAttach, Name: name, Spec: spec})
			}
		}
	}
	conn, err := b.dial(serv)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return b.ask(&message{Kind: kindAttach, Spec: spec}, conn)
}

// dial connects to a Unix socket as the user.
func (b *builder) dial(p string) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := b.user.as(func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: p}) }); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), p), nil
}

// mountTree mounts the tree that cpud has under that number at old, or makes it a member, called what, of the union there, which it returns.
func (b *builder) mountTree(tree int, name, spec, what, old string, f nsfile.Flags) (u *joined, err error) {
	mount := func(at int, undo func()) error {
		// A command of root's may become another user, for whom the far side, which knows of one user only, must not open what is root's.
		o := mnt.Options{FSName: name, CheckModes: b.setup.Become && b.setup.UID == 0}
		if b.setup.FUSE {
			return b.withFUSE(at, o, undo, func(dev *os.File) error {
				_, err := b.ask(&message{Kind: kindFUSE, Tree: tree, Name: name}, dev)
				return err
			})
		}
		return b.withV9FS(at, o, spec, func(conn *os.File) error {
			_, err := b.ask(&message{Kind: kindV9FS, Tree: tree, Name: name, Spec: spec}, conn)
			return err
		})
	}
	if f&unite == 0 {
		var at int
		if at, err = b.point(b.user, old, true); err == nil {
			err = mount(at, func() { b.unmountAt(old) })
			unix.Close(at)
		}
	} else {
		var dir int
		if dir, err = b.stage(mount); err == nil {
			u, err = b.join(dir, what, old, f)
		}
	}
	if err != nil {
		b.ask(&message{Kind: kindDrop, Tree: tree})
		return nil, reason(err)
	}
	return u, nil
}

// withFUSE mounts FUSE on the directory at and has serve see to it that the device is served; where that fails it undoes the mount.
func (b *builder) withFUSE(at int, o mnt.Options, undo func(), serve func(dev *os.File) error) error {
	var dev *os.File
	// The session's /dev may be anything by now.
	err := b.inServer(at, func() (err error) { dev, err = mnt.OpenFUSE(".", o); return err })
	if err != nil {
		return err
	}
	defer dev.Close()
	if err := serve(dev); err != nil {
		undo()
		return err
	}
	return nil
}

// withV9FS has serve speak 9P on one end of a socket, and the kernel mount the other on the directory at.
func (b *builder) withV9FS(at int, o mnt.Options, spec string, serve func(conn *os.File) error) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), o.FSName), os.NewFile(uintptr(pair[1]), o.FSName)
	defer ours.Close()
	defer theirs.Close()
	if err := serve(theirs); err != nil {
		return err
	}
	theirs.Close()
	return b.inServer(at, func() error { return mnt.MountV9FS(".", ours, o, spec) })
}

// stage has mount mount something out of sight, on the directory at, and returns a detached copy of that. Mount calls undo if it fails later
// than that.
func (b *builder) stage(mount func(at int, undo func()) error) (tree int, err error) {
	const dir = "stage"
	if err := unix.Mkdirat(b.cover, dir, 0o755); err != nil && err != unix.EEXIST {
		return -1, err
	}
	open := func() (int, error) {
		return unix.Openat(b.cover, dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	unmount := func() {
		if root, err := open(); err == nil {
			if unix.Fchdir(root) == nil {
				unix.Unmount(".", unix.MNT_DETACH)
				unix.Chdir("/")
			}
			unix.Close(root)
		}
	}
	at, err := open()
	if err != nil {
		return -1, err
	}
	defer unix.Close(at)
	if err := mount(at, unmount); err != nil {
		return -1, err
	}
	defer unmount()
	return cloneTree(b.cover, dir)
}

// Bind makes what is at new seen at old.
func (b *builder) Bind(ctx context.Context, new, old string, f nsfile.Flags) error {
	if !strings.HasPrefix(new, "#") {
		new = b.abs(new)
	}
	old = b.abs(old)
	from, err := b.source(new)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	dir, err := isDir(from)
	if err != nil {
		return err
	}
	// Copied before the mount point is made, which may replace what it was found in.
	tree, err := cloneTree(from, "")
	if err != nil {
		return err
	}
	if f&unite != 0 {
		u, err := b.join(tree, new, old, f) // which keeps it
		if err != nil {
			return err
		}
		b.put(u, new, old, nsfile.Bind, f, new, old)
		return nil
	}
	defer unix.Close(tree)
	at, err := b.point(b.user, old, dir)
	if err != nil {
		return fmt.Errorf("%s: %w", old, err)
	}
	defer unix.Close(at)
	if err := attach(tree, at, ""); err != nil {
		return err
	}
	b.put(nil, new, old, nsfile.Bind, f, new, old)
	return nil
}

// source opens what a bind is to show, as the user.
func (b *builder) source(new string) (fd int, err error) {
	base, p, resolve := unix.AT_FDCWD, new, uint64(0)
	if strings.HasPrefix(new, "#") {
		if base, p, err = b.device(new); err != nil {
			return -1, err
		}
		resolve = unix.RESOLVE_IN_ROOT
	}
	err = b.user.as(func() error { fd, err = lookup(base, p, 0, resolve); return err })
	return fd, err
}

// Unmount takes what was mounted or bound at old away: the last with the name new, or all.
func (b *builder) Unmount(ctx context.Context, new, old string) error {
	old = b.abs(old)
	if new != "" && !strings.HasPrefix(new, "#") {
		new = b.abs(new)
	}
	l := b.top(old)
	if l == nil {
		return errors.New("nothing is mounted there")
	}
	if new == "" {
		for ; l != nil; l = b.top(old) {
			if err := b.unmountLine(l, old); err != nil {
				return err
			}
		}
		return nil
	}
	if l.union == nil {
		if l.what != new {
			return unix.EINVAL // something else lies on top
		}
		return b.unmountLine(l, old)
	}
	u := l.union
	if err := b.leave(u, new, old); err != nil {
		return err
	}
	for i := len(b.done) - 1; i >= 0; i-- {
		if l := b.done[i]; l.at == old && l.union != nil && l.what == new {
			b.done = slices.Delete(b.done, i, i+1)
			return nil
		}
	}
	b.record(nsfile.Unmount, 0, new, old) // what was there before any line
	return nil
}

// unmountLine takes away the mount at old that l made, or has a part in, with all lines about it.
func (b *builder) unmountLine(l *line, old string) error {
	if err := b.unmountAt(old); err != nil {
		return err
	}
	if l.union != nil {
		l.union.end()
		closeMembers(l.union.members)
	}
	b.done = slices.DeleteFunc(b.done, func(o *line) bool { return o == l || l.union != nil && o.union == l.union })
	return nil
}

// top is the last line that mounted something at old; nil if there is none.
func (b *builder) top(old string) *line {
	for _, l := range slices.Backward(b.done) {
		if l.at == old {
			return l
		}
	}
	return nil
}

// unions are those that are served.
func (b *builder) unions() (all []*joined) {
	for _, l := range b.done {
		if l.union != nil && l.union.server != nil && !slices.Contains(all, l.union) {
			all = append(all, l.union)
		}
	}
	return all
}

func (b *builder) unmountAt(p string) error {
	return b.user.as(func() error { return unix.Unmount(p, unix.MNT_DETACH) })
}

// Cd changes the current directory, and falls back on the terminal's directory of that name.
func (b *builder) Cd(ctx context.Context, dir string) error {
	p := b.abs(dir)
	err := b.chdir(p)
	if (err == unix.ENOENT || err == unix.ENOTDIR) && path.IsAbs(dir) && b.chdir(termDir+p) == nil {
		p, err = termDir+p, nil
	}
	if err != nil {
		return err
	}
	b.dir, b.cd = p, true
	return nil
}

// chdir tries a directory, as the user. The helper goes there in the end only, for its place must not keep a root from being replaced.
func (b *builder) chdir(p string) error {
	return b.user.as(func() error {
		if err := unix.Chdir(p); err != nil {
			return err
		}
		return unix.Chdir("/")
	})
}

// Clear starts again from an empty root with a /srv.
func (b *builder) Clear(ctx context.Context) error {
	if err := b.replace(false); err != nil {
		return err
	}
	for _, u := range b.unions() {
		u.end()
		closeMembers(u.members)
	}
	// What devices may be named is not undone by it.
	b.done = slices.DeleteFunc(b.done, func(l *line) bool { return l.Verb != nsfile.Chdev })
	b.dir, b.cd, b.changed = "/", false, true
	b.record(nsfile.Clear, 0)
	return nil
}

// Chdev takes devices away.
func (b *builder) Chdev(ctx context.Context, mask string, f nsfile.Flags) error {
	b.devices = strings.Map(func(r rune) rune {
		if f&nsfile.NoDevices != 0 || strings.ContainsRune(mask, r) == (f&nsfile.Remove != 0) {
			return -1
		}
		return r
	}, b.devices)
	b.record(nsfile.Chdev, f, mask)
	return nil
}

// Open opens a regular file as the user.
func (b *builder) Open(ctx context.Context, p string) (io.ReadCloser, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	fd := -1
	if err := b.user.as(func() (err error) { fd, err = unix.Openat2(unix.AT_FDCWD, b.abs(p), &how); return err }); err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err := unix.Fstat(fd, &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("not a regular file")
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), p), nil
}

// reason takes off an error the operation and the path that Eval prints anyway.
func reason(err error) error {
	if p := (*os.PathError)(nil); errors.As(err, &p) && p.Path == "." {
		return p.Err
	}
	return err
}

// lookupEnv finds the last value that a variable has in an environment.
func lookupEnv(env []string, name string) (string, bool) {
	for i := len(env) - 1; i >= 0; i-- {
		if n, v, ok := strings.Cut(env[i], "="); ok && n == name {
			return v, true
		}
	}
	return "", false
}
