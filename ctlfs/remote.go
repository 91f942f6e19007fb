package ctlfs

import (
	"context"
	"fmt"
	"io"
	"strings"

	"cpu/lib/ninep"
	"cpu/lib/rcquote"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// A Remote is a session, used through its files. Its methods may be called at once; those that block end early, with ctx's error, when
// their ctx is done. What went wrong is told in the words of the session's errstr.
type Remote struct {
	number int
	ctl    p9.File // open
	dir    p9.File
}

// Number is the session's.
func (r *Remote) Number() int { return r.number }

// Close lets the session go: it ends, unless it is kept or has another ctl open. It waits for the server's answer unless ctx is done.
// Streams are closed on their own.
func (r *Remote) Close(ctx context.Context) error {
	view(ctx, r.dir).Close()
	return view(ctx, r.ctl).Close()
}

// Ctl writes commands to the session's ctl, in one go. The first that fails is the last one done.
func (r *Remote) Ctl(ctx context.Context, commands ...[]string) error {
	var b strings.Builder
	for _, c := range commands {
		b.WriteString(rcquote.Join(c) + "\n")
	}
	_, err := view(ctx, r.ctl).WriteAt([]byte(b.String()), 0)
	return r.explain(ctx, err)
}

// explain puts errstr's words to an error of the session.
func (r *Remote) explain(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	text, readErr := r.read(ctx, "errstr")
	if text = strings.TrimSpace(text); readErr != nil || text == "" {
		return err
	}
	return &ninep.Error{Errno: ninep.Errno(err), Text: text}
}

// Start starts the command and returns when it runs, or with the reason why it does not.
func (r *Remote) Start(ctx context.Context) error { return r.Ctl(ctx, []string{"start"}) }

// Note sends a note to the command, or with group to every process of the session.
func (r *Remote) Note(ctx context.Context, name string, group bool) error {
	file := "note"
	if group {
		file = "notepg"
	}
	return r.write(ctx, file, []string{name})
}

// Winsize sets the size of the session's terminal.
func (r *Remote) Winsize(ctx context.Context, rows, cols int) error {
	return r.Ctl(ctx, []string{"winsize", fmt.Sprint(rows), fmt.Sprint(cols)})
}

// Break sends the session's terminal a BREAK.
func (r *Remote) Break(ctx context.Context) error { return r.Ctl(ctx, []string{"break"}) }

// SetArgs sets the command and its arguments. None means the user's shell. EBUSY once the session has been started, as with all that
// is set.
func (r *Remote) SetArgs(ctx context.Context, args []string) error {
	var pieces []string
	for _, a := range args {
		pieces = append(pieces, rcquote.Quote(a)+" ")
	}
	return r.write(ctx, "args", pieces)
}

// SetEnv sets the command's environment, NAME=value each.
func (r *Remote) SetEnv(ctx context.Context, env []string) error {
	var pieces []string
	for _, e := range env {
		pieces = append(pieces, envText([]string{e}))
	}
	return r.write(ctx, "env", pieces)
}

// SetDir sets the command's working directory.
func (r *Remote) SetDir(ctx context.Context, dir string) error {
	return r.write(ctx, "dir", []string{dir})
}

// SetNamespace sets the namespace file.
func (r *Remote) SetNamespace(ctx context.Context, text string) error {
	var pieces []string
	for line := range strings.Lines(text) {
		pieces = append(pieces, line)
	}
	return r.write(ctx, "ns", pieces)
}

// Namespace is the namespace as it was built, once the session has been started.
func (r *Remote) Namespace(ctx context.Context) (string, error) { return r.read(ctx, "ns") }

// Wait waits for the command to end.
func (r *Remote) Wait(ctx context.Context) (Status, error) {
	line, err := r.read(ctx, "wait")
	if err != nil {
		return Status{}, err
	}
	return ParseStatus(line)
}

// Status is what is known now of how the command fares.
func (r *Remote) Status(ctx context.Context) (Status, error) {
	line, err := r.read(ctx, "status")
	if err != nil {
		return Status{}, err
	}
	line = strings.TrimSuffix(line, "\n")
	i := strings.LastIndexByte(line, ' ')
	st, err := ParseStatus(line[:max(i, 0)])
	st.State = State(line[i+1:])
	return st, err
}

// HasCons says whether the session has a terminal.
func (r *Remote) HasCons(ctx context.Context) (bool, error) {
	_, f, err := view(ctx, r.dir).Walk([]string{"cons"})
	if ninep.Errno(err) == linux.ENOENT {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// Errstr says why the last operation on the session that failed did so; "" if none has.
func (r *Remote) Errstr(ctx context.Context) (string, error) {
	text, err := r.read(ctx, "errstr")
	return strings.TrimSuffix(text, "\n"), err
}

func (r *Remote) read(ctx context.Context, name string) (string, error) {
	f, err := open(ctx, r.dir, p9.ReadOnly, name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return readAll(ctx, f)
}

// maxWrite is how much goes into one message, unless a single piece is longer.
const maxWrite = 256 << 10

// write empties a file and writes the pieces, none of which is cut in two.
func (r *Remote) write(ctx context.Context, name string, pieces []string) error {
	f, err := open(ctx, r.dir, p9.WriteOnly|truncateFlag, name)
	if err != nil {
		return r.explain(ctx, err)
	}
	defer f.Close()
	offset := int64(0)
	for len(pieces) > 0 {
		var b strings.Builder
		for b.Len() == 0 || len(pieces) > 0 && b.Len()+len(pieces[0]) <= maxWrite {
			b.WriteString(pieces[0])
			if pieces = pieces[1:]; len(pieces) == 0 {
				break
			}
		}
		n, err := view(ctx, f).WriteAt([]byte(b.String()), offset)
		if err != nil {
			return r.explain(ctx, fmt.Errorf("%s: %w", name, err))
		}
		if n < b.Len() {
			return fmt.Errorf("%s: %w", name, io.ErrShortWrite)
		}
		offset += int64(n)
	}
	return nil
}

// A Stream is one of a session's streams, open. Reads and writes end early when the ctx it was opened with is done. io.Copy uses its
// WriteTo and ReadFrom.
type Stream struct {
	ctx           context.Context
	f             p9.File
	reads, writes int64 // turns taken
}

// Stdin opens the command's standard input. Closing the last one that is open ends the input.
func (r *Remote) Stdin(ctx context.Context) (*Stream, error) {
	return r.stream(ctx, "stdin", p9.WriteOnly)
}

// Stdout opens the command's standard output.
func (r *Remote) Stdout(ctx context.Context) (*Stream, error) {
	return r.stream(ctx, "stdout", p9.ReadOnly)
}

// Stderr opens the command's standard error.
func (r *Remote) Stderr(ctx context.Context) (*Stream, error) {
	return r.stream(ctx, "stderr", p9.ReadOnly)
}

// Cons opens the session's terminal.
func (r *Remote) Cons(ctx context.Context) (*Stream, error) {
	return r.stream(ctx, "cons", p9.ReadWrite)
}

func (r *Remote) stream(ctx context.Context, name string, mode p9.OpenFlags) (*Stream, error) {
	f, err := open(ctx, r.dir, mode, name)
	if err != nil {
		return nil, err
	}
	return &Stream{ctx: ctx, f: f}, nil
}

// Read reads what there is, and waits where there is nothing. It gives io.EOF when the command has ended and all is read.
func (s *Stream) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := view(s.ctx, s.f).ReadAt(p, 0)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write writes all of p, however long the command takes to read it.
func (s *Stream) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := view(s.ctx, s.f).WriteAt(p[done:], 0)
		done += n
		if err != nil {
			return done, err
		}
		if n == 0 {
			return done, io.ErrShortWrite
		}
	}
	return done, nil
}

// Close closes the stream. It waits for the server's answer unless the stream's ctx is done.
func (s *Stream) Close() error { return view(s.ctx, s.f).Close() }
