package ctlfs

import (
	"context"
	"strconv"
	"time"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// A tree is what one user sees of a host.
type tree struct {
	host  Host
	user  User
	since time.Time // the time that all files show
}

// New makes the tree of h as u sees it. Its files are ninep.ContextFiles, and their qids have version 0: none may be cached. The
// attach's uname is not looked at: who attaches is u, and that was settled before. Closing a file that was opened at clone, or at a
// session's ctl, releases the session.
func New(h Host, u User) p9.Attacher {
	return &tree{host: h, user: u, since: time.Now()}
}

// Attach returns the root.
func (t *tree) Attach() (p9.File, error) {
	return newFile(node{tree: t, entry: &rootDir}), nil
}

// A node says which file of a tree is meant.
type node struct {
	tree    *tree
	entry   *entry
	session Session // nil above the sessions
}

// An entry describes a file of the tree: that of every session alike.
type entry struct {
	name  string
	id    uint64 // in the qid's path
	mode  p9.FileMode
	admin bool // only Root may write
	setup bool // opening it to truncate it empties it, and holds nothing that needs to be closed
	// open makes what an open file reads and writes. It is nil for a directory.
	open func(ctx context.Context, f *file, mode p9.OpenFlags) (handle, error)
}

// A handle is the state of an open file. Its methods may be called at once.
type handle interface {
	read(ctx context.Context, p []byte, offset int64) (int, error)
	write(ctx context.Context, p []byte, offset int64) (int, error)
	close()
}

const (
	readable  = 0o400
	writable  = 0o200
	directory = p9.ModeDirectory | 0o500
	regular   = p9.ModeRegular
)

var (
	rootDir    = entry{id: 1, name: "/", mode: directory | 0o055}
	sessionDir = entry{id: 2, mode: directory}

	rootFiles = []*entry{
		{name: "clone", id: 3, mode: regular | readable | writable, open: openClone},
		{name: "ctl", id: 4, mode: regular | readable | writable, admin: true, open: openHostCtl},
		{name: "events", id: 5, mode: regular | readable, open: openEvents},
		{name: "stats", id: 6, mode: regular | readable, open: openStats},
	}

	// sessionCtl is also what a clone file becomes.
	sessionCtl   = &entry{name: "ctl", id: 16, mode: regular | readable | writable, open: openCtl}
	sessionFiles = []*entry{
		sessionCtl,
		{name: "args", setup: true, id: 17, mode: regular | readable | writable, open: openArgs},
		{name: "env", setup: true, id: 18, mode: regular | readable | writable, open: openEnv},
		{name: "dir", setup: true, id: 19, mode: regular | readable | writable, open: openDir},
		{name: "ns", setup: true, id: 20, mode: regular | readable | writable, open: openNamespace},
		{name: "note", id: 21, mode: regular | readable | writable, open: openNote},
		{name: "notepg", id: 22, mode: regular | readable | writable, open: openNotepg},
		{name: "wait", id: 23, mode: regular | readable, open: openWait},
		{name: "status", id: 24, mode: regular | readable, open: openStatus},
		{name: "errstr", id: 25, mode: regular | readable, open: openErrstr},
		{name: "stdin", id: 26, mode: regular | writable, open: openStdin},
		{name: "stdout", id: 27, mode: regular | readable, open: openStdout},
		{name: "stderr", id: 28, mode: regular | readable, open: openStderr},
		{name: "stats", id: 31, mode: regular | readable, open: openSessionStats},
	}
	// consFiles are those of a session with a terminal.
	consFiles = []*entry{
		{name: "cons", id: 29, mode: regular | readable | writable, open: openCons},
		{name: "consctl", id: 30, mode: regular | readable | writable, open: openConsctl},
	}
)

// children are the files of a directory, in order; nil for what is none.
func (n node) children() []node {
	var all []node
	add := func(entries []*entry, s Session) {
		for _, e := range entries {
			all = append(all, node{n.tree, e, s})
		}
	}
	switch n.entry {
	case &rootDir:
		add(rootFiles, nil)
		for _, s := range n.tree.host.Sessions(n.tree.user) {
			all = append(all, node{n.tree, &sessionDir, s})
		}
	case &sessionDir:
		add(sessionFiles, n.session)
		if n.session.TTY() {
			add(consFiles, n.session)
		}
	}
	return all
}

// child finds a file of a directory by its name.
func (n node) child(name string) (node, error) {
	if !n.isDir() {
		return node{}, linux.ENOTDIR
	}
	if n.entry == &rootDir {
		if number, err := strconv.Atoi(name); err == nil && strconv.Itoa(number) == name {
			return n.tree.sessionNode(number)
		}
	}
	if err := n.exists(); err != nil {
		return node{}, err
	}
	for _, c := range n.children() {
		if c.entry != &sessionDir && c.entry.name == name {
			return c, nil
		}
	}
	return node{}, linux.ENOENT
}

func (t *tree) sessionNode(number int) (node, error) {
	s, err := t.host.Session(t.user, number)
	if err != nil {
		return node{}, err
	}
	return node{t, &sessionDir, s}, nil
}

// exists is ENOENT for what belongs to a session that is gone.
func (n node) exists() error {
	if n.session == nil {
		return nil
	}
	s, err := n.tree.host.Session(n.tree.user, n.session.Number())
	if err == nil && s != n.session {
		err = linux.ENOENT
	}
	return err
}

func (n node) isDir() bool { return n.entry.mode.IsDir() }

func (n node) name() string {
	if n.entry == &sessionDir {
		return strconv.Itoa(n.session.Number())
	}
	return n.entry.name
}

func (n node) qid() p9.QID {
	path := n.entry.id
	if n.session != nil {
		path |= uint64(n.session.Number()) << 8
	}
	return p9.QID{Type: n.entry.mode.QIDType(), Path: path}
}

// owner is the user whose file it is.
func (n node) owner() User {
	if n.session != nil {
		return n.session.Owner()
	}
	return n.tree.user
}

func (n node) mode() p9.FileMode {
	if n.entry.admin && !n.tree.user.Root {
		return n.entry.mode &^ writable
	}
	return n.entry.mode
}

func (n node) attr() p9.Attr {
	u := n.owner()
	sec, nsec := uint64(n.tree.since.Unix()), uint64(n.tree.since.Nanosecond())
	a := p9.Attr{
		Mode: n.mode(), UID: p9.UID(u.UID), GID: p9.GID(u.GID), NLink: 1, BlockSize: 4096,
		ATimeSeconds: sec, ATimeNanoSeconds: nsec, MTimeSeconds: sec, MTimeNanoSeconds: nsec, CTimeSeconds: sec, CTimeNanoSeconds: nsec,
	}
	if n.isDir() {
		a.NLink = 2
	}
	return a
}

// given is what attr fills in.
var given = p9.AttrMask{Mode: true, NLink: true, UID: true, GID: true, RDev: true, ATime: true, MTime: true, CTime: true, INo: true,
	Size: true, Blocks: true}

var (
	_ ninep.ContextFile   = (*file)(nil)
	_ ninep.AttrReaddirer = (*file)(nil)
	_ ninep.Abandoner     = (*file)(nil)
)
