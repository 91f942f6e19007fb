package client

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cpu/ctlfs"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// A Cmd is a command on the server. Its fields are set before Start; it cannot be used a second time.
type Cmd struct {
	Args      []string // the command and its arguments; none is the user's shell
	Env       []string // NAME=value each
	Dir       string   // the working directory in the session; "" is where the namespace file leads
	Namespace string   // the text of the namespace file
	// Vars are the variables that the terminal knows for the namespace file, such as home and dir.
	Vars map[string]string

	// Services are posted in the session as /srv/NAME; `term` is by custom the terminal's files.
	Services map[string]p9.Attacher
	// Streams are posted in the same way, each with a 9P server at its other end. Start owns them, also if it fails.
	Streams map[string]io.ReadWriteCloser

	// Agent has the server make the socket AgentSocket in the session. Who connects to it is handed on to this end of the SSH connection, as a
	// channel of the type auth-agent@openssh.com.
	Agent bool

	// Stdin is read until its end, or until the command has ended; nil is an empty input. A Read of it that blocks is not waited
	// for by Wait: what it brings when it returns is lost.
	Stdin io.Reader
	// Stdout and Stderr take all that the command writes before Wait returns, however long their Writes take. nil discards. With a
	// terminal Stdout has everything. If one fails, what comes after is discarded, and with the first of that every process of the
	// command gets the note hangup, as a pipe that nobody reads would have it.
	Stdout, Stderr io.Writer

	// TTY asks for a terminal; nil is pipes.
	TTY *TTY

	conn    *Conn
	session *ctlfs.Remote
	ctx     context.Context // of the session: ends with Start's, and when Wait is done
	cancel  context.CancelFunc
	outputs sync.WaitGroup
	status  chan result
	input   input
	mu      sync.Mutex
	failed  error // the first output that failed
}

// AgentSocket leads in a session to the agent at the terminal; see Cmd.Agent.
const AgentSocket = "/srv/ssh-agent"

// TTY is a terminal: its type as $TERM has it, and its size in characters.
type TTY struct {
	Term       string
	Rows, Cols int
}

type result struct {
	ctlfs.Status
	err error
}

// ExitError is a command that ended, but not with success.
type ExitError struct{ ctlfs.Status }

func (e *ExitError) Error() string { return e.Exit }

// StartError is a command that the server could not start: it is not there, or its namespace could not be built.
type StartError struct {
	Err    error // in the server's words
	Status ctlfs.Status
}

func (e *StartError) Error() string { return e.Err.Error() }

func (e *StartError) Unwrap() error { return e.Err }

// RefusedError is a server that makes no session: it has as many as it may, or is drained.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return "the server takes no more sessions" }

func (e *RefusedError) Unwrap() error { return e.Err }

// Command makes a Cmd.
func (c *Conn) Command(args ...string) *Cmd { return &Cmd{Args: args, conn: c} }

// Getenv is a variable of the namespace file, as far as the terminal knows it: one of Vars, or of Env.
func (c *Cmd) Getenv(name string) (string, bool) {
	if v, ok := c.Vars[name]; ok {
		return v, true
	}
	for _, e := range slices.Backward(c.Env) {
		if n, v, ok := strings.Cut(e, "="); ok && n == name {
			return v, true
		}
	}
	return "", false
}

// Run is Start and Wait.
func (c *Cmd) Run(ctx context.Context) error {
	if err := c.Start(ctx); err != nil {
		return err
	}
	return c.Wait()
}

// Reserve has the server make the session, which Start does unless it is made already: then the server will not refuse it any more. It ends with
// Start's or with the connection. An error is a *RefusedError where the server takes no more.
func (c *Cmd) Reserve(ctx context.Context) error {
	control, err := c.conn.Control(ctx)
	if err != nil {
		return err
	}
	s, err := control.New(ctx)
	if errors.Is(err, linux.EAGAIN) {
		err = &RefusedError{err}
	}
	if err != nil {
		return c.explain(err)
	}
	c.session = s
	return nil
}

// Start starts the command. When ctx is done the session ends. An error is a *StartError where the server says why, and a *RefusedError where
// it takes no more sessions.
func (c *Cmd) Start(ctx context.Context) error {
	if c.session == nil {
		if err := c.Reserve(ctx); err != nil {
			c.closeStreams()
			return err
		}
	}
	c.ctx, c.cancel = context.WithCancel(ctx)
	if err := c.start(); err != nil {
		c.session.Close(c.ctx)
		err = c.explain(err)
		c.cancel()
		return err
	}
	return nil
}

// Attach takes up session n of the server's instead of starting one: what is to be set before Start is not looked at, but for Services, Streams,
// Agent and TTY, which has the terminal's size if the session has a terminal. Then it is as after Start; the session ends with Wait only if its command
// has ended.
func (c *Cmd) Attach(ctx context.Context, n int) error {
	control, err := c.conn.Control(ctx)
	if err != nil {
		c.closeStreams()
		return err
	}
	s, err := control.Session(ctx, n)
	if err != nil {
		c.closeStreams()
		return c.explain(err)
	}
	c.session = s
	c.ctx, c.cancel = context.WithCancel(ctx)
	if err := c.attach(); err != nil {
		s.Close(c.ctx)
		err = c.explain(err)
		c.cancel()
		return err
	}
	return nil
}

// attach posts the services and opens the streams. Those of a session that has ended are not wanted any more.
func (c *Cmd) attach() error {
	st, err := c.session.Status(c.ctx)
	if err != nil {
		c.closeStreams()
		return err
	}
	var steps parallel
	if st.State == ctlfs.Ended {
		c.closeStreams()
	} else {
		c.postAll(&steps)
	}
	tty, err := c.session.HasCons(c.ctx)
	if err == nil {
		err = steps.wait()
	} else {
		steps.wait()
	}
	if err != nil {
		return err
	}
	if !tty {
		c.TTY = nil
	} else if c.TTY == nil {
		c.TTY = &TTY{}
	} else if err := c.session.Winsize(c.ctx, c.TTY.Rows, c.TTY.Cols); err != nil && st.State != ctlfs.Ended {
		return err
	}
	return c.begin()
}

// postAll posts what there is to be posted.
func (c *Cmd) postAll(steps *parallel) {
	for name, tree := range c.Services {
		steps.do(func() error { return c.conn.post(c.ctx, c.session.Number(), name, tree) })
	}
	for name, stream := range c.Streams {
		steps.do(func() error { return c.conn.splice(c.ctx, c.session.Number(), name, stream) })
	}
	if c.Agent {
		steps.do(func() error { return c.conn.agent(c.ctx, c.session.Number()) })
	}
}

// closeStreams gives up what was to be posted.
func (c *Cmd) closeStreams() {
	for _, s := range c.Streams {
		s.Close()
	}
}

// start sets the session up, all at once where one thing does not depend on another, and starts it.
func (c *Cmd) start() error {
	var steps parallel
	c.postAll(&steps)
	steps.do(func() error { return c.session.SetArgs(c.ctx, c.Args) })
	steps.do(func() error { return c.session.SetEnv(c.ctx, c.Env) })
	steps.do(func() error { return c.session.SetNamespace(c.ctx, c.Namespace) })
	if c.Dir != "" {
		steps.do(func() error { return c.session.SetDir(c.ctx, c.Dir) })
	}
	steps.do(func() error {
		var commands [][]string
		for _, name := range slices.Sorted(maps.Keys(c.Vars)) {
			commands = append(commands, []string{"var", name, c.Vars[name]})
		}
		if t := c.TTY; t != nil {
			commands = append(commands, []string{"tty", t.Term, strconv.Itoa(t.Rows), strconv.Itoa(t.Cols)})
		}
		if len(commands) == 0 {
			return nil
		}
		return c.session.Ctl(c.ctx, commands...)
	})
	if err := steps.wait(); err != nil {
		return err
	}
	if err := c.session.Start(c.ctx); err != nil {
		return c.notStarted(err)
	}
	return c.begin()
}

// begin opens the streams of a session that runs, and moves what they carry.
func (c *Cmd) begin() error {
	streams, err := c.openStreams()
	if err != nil {
		return err
	}
	c.status = make(chan result, 1)
	go func() {
		st, err := c.session.Wait(c.ctx)
		c.status <- result{st, err}
	}()
	c.pump(streams)
	return nil
}

// notStarted tells a command that the server could not start from other failures.
func (c *Cmd) notStarted(err error) error {
	st, statusErr := c.session.Status(c.ctx)
	if statusErr != nil || st.State != ctlfs.Ended {
		return err
	}
	return &StartError{err, st}
}

// streams are a session's, open; nil where there is none.
type streams struct{ in, out, errs *ctlfs.Stream }

func (c *Cmd) openStreams() (s streams, err error) {
	if c.TTY != nil {
		cons, err := c.session.Cons(c.ctx)
		return streams{in: cons, out: cons}, err
	}
	var steps parallel
	steps.do(func() (err error) { s.in, err = c.session.Stdin(c.ctx); return err })
	steps.do(func() (err error) { s.out, err = c.session.Stdout(c.ctx); return err })
	steps.do(func() (err error) { s.errs, err = c.session.Stderr(c.ctx); return err })
	return s, steps.wait()
}

// pump moves the streams' bytes.
func (c *Cmd) pump(s streams) {
	c.output(s.out, c.Stdout)
	if s.errs != nil {
		c.output(s.errs, c.Stderr)
	}
	if c.Stdin == nil {
		if s.in != s.out {
			s.in.Close()
		}
		return
	}
	c.input.r = c.Stdin
	c.input.busy.Lock()
	go func() {
		defer c.input.busy.Unlock()
		s.in.ReadFrom(&c.input) // what fails is the command's end, which Wait tells
		if s.in != s.out {
			s.in.Close()
		}
	}()
}

// An input is a Cmd's Stdin. The goroutine that copies it is not waited for while it is in Read, which may never return; at all other times
// it holds busy.
type input struct {
	r    io.Reader
	busy sync.Mutex
	over bool // nobody wants more; guarded by busy
}

func (i *input) Read(p []byte) (int, error) {
	i.busy.Unlock()
	n, err := i.r.Read(p)
	i.busy.Lock()
	if i.over {
		return 0, io.ErrClosedPipe
	}
	return n, err
}

// end waits for the goroutine, unless it is in Read: then what it brings is lost.
func (i *input) end() {
	i.busy.Lock()
	i.over = true
	i.busy.Unlock()
}

// output copies one of the command's outputs until it has ended.
func (c *Cmd) output(from *ctlfs.Stream, to io.Writer) {
	if to == nil {
		to = io.Discard
	}
	c.outputs.Go(func() {
		w := &output{Writer: to}
		w.hangup = func() {
			c.session.Note(c.ctx, "hangup", true) // a command that has ended meanwhile needs none
		}
		if _, err := from.WriteTo(w); err != nil {
			c.fail(err)
		}
		if w.err != nil {
			c.fail(&OutputError{w.err})
		}
		from.Close()
	})
}

// fail remembers why an output is not complete.
func (c *Cmd) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = err
	}
}

// An OutputError is that of a Cmd whose command has succeeded, but Stdout or Stderr has not taken all that it wrote.
type OutputError struct{ Err error }

func (e *OutputError) Error() string { return "output: " + e.Err.Error() }

func (e *OutputError) Unwrap() error { return e.Err }

// An output is a Cmd's Stdout or Stderr. When it has failed once it discards what comes. What was written before that, as the last words of a
// protocol, is no reason to end the command, which may be about to succeed: only when it goes on writing it is hung up, as it is by a pipe.
type output struct {
	io.Writer
	hangup func()
	err    error // of the first Write that failed
	hung   bool
}

func (o *output) Write(p []byte) (int, error) {
	switch {
	case o.err == nil:
		_, o.err = o.Writer.Write(p)
	case !o.hung:
		o.hung = true
		o.hangup()
	}
	return len(p), nil
}

// Wait waits for the command to end and for its output to be written, and lets the session go. The error is an *ExitError if the
// command did not succeed, an *OutputError if nobody took its output, and otherwise says what went wrong with the session.
func (c *Cmd) Wait() error {
	if c.status == nil {
		return errNotStarted
	}
	r := <-c.status
	c.outputs.Wait()
	c.session.Close(c.ctx)
	c.cancel()
	c.input.end()
	switch {
	case r.err != nil:
		return c.explain(r.err)
	case r.Code != 0:
		return &ExitError{r.Status}
	case c.failed != nil:
		return c.explain(c.failed)
	}
	return nil
}

// errNotStarted is a mistake of the program's.
var errNotStarted = errors.New("cpu/client: Wait before Start")

// explain puts the host to an error that is not the server's own.
func (c *Cmd) explain(err error) error {
	var start *StartError
	switch {
	case errors.As(err, &start):
		return err
	case c.conn.lost():
		return c.conn.errorf("connection lost")
	}
	return c.conn.errorf("%w", err)
}

// Note sends a note to the command.
func (c *Cmd) Note(ctx context.Context, name string) error { return c.session.Note(ctx, name, false) }

// Winsize tells the command's terminal its new size.
func (c *Cmd) Winsize(ctx context.Context, rows, cols int) error {
	return c.session.Winsize(ctx, rows, cols)
}

// Break sends the command's terminal a BREAK.
func (c *Cmd) Break(ctx context.Context) error { return c.session.Break(ctx) }

// Built is the namespace as the server built it; see N/ns in ctlfs(4).
func (c *Cmd) Built(ctx context.Context) (string, error) { return c.session.Namespace(ctx) }

// Session is the number of the command's session on the server.
func (c *Cmd) Session() int { return c.session.Number() }

// parallel does steps at once and gives the first error.
type parallel struct {
	wg   sync.WaitGroup
	once sync.Once
	err  error
}

func (p *parallel) do(step func() error) {
	p.wg.Go(func() {
		if err := step(); err != nil {
			p.once.Do(func() { p.err = err })
		}
	})
}

func (p *parallel) wait() error {
	p.wg.Wait()
	return p.err
}
