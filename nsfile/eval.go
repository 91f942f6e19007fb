package nsfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// MaxDepth is how deep `.` may nest: a file that Eval was given reads another at depth 1.
const MaxDepth = 16

// Builder carries operations out; cpud/session implements it. Paths are as the file has them, variables replaced: absolute or
// relative to the current directory, as Cd left it, and not cleaned. None is empty but where this says so. Of the flags, Quiet is
// Eval's business. An error is the reason alone, as an errno says it or with the path it is about where that is not plain from the
// arguments: Eval puts the position, the operation and its arguments before it. Every method ends early, with an error, when ctx
// is done. Eval calls from one goroutine.
type Builder interface {
	// Mount puts the tree that the service serv posts on old. serv is the path of a posted service or of a Unix socket that
	// speaks 9P; spec is the attach's aname, and may be empty.
	Mount(ctx context.Context, serv, old, spec string, f Flags) error
	// Bind makes what is at new seen at old. new may begin with a device: #U #p #c #e #s #d.
	Bind(ctx context.Context, new, old string, f Flags) error
	// Import puts the files of another cpu server on old; tree is the directory there, "/" where the line has none.
	Import(ctx context.Context, host, tree, old string, f Flags) error
	// Unmount takes new from old. An empty new means everything that is on old.
	Unmount(ctx context.Context, new, old string) error
	// Cd changes the current directory. Where dir is absolute and not there but /mnt/term/dir is, it changes to that: the
	// terminal's directory is never out of reach.
	Cd(ctx context.Context, dir string) error
	// Clear leaves nothing of the namespace but what devices name.
	Clear(ctx context.Context) error
	// Chdev takes away devices by their letters, for the rest of the session: all but those in mask; with Remove those in mask;
	// with NoDevices all.
	Chdev(ctx context.Context, mask string, f Flags) error
	// Open opens a file of the namespace being built, for `.`. Eval closes it.
	Open(ctx context.Context, path string) (io.ReadCloser, error)
}

// Eval carries the operations out in order, variables replaced through getenv, which tells an empty variable from one that is not
// set. A line with -q may fail, by an undefined variable as well. The first other line that fails ends it, as does the end of
// ctx; the error is an *Error with the line and the operation, in the file that `.` read where it is there. What was built by then
// stays, for the caller to take down.
func Eval(ctx context.Context, ops []Op, b Builder, getenv func(string) (string, bool)) error {
	return (&evaluator{b: b, getenv: getenv}).run(ctx, ops)
}

type evaluator struct {
	b      Builder
	getenv func(string) (string, bool)
	dir    string   // the current directory as far as cd lines tell; to know files by
	files  []string // those being read by `.`, the outermost first
}

func (e *evaluator) run(ctx context.Context, ops []Op) error {
	for _, op := range ops {
		if err := e.line(ctx, op); err != nil {
			return err
		}
	}
	return nil
}

// line carries out one line and what it reads.
func (e *evaluator) line(ctx context.Context, op Op) error {
	args, shown, err := e.expand(op)
	fail := func(err error) error {
		return &Error{File: op.File, Line: op.Line, Op: shown.String(), Err: err}
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && op.Verb == Dot {
		ops, name, err := e.read(ctx, args[0])
		if parse := (*Error)(nil); errors.As(err, &parse) {
			return err // it has its own position, which is the better one
		}
		if err != nil {
			return fail(err)
		}
		e.files = append(e.files, name)
		err = e.run(ctx, ops)
		e.files = e.files[:len(e.files)-1]
		return err
	}
	if err == nil {
		err = e.do(ctx, op, args)
	}
	if err == nil || op.Flags&Quiet != 0 && ctx.Err() == nil {
		return nil
	}
	return fail(err)
}

// expand returns the arguments with their variables replaced, and the operation to show in an error: the same without its options,
// or as it stands where a variable cannot be replaced.
func (e *evaluator) expand(op Op) (args []string, shown Op, err error) {
	asIs := Op{Verb: op.Verb, Args: op.Args}
	shown = Op{Verb: op.Verb}
	for i, w := range op.Args {
		s, err := w.Expand(e.getenv)
		if err != nil {
			return nil, asIs, err
		}
		if s == "" && !(op.Verb == Mount && i == 2) {
			return nil, asIs, fmt.Errorf("%s: empty name", w)
		}
		args, shown.Args = append(args, s), append(shown.Args, Text(s))
	}
	return args, shown, nil
}

// do carries out any operation but `.`.
func (e *evaluator) do(ctx context.Context, op Op, args []string) error {
	switch op.Verb {
	case Mount:
		spec := ""
		if len(args) == 3 {
			spec = args[2]
		}
		return e.b.Mount(ctx, args[0], args[1], spec, op.Flags)
	case Bind:
		return e.b.Bind(ctx, args[0], args[1], op.Flags)
	case Import:
		if len(args) == 2 {
			return e.b.Import(ctx, args[0], "/", args[1], op.Flags)
		}
		return e.b.Import(ctx, args[0], args[1], args[2], op.Flags)
	case Unmount:
		if len(args) == 1 {
			return e.b.Unmount(ctx, "", args[0])
		}
		return e.b.Unmount(ctx, args[0], args[1])
	case Cd:
		if err := e.b.Cd(ctx, args[0]); err != nil {
			return err
		}
		e.dir = e.abs(args[0])
		return nil
	case Clear:
		return e.b.Clear(ctx)
	case Chdev:
		return e.b.Chdev(ctx, args[0], op.Flags)
	}
	return fmt.Errorf("%s: unknown operation", op.Verb)
}

// read reads the file that a `.` line names. The name it returns stands for the file among those being read.
func (e *evaluator) read(ctx context.Context, file string) (ops []Op, name string, err error) {
	name = e.abs(file)
	if i := slices.Index(e.files, name); i >= 0 {
		return nil, "", fmt.Errorf("the file reads itself: %s", strings.Join(append(slices.Clone(e.files[i:]), name), " "))
	}
	if len(e.files) >= MaxDepth {
		return nil, "", fmt.Errorf("files nest deeper than %d", MaxDepth)
	}
	f, err := e.b.Open(ctx, file)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	ops, err = Parse(file, f)
	return ops, name, err
}

func (e *evaluator) abs(p string) string {
	if path.IsAbs(p) {
		return path.Clean(p)
	}
	return path.Join(e.dir, p)
}
