//go:build linux

package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
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

	dir     string      // the current directory, absolute and clean
	cd      bool        // a cd line set it
	devices string      // letters of the devices that may be named
	done    []nsfile.Op // what was carried out
	changed bool        // something was bound or mounted
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
	cd := nsfile.Op{Verb: nsfile.Cd, Args: []nsfile.Word{nsfile.Text(b.dir)}}
	return nsfile.Format(append(b.done[:len(b.done):len(b.done)], cd))
}

// record remembers an operation that was carried out.
func (b *builder) record(v nsfile.Verb, f nsfile.Flags, args ...string) {
	op := nsfile.Op{Verb: v, Flags: f &^ nsfile.Quiet}
	for _, a := range args {
		op.Args = append(op.Args, nsfile.Text(a))
	}
	b.done = append(b.done, op)
}

func (b *builder) abs(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(b.dir, p)
}

// Mount mounts a service's tree, or that of a Unix socket.
func (b *builder) Mount(ctx context.Context, serv, old, spec string, f nsfile.Flags) error {
	if f&(nsfile.After|nsfile.Before) != 0 {
		return errUnion
	}
	serv, old = b.abs(serv), b.abs(old)
	m, err := b.attachTo(ctx, serv, spec)
	if err != nil {
		return err
	}
	if err := b.mountTree(m.Tree, path.Base(serv), spec, old); err != nil {
		b.ask(&message{Kind: kindDrop, Tree: m.Tree})
		return reason(err)
	}
	b.changed = true
	args := []string{serv, old}
	if spec != "" {
		args = append(args, spec)
	}
	b.record(nsfile.Mount, f, args...)
	return nil
}

// errUnion is for a second directory at a place that has one.
var errUnion = errors.New("unions are not supported here")

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

// mountTree mounts the tree that cpud has under that number.
func (b *builder) mountTree(tree int, name, spec, old string) error {
	at, err := b.point(b.user, old, true)
	if err != nil {
		return err
	}
	defer unix.Close(at)
	o := mnt.Options{FSName: name}
	if b.setup.FUSE {
		var dev *os.File
		// The session's /dev may be anything by now.
		err := b.inServer(at, func() (err error) { dev, err = mnt.OpenFUSE(".", o); return err })
		if err != nil {
			return err
		}
		defer dev.Close()
		_, err = b.ask(&message{Kind: kindFUSE, Tree: tree, Name: name}, dev)
		if err != nil {
			b.unmountAt(old)
		}
		return err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), name), os.NewFile(uintptr(pair[1]), name)
	defer ours.Close()
	defer theirs.Close()
	if _, err := b.ask(&message{Kind: kindV9FS, Tree: tree, Name: name, Spec: spec}, theirs); err != nil {
		return err
	}
	theirs.Close()
	return b.inServer(at, func() error { return mnt.MountV9FS(".", ours, o, spec) })
}

// Bind makes what is at new seen at old.
func (b *builder) Bind(ctx context.Context, new, old string, f nsfile.Flags) error {
	if f&(nsfile.After|nsfile.Before) != 0 {
		return errUnion
	}
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
	defer unix.Close(tree)
	at, err := b.point(b.user, old, dir)
	if err != nil {
		return fmt.Errorf("%s: %w", old, err)
	}
	defer unix.Close(at)
	if err := attach(tree, at, ""); err != nil {
		return err
	}
	b.changed = true
	b.record(nsfile.Bind, f, new, old)
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

// Import is for files of a third machine.
func (b *builder) Import(ctx context.Context, host, tree, old string, f nsfile.Flags) error {
	return fmt.Errorf("%s: this terminal offers no way there", host)
}

// Unmount takes what was mounted or bound at old away: the last with the name new, or all.
func (b *builder) Unmount(ctx context.Context, new, old string) error {
	old = b.abs(old)
	if new != "" && !strings.HasPrefix(new, "#") {
		new = b.abs(new)
	}
	n := 0
	for i := len(b.done) - 1; i >= 0; i-- {
		what, at := b.placed(b.done[i])
		if at != old {
			continue
		}
		if new != "" && what != new {
			return unix.EINVAL // something else lies on top
		}
		if err := b.unmountAt(old); err != nil {
			return err
		}
		b.done = append(b.done[:i], b.done[i+1:]...)
		n++
		if new != "" {
			return nil
		}
	}
	if n == 0 {
		return errors.New("nothing is mounted there")
	}
	return nil
}

// placed tells what a mount or bind that was carried out put where.
func (b *builder) placed(op nsfile.Op) (what, at string) {
	if op.Verb != nsfile.Mount && op.Verb != nsfile.Bind {
		return "", ""
	}
	what, _ = op.Args[0].Expand(nil)
	at, _ = op.Args[1].Expand(nil)
	return what, at
}

func (b *builder) unmountAt(p string) error {
	return b.user.as(func() error { return unix.Unmount(p, unix.MNT_DETACH) })
}

// Cd changes the current directory, and falls back on the terminal's directory of that name.
func (b *builder) Cd(ctx context.Context, dir string) error {
	p := b.abs(dir)
	err := b.chdir(p)
	if err == unix.ENOENT && path.IsAbs(dir) && b.chdir(termDir+p) == nil {
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
	b.done, b.dir, b.cd, b.changed = nil, "/", false, true
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
