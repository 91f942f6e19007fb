//go:build linux

package session

import (
	"cmp"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cpu/ctlfs"
	"cpu/lib/mnt"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
)

// Config is what a table of sessions needs to know. Its zero value is ready.
type Config struct {
	Mount   string         // how services are mounted: auto, fuse or v9fs; "" is auto: FUSE where there is a /dev/fuse
	Max     int            // how many sessions there may be at once; 0: any number
	Log     *slog.Logger   // what nobody is told otherwise; nil: nothing
	Level   *slog.LevelVar // what `debug LEVEL` sets; nil: nothing to set
	Version string         // shown in ctl
	// Power turns the machine off as a word says: reboot, halt or poweroff. It says whether it is going to. nil: the machine is not cpud's.
	Power func(word string) bool
	// Changed is called when a session has been made or is gone, and when the server begins or ceases to drain. It neither blocks nor
	// calls the table. nil: nobody wants to know.
	Changed func()
}

// controlService is the name under which ctlfs is posted in every session.
const controlService = "cpu"

// cputype is Plan 9's name for the processor, which is Go's too.
const cputype = runtime.GOARCH

// Table is all sessions of a cpu server. It is a ctlfs.Host.
type Table struct {
	config Config
	log    *slog.Logger
	root   bool // sessions become their users
	fuse   bool // services are mounted with FUSE
	began  time.Time
	usage  usage
	work   sync.WaitGroup // sessions being taken down, and what comes after the last

	past                    ninep.Stats // with services posted in sessions that are gone
	server                  ninep.Stats
	mounts                  mnt.Stats
	started, failed, lastID atomic.Int64
	events                  events

	// Connections, logins and logins that failed, so far: counted by who lets users in.
	Connections, Logins, Failures atomic.Int64

	mu       sync.Mutex
	sessions map[int]*Session
	resting  *time.Timer // runs while there are none; nil: there never were
	draining bool
	closed   bool
}

// NewTable makes a table without sessions. Close ends it.
func NewTable(c Config) *Table {
	t := &Table{config: c, log: c.Log, root: os.Geteuid() == 0, began: time.Now(), sessions: map[int]*Session{}}
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	switch c.Mount {
	case "fuse":
		t.fuse = true
	case "v9fs":
	default:
		_, err := os.Stat("/dev/fuse")
		t.fuse = err == nil || !t.root || !mnt.HaveV9FS()
	}
	return t
}

// New makes a session of u's. EAGAIN when there are too many, or there are to be no more.
func (t *Table) New(u ctlfs.User) (ctlfs.Session, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed || t.draining:
		return nil, words(linux.EAGAIN, "this server takes no new sessions")
	case t.config.Max > 0 && len(t.sessions) >= t.config.Max:
		return nil, words(linux.EAGAIN, "this server has %d sessions, and takes no more", len(t.sessions))
	case !t.root && int(u.UID) != os.Geteuid():
		return nil, words(linux.EPERM, "%s: this server serves its own user only", u.Name)
	}
	s := newSession(t, int(t.lastID.Add(1)), u)
	control := &service{name: controlService, ready: make(chan struct{}), attacher: ctlfs.New(t, u)}
	close(control.ready)
	s.services[controlService] = control
	t.sessions[s.number] = s
	if t.resting != nil {
		t.resting.Stop()
	}
	t.changed()
	return s, nil
}

func (t *Table) changed() {
	if t.config.Changed != nil {
		t.config.Changed()
	}
}

// Takes says whether the server takes sessions at all: it does not while it drains, and once it is closed.
func (t *Table) Takes() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.draining && !t.closed
}

// Session finds a session that u may see: root any, others their own. ENOENT otherwise.
func (t *Table) Session(u ctlfs.User, n int) (ctlfs.Session, error) {
	s, err := t.session(u, n)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (t *Table) session(u ctlfs.User, n int) (*Session, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sessions[n]
	if s == nil || !sees(u, s) {
		return nil, linux.ENOENT
	}
	return s, nil
}

func sees(u ctlfs.User, s *Session) bool { return u.Root || u.UID == s.owner.UID }

// Sessions lists what u may see, in order of number.
func (t *Table) Sessions(u ctlfs.User) []ctlfs.Session {
	var list []ctlfs.Session
	for _, s := range t.all() {
		if sees(u, s) {
			list = append(list, s)
		}
	}
	return list
}

func (t *Table) all() []*Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*Session, 0, len(t.sessions))
	for _, s := range t.sessions {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *Session) int { return cmp.Compare(a.number, b.number) })
	return list
}

func (t *Table) remove(s *Session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[s.number] == s {
		delete(t.sessions, s.number)
		t.changed()
		t.past.Requests.Add(s.nine.Requests.Load())
		t.past.BytesIn.Add(s.nine.BytesIn.Load())
		t.past.BytesOut.Add(s.nine.BytesOut.Load())
		if len(t.sessions) == 0 {
			t.resting = time.AfterFunc(quiet, t.rest)
		}
	}
}

// Served is where the 9P of the control tree is counted.
func (t *Table) Served() *ninep.Stats { return &t.server }

// Close ends all sessions, and returns when nothing is left of them. There will be no new ones.
func (t *Table) Close() error {
	t.mu.Lock()
	t.closed = true
	if t.resting != nil {
		t.resting.Stop()
	}
	t.mu.Unlock()
	for _, s := range t.all() {
		s.destroy()
	}
	t.work.Wait()
	return nil
}
