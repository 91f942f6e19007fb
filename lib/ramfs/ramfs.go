// Package ramfs is a file server of plain 9P2000 that tests use as a peer: a memory file system, as ramfs(4), with a directory of files like
// those of a device. It is made with 9fans.net/go's srv9p, so that nothing of this project's 9P is in it.
//
// Only tests call it. It checks no permissions but the owner's, and keeps nothing.
package ramfs

import (
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"sync"

	"9fans.net/go/plan9"
	"9fans.net/go/plan9/srv9p"
)

// The errors are in the words of Plan 9's servers.
var (
	errExist    = errors.New("file already exists")
	errNotEmpty = errors.New("directory not empty")
	errPerm     = errors.New("permission denied")
	errInUse    = errors.New("exclusive use file already open")
)

// FS is one file system. Its files are User's.
//
// Its directory dev has, from the start: ctl, whose length is 0, which gives what was written to it since the beginning, and takes no Twstat;
// wait, a read of which blocks until it is flushed; count, whose every open reads another number.
type FS struct {
	User    string
	Blocked chan struct{} // a read of dev/wait has begun
	Ended   chan error    // one has ended, by that error

	mu   sync.Mutex
	root *file
	last uint64 // qid path
	time uint32 // of all files that nobody set the time of: it counts changes
}

type file struct {
	dir   plan9.Dir // all but the length
	up    *file
	data  []byte
	files []*file // of a directory, in the order in which they came
	opens int
	read  func(ctx context.Context, f *file) ([]byte, error) // of a device's file; nil for others
}

// handle is what a fid has.
type handle struct {
	*file
	open   bool
	rclose bool
	text   []byte // of count
}

// New makes a file system with the directory dev in it.
func New(user string) *FS {
	fs := &FS{User: user, Blocked: make(chan struct{}, 16), Ended: make(chan error, 16), time: 1_000_000_000}
	fs.root = fs.file(nil, "/", plan9.DMDIR|0o755)
	dev := fs.file(fs.root, "dev", plan9.DMDIR|0o755)
	fs.file(dev, "ctl", 0o666).read = fs.said
	fs.file(dev, "wait", 0o444).read = fs.wait
	fs.file(dev, "count", 0o444).read = fs.said
	return fs
}

// Serve serves conn until it ends.
func (fs *FS) Serve(conn io.ReadWriteCloser) {
	s := &srv9p.Server{
		Attach: fs.attach, Walk: fs.walk, Open: fs.open, Create: fs.create, Remove: fs.remove,
		Read: fs.read, Write: fs.write, Stat: fs.stat, Wstat: fs.wstat, Clunk: fs.clunk,
	}
	s.Serve(conn, conn)
	conn.Close()
}

// Add makes a file, whose directory is there, with the mode perm, in which the DM bits count as well.
func (fs *FS) Add(name, data string, perm plan9.Perm) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	dir := fs.find(path.Dir(name))
	f := fs.file(dir, path.Base(name), perm)
	f.data = []byte(data)
	f.dir.Qid.Vers++
}

// Data is what a file has, and whether it is there.
func (fs *FS) Data(name string) (string, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := fs.find(name)
	if f == nil {
		return "", false
	}
	return string(f.data), true
}

// Stat is a file's directory entry; the zero one if it is not there.
func (fs *FS) Stat(name string) plan9.Dir {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f := fs.find(name); f != nil {
		return f.stat()
	}
	return plan9.Dir{}
}

func (fs *FS) find(name string) *file {
	f := fs.root
	for _, n := range strings.FieldsFunc(name, func(r rune) bool { return r == '/' || r == '.' && len(name) == 1 }) {
		if f = f.child(n); f == nil {
			return nil
		}
	}
	return f
}

func (f *file) child(name string) *file {
	for _, c := range f.files {
		if c.dir.Name == name {
			return c
		}
	}
	return nil
}

// file makes one. The mu is held, but in New.
func (fs *FS) file(up *file, name string, perm plan9.Perm) *file {
	fs.last++
	fs.time++
	f := &file{up: up, dir: plan9.Dir{
		Qid:  plan9.Qid{Path: fs.last, Vers: 1, Type: uint8(perm >> 24)},
		Mode: perm, Atime: fs.time, Mtime: fs.time, Name: name, Uid: fs.User, Gid: fs.User, Muid: fs.User,
	}}
	if up != nil {
		up.files = append(up.files, f)
	}
	return f
}

func (f *file) stat() plan9.Dir {
	d := f.dir
	if f.read == nil && d.Mode&plan9.DMDIR == 0 {
		d.Length = uint64(len(f.data))
	}
	return d
}

func (fs *FS) changed(f *file) {
	fs.time++
	f.dir.Qid.Vers++
	f.dir.Mtime = fs.time
}

func (fs *FS) attach(_ context.Context, fid, _ *srv9p.Fid, user, aname string) (plan9.Qid, error) {
	if user == "" || aname != "" {
		return plan9.Qid{}, errors.New("unknown specifier in attach")
	}
	fid.SetAux(&handle{file: fs.root})
	return fs.root.dir.Qid, nil
}

func of(fid *srv9p.Fid) *handle { return fid.Aux().(*handle) }

func (fs *FS) walk(_ context.Context, fid, newfid *srv9p.Fid, names []string) ([]plan9.Qid, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	clone := func(old, new *srv9p.Fid) error {
		new.SetAux(&handle{file: of(old).file})
		return nil
	}
	return srv9p.Walk(fid, newfid, names, clone, func(fid *srv9p.Fid, name string) (plan9.Qid, error) {
		f := of(fid).file
		if name == ".." && f.up != nil {
			f = f.up
		} else if name != ".." {
			if f = f.child(name); f == nil {
				return plan9.Qid{}, errors.New("'" + name + "' file does not exist")
			}
		}
		fid.SetAux(&handle{file: f})
		return f.dir.Qid, nil
	})
}

func (fs *FS) open(_ context.Context, fid *srv9p.Fid, mode uint8) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	h := of(fid)
	want := map[uint8]plan9.Perm{plan9.OREAD: 0o400, plan9.OWRITE: 0o200, plan9.ORDWR: 0o600, plan9.OEXEC: 0o100}[mode&3]
	if mode&plan9.OTRUNC != 0 {
		want |= 0o200
	}
	switch {
	case h.dir.Mode&want != want:
		return errPerm
	case h.dir.Mode&plan9.DMEXCL != 0 && h.opens > 0:
		return errInUse
	}
	if mode&plan9.OTRUNC != 0 && h.read == nil && h.dir.Mode&plan9.DMAPPEND == 0 {
		h.data = nil
		fs.changed(h.file)
	}
	if h.dir.Name == "count" && h.read != nil {
		h.data = append(h.data, '.')
		h.text = []byte(strings.Repeat("I", len(h.data)) + "\n")
	}
	h.opens++
	h.open, h.rclose = true, mode&plan9.ORCLOSE != 0
	fid.SetQid(h.dir.Qid)
	return nil
}

func (fs *FS) create(_ context.Context, fid *srv9p.Fid, name string, perm plan9.Perm, mode uint8) (plan9.Qid, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	d := of(fid).file
	if d.child(name) != nil {
		return plan9.Qid{}, errExist
	}
	if perm&plan9.DMDIR != 0 {
		perm &= d.dir.Mode | ^plan9.Perm(0o777)
	} else {
		perm &= d.dir.Mode | ^plan9.Perm(0o666)
	}
	fs.changed(d)
	f := fs.file(d, name, perm)
	f.opens++
	fid.SetAux(&handle{file: f, open: true, rclose: mode&plan9.ORCLOSE != 0})
	return f.dir.Qid, nil
}

func (fs *FS) remove(_ context.Context, fid *srv9p.Fid) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.unlink(of(fid).file)
}

func (fs *FS) unlink(f *file) error {
	switch {
	case f.up == nil || f.read != nil:
		return errPerm
	case len(f.files) > 0:
		return errNotEmpty
	}
	for i, c := range f.up.files {
		if c == f {
			f.up.files = append(f.up.files[:i:i], f.up.files[i+1:]...)
			fs.changed(f.up)
			return nil
		}
	}
	return errors.New("file has been removed")
}

func (fs *FS) read(ctx context.Context, fid *srv9p.Fid, p []byte, offset int64) (int, error) {
	h := of(fid)
	if h.read != nil {
		fs.mu.Lock()
		read, text := h.read, h.text
		fs.mu.Unlock()
		if text == nil {
			var err error
			if text, err = read(ctx, h.file); err != nil {
				return 0, err
			}
		}
		fs.mu.Lock()
		defer fs.mu.Unlock()
		return fid.ReadBytes(p, offset, text)
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if h.dir.Mode&plan9.DMDIR != 0 {
		return fid.ReadDir(p, offset, func(i int, d *plan9.Dir) bool {
			if i >= len(h.files) {
				return false
			}
			*d = h.files[i].stat()
			return true
		})
	}
	return fid.ReadBytes(p, offset, h.data)
}

// said is a read of dev/ctl.
func (fs *FS) said(_ context.Context, f *file) ([]byte, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return f.data, nil
}

// wait is a read of dev/wait.
func (fs *FS) wait(ctx context.Context, _ *file) ([]byte, error) {
	fs.Blocked <- struct{}{}
	<-ctx.Done()
	fs.Ended <- ctx.Err()
	return nil, errors.New("interrupted")
}

func (fs *FS) write(_ context.Context, fid *srv9p.Fid, p []byte, offset int64) (int, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	h := of(fid)
	if h.read != nil && string(p) == "bad\n" {
		return 0, errors.New("unknown control request")
	}
	if h.read != nil || h.dir.Mode&plan9.DMAPPEND != 0 {
		offset = int64(len(h.data))
	}
	if end := int(offset) + len(p); end > len(h.data) {
		h.data = append(h.data, make([]byte, end-len(h.data))...)
	}
	copy(h.data[offset:], p)
	if h.read == nil {
		fs.changed(h.file)
	}
	return len(p), nil
}

func (fs *FS) stat(_ context.Context, fid *srv9p.Fid) (*plan9.Dir, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	d := of(fid).stat()
	return &d, nil
}

func (fs *FS) wstat(_ context.Context, fid *srv9p.Fid, d *plan9.Dir) error {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f := of(fid).file
	switch {
	case f.read != nil || f.up == nil:
		return errors.New("wstat prohibited")
	case ^d.Atime != 0:
		return errors.New("wstat -- attempt to change atime")
	case d.Uid != "" || d.Gid != "":
		return errors.New("wstat -- not owner")
	case ^d.Mode != 0 && d.Mode&^0o777 != f.dir.Mode&^0o777:
		return errors.New("wstat -- attempt to change the kind of a file")
	case ^d.Length != 0 && f.dir.Mode&plan9.DMDIR != 0:
		return errPerm
	case d.Name != "" && d.Name != f.dir.Name && f.up.child(d.Name) != nil:
		return errExist
	}
	if d.Name != "" {
		f.dir.Name = d.Name
		fs.changed(f.up)
	}
	if ^d.Mode != 0 {
		f.dir.Mode = d.Mode
	}
	if ^d.Length != 0 {
		f.data = append(f.data, make([]byte, max(0, int(d.Length)-len(f.data)))...)[:d.Length]
		fs.changed(f)
	}
	if ^d.Mtime != 0 {
		f.dir.Mtime = d.Mtime
	}
	return nil
}

func (fs *FS) clunk(fid *srv9p.Fid) {
	h, ok := fid.Aux().(*handle)
	if !ok {
		return
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if h.open {
		h.opens--
	}
	if h.rclose {
		fs.unlink(h.file)
	}
}
