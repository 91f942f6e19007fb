package ctlfs

import "context"

// A User is who uses the tree: the owner of a session, or who looks at one.
type User struct {
	Name        string
	UID, GID    uint32
	Groups      []uint32 // supplementary, GID not among them of necessity
	Home, Shell string
	Root        bool // sees the sessions of all users, and may use the daemon's ctl

	// Where a user has come in from, and the fingerprint of the key: for the log. "" where he was there already.
	From, Key string
}

// A Pair is a line of ctl or stats: a name, and a value without a newline.
type Pair struct{ Name, Value string }

// Host is the daemon as the tree shows it. It is used by any number of goroutines at once.
type Host interface {
	// New makes a session for u, in state Idle. It fails with EAGAIN when no more are taken.
	New(u User) (Session, error)
	// Session returns session n, or ENOENT if there is none that u may see.
	Session(u User, n int) (Session, error)
	// Sessions returns those that u may see, in order of number.
	Sessions(u User) []Session
	// Ctl carries out a command to the daemon: drain, undrain, debug LEVEL. EPERM unless u is Root, EINVAL if it is none.
	Ctl(u User, words []string) error
	// Info is what a read of ctl gives, and Stats what one of stats gives.
	Info() []Pair
	Stats() []Pair
	// Events returns a function that waits for the next event of a session that u may see, and gives it as a line without a newline.
	// Events are those from the call of Events on. stop must be called in the end.
	Events(u User) (next func(context.Context) (string, error), stop func())
}

// Session is one session as the files of its directory show it. It is used by any number of goroutines at once; methods with a
// context end early when it is done.
type Session interface {
	Number() int
	Owner() User
	State() State
	TTY() bool // has, or will have, a terminal

	// Hold notes that a ctl fid is open, and Release that it is gone. A session that was held ends with its last Release, unless
	// it is kept. Neither blocks.
	Hold()
	Release()

	// Ctl carries out a command; the words are as ctlfs(4) lists them. An unknown or ill-timed one is EINVAL. `start` returns when
	// the command runs, or with the error why it does not. What went wrong is also in Err.
	Ctl(ctx context.Context, words []string) error

	// The setters fail with EBUSY once the session has been started.
	Args() []string
	SetArgs([]string) error
	Env() []string // NAME=value each
	SetEnv([]string) error
	Dir() string
	SetDir(string) error
	Namespace() (string, error) // as written, before start; as built, after
	SetNamespace(string) error

	// Note sends a note to the command, or to every process of the session. EINVAL for a name that is not known, ESRCH where
	// nothing runs.
	Note(name string, group bool) error

	// Wait blocks until the command has ended.
	Wait(ctx context.Context) (Status, error)
	Status() Status
	// Stats is what the session has done over 9P with the files of its terminal, and other services posted in it.
	Stats() []Pair
	// Err says why the last operation on the session that failed did so; "" if none has.
	Err() string
	// Fail notes such a reason which the tree itself has found, before Session was asked for anything. It returns err.
	Fail(err error) error
	// Incomplete says that the text of a file, args or env, ends in the middle of a word: start fails with why, an EINVAL, until
	// it is complete, which nil says.
	Incomplete(file string, why error)

	// The streams. Reads give io.EOF when the command has ended and all is drained. Standard input ends when it has been closed as
	// often as it was opened; lost is that nobody closed it, but its connection ended, which is no end of the input of a session that
	// is kept. With a terminal, standard input and output are the terminal, and CloseStdin does nothing. Cons fails with EIO where
	// there is no terminal.
	OpenStdin()
	WriteStdin(ctx context.Context, p []byte) (int, error)
	CloseStdin(lost bool) error
	ReadStdout(ctx context.Context, p []byte) (int, error)
	ReadStderr(ctx context.Context, p []byte) (int, error)
	ReadCons(ctx context.Context, p []byte) (int, error)
	WriteCons(ctx context.Context, p []byte) (int, error)
}
