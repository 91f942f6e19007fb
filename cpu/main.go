// Cpu runs a command on a cpu server, on the files of the terminal it is typed at. See cpu(1).
//
// The package is the command line and the terminal: flags, the environment, terminal modes, signals, the exit status. What a session is,
// cpu/client knows; how a host is reached, cpu/dial. Flags and the environment are read here and nowhere else.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"sync"

	"cpu/cpu/client"
	"cpu/cpu/dial"
	"cpu/exportfs"

	"github.com/hugelgupf/p9/p9"
)

func main() {
	selfMain()
	os.Exit(run(os.Args[1:]))
}

// statusFailed is the exit status for failures of cpu itself, as ssh has it.
const statusFailed = 255

// run is all of main but the exit.
func run(args []string) int {
	f, err := parseFlags(args, os.Getenv)
	switch {
	case errors.Is(err, errHelp):
		fmt.Print(usage)
		return 0
	case err != nil:
		return fail(err)
	case f.version:
		fmt.Println("cpu", version())
		return 0
	}
	err = runSession(f)
	var exit *client.ExitError
	var start *client.StartError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	case errors.As(err, &start):
		fail(err)
		return start.Status.Code
	}
	return fail(err)
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "cpu:", err)
	return statusFailed
}

// version is that of the module, or of the commit, that the program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12] + " " + info.GoVersion
		}
	}
	return info.Main.Version + " " + info.GoVersion
}

// runSession runs the one session that the flags ask for.
func runSession(f *flags) error {
	term := localTerminal()
	namespace, err := readNamespace(f.namespaces, term.home, os.Stdin)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := catchSignals(cancel)
	defer signals.stop()

	trace, err := openTrace(f.trace)
	if err != nil {
		return err
	}
	defer trace.Close()
	var services map[string]p9.Attacher
	if !f.noFiles() {
		files, err := exportTree(f)
		if err != nil {
			return err
		}
		defer files.Close()
		services = map[string]p9.Attacher{"term": files}
	}

	conn, err := connect(ctx, f, term, trace.writer())
	if err != nil {
		return interrupted(ctx, err)
	}
	defer conn.Close()
	// A session that is given up does not wait for a server that may not answer.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	c := conn.Command(command(f.command)...)
	c.Env = environment(os.Environ(), f)
	c.Namespace = namespace
	c.Vars = term.vars(f.root)
	c.Services = services
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr

	tty := newTTY(f, os.Stdin, os.Getenv("TERM"))
	ready := make(chan struct{})
	release := sync.OnceFunc(func() { close(ready) })
	defer release()
	if tty != nil {
		c.TTY = tty.size()
		if tty.real {
			c.Stdin = newEscapes(heldReader{os.Stdin, ready}, os.Stderr, func() { cancel(errDisconnected) })
			c.Stdout = heldWriter{os.Stdout, ready}
		}
	}
	if err := c.Start(ctx); err != nil {
		return interrupted(ctx, err)
	}
	if f.debug {
		describe(ctx, c)
	}
	signals.deliver(ctx, c)
	if tty != nil {
		if err := tty.raw(); err != nil {
			return err
		}
		defer tty.restore()
		defer tty.follow(ctx, c)()
	}
	release()
	return interrupted(ctx, c.Wait())
}

// errDisconnected is the end of a session by the escape ~.
var errDisconnected = errors.New("disconnected")

// interrupted is the reason why the session was given up, where it was, and err otherwise.
func interrupted(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// connect makes the connection: to the host, or with -self to this very process.
func connect(ctx context.Context, f *flags, term terminal, trace io.Writer) (*client.Conn, error) {
	log := slog.New(slog.DiscardHandler)
	if f.verbose || f.debug {
		level := slog.LevelInfo
		if f.debug {
			level = slog.LevelDebug
		}
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	}
	if f.self {
		o, err := openSelf(ctx, term.user, log)
		if err != nil {
			return nil, err
		}
		return client.New("self", o, trace), nil
	}
	c := &dial.Config{
		User: f.user, Port: f.port, IdentityFiles: f.identities, ConfigFile: f.config, Options: f.options,
		Home: term.home, LocalUser: term.user, Getenv: os.Getenv, Prompt: prompter(), Stderr: os.Stderr, Log: log,
	}
	s, err := c.Dial(ctx, f.host)
	if err != nil {
		return nil, err
	}
	return client.New(f.host, client.SSH(s), trace), nil
}

// exportTree is the terminal's files as the session may see them.
func exportTree(f *flags) (*exportfs.FS, error) {
	patterns := exportfs.DefaultPatterns()
	switch f.patterns {
	case "":
	case "none":
		patterns = nil
	default:
		file, err := os.Open(f.patterns)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		if patterns, err = exportfs.ParsePatterns(f.patterns, file); err != nil {
			return nil, err
		}
	}
	return exportfs.New(exportfs.Options{Root: f.root, ReadOnly: f.readOnly, Patterns: patterns})
}

// traceFile is where 9P messages are written to; the zero value is nowhere.
type traceFile struct{ *os.File }

func openTrace(name string) (traceFile, error) {
	switch name {
	case "":
		return traceFile{}, nil
	case "-":
		return traceFile{os.Stderr}, nil
	}
	f, err := os.Create(name)
	return traceFile{f}, err
}

func (t traceFile) writer() io.Writer {
	if t.File == nil {
		return nil
	}
	return t.File
}

func (t traceFile) Close() error {
	if t.File == nil || t.File == os.Stderr {
		return nil
	}
	return t.File.Close()
}

// describe shows with -d what the session has been given.
func describe(ctx context.Context, c *client.Cmd) {
	text, err := c.Built(ctx)
	if err != nil {
		text = err.Error() + "\n"
	}
	fmt.Fprintf(os.Stderr, "cpu: session %d\n%s", c.Session(), text)
}

// termtype is the terminal's architecture as namespace files have it.
const termtype = runtime.GOARCH
