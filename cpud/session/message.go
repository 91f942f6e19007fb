//go:build linux

package session

import (
	"errors"
	"os"
	"time"

	"github.com/hugelgupf/p9/linux"

	"cpu/lib/ninep"
)

// kind says what a message is; the package comment has who sends it, and when.
type kind string

const (
	kindSetup   kind = "setup"
	kindReply   kind = "reply"
	kindPost    kind = "post"
	kindUnpost  kind = "unpost"
	kindNote    kind = "note"
	kindPosted  kind = "posted"
	kindAttach  kind = "attach"
	kindFUSE    kind = "fuse"
	kindV9FS    kind = "v9fs"
	kindDrop    kind = "drop"
	kindStarted kind = "started"
	kindFailed  kind = "failed"
	kindStopped kind = "stopped"
	kindRunning kind = "running"
	kindExit    kind = "exit"
	kindDial    kind = "dial"
	kindDialled kind = "dialled"
)

// message is what goes over the socket, and fields.go how. Strings are of any bytes.
type message struct {
	Kind  kind
	Setup *setup   // setup
	Name  string   // post, unpost, posted, attach, fuse, v9fs, dial: the service
	Spec  string   // attach, v9fs: the aname
	Tree  int      // reply to attach; fuse, v9fs, drop; dial, dialled: which of them
	Err   *failure // reply, failed, dialled
	Note  int      // note: the signal's number
	Group bool     // note: to every process
	PID   int      // started
	Text  string   // started: the namespace as built
	Exit  *exit    // exit

	files []*os.File // what came with it
}

// setup is all that the helper knows of its session.
type setup struct {
	Name     string // the user's
	UID, GID uint32
	Groups   []uint32
	Home     string
	Shell    string
	Become   bool // the helper is root and becomes the user for the command

	Args      []string
	Env       []string
	Dir       string
	Namespace string
	Vars      map[string]string // variables of the namespace file, before those of Env

	TTY        bool
	Term       string
	Rows, Cols int

	Services []string
	FUSE     bool // mount with FUSE, else with v9fs
}

// exit is how the command ended.
type exit struct {
	Signal, Code     int // Code counts where Signal is 0
	User, Sys, Since time.Duration
}

// failure is an error on its way through the socket.
type failure struct {
	Errno  int
	Text   string
	Status int // failed: the exit status that stands for it
}

func newFailure(err error, status int) *failure {
	if err == nil {
		return nil
	}
	return &failure{Errno: int(ninep.Errno(err)), Text: err.Error(), Status: status}
}

func (f *failure) err() error {
	if f == nil {
		return nil
	}
	return &ninep.Error{Errno: linux.Errno(f.Errno), Text: f.Text}
}

// statusError is an error with the exit status that a shell has for it.
type statusError struct {
	err    error
	status int
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// statusOf is the exit status for an error: 1 where nothing better is known.
func statusOf(err error) int {
	var s *statusError
	if errors.As(err, &s) {
		return s.status
	}
	return 1
}
