package ctlfs

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"cpu/lib/ninep"
	"cpu/lib/rcquote"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// text is an open file that reads as a text fixed when it was opened, and hands on what is written.
type text struct {
	content string
	written func(ctx context.Context, p []byte, offset int64) error // nil: the file is not for writing
	closed  func()                                                  // nil: nothing to do
	emptied func() error                                            // nil: nothing to do
}

func (t *text) read(_ context.Context, p []byte, offset int64) (int, error) {
	if offset < 0 || offset >= int64(len(t.content)) {
		return 0, io.EOF
	}
	return copy(p, t.content[offset:]), nil
}

func (t *text) write(ctx context.Context, p []byte, offset int64) (int, error) {
	if t.written == nil {
		return 0, linux.EBADF
	}
	if err := t.written(ctx, p, offset); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (t *text) truncate() error {
	if t.emptied == nil {
		return nil
	}
	return t.emptied()
}

func (t *text) close() {
	if t.closed != nil {
		t.closed()
	}
}

// lines is a text of pairs, one a line.
func lines(pairs []Pair) string {
	var b strings.Builder
	for _, p := range pairs {
		b.WriteString(p.Name + " " + p.Value + "\n")
	}
	return b.String()
}

// ended is s as a line; nothing for nothing.
func ended(s string) string {
	if s == "" {
		return ""
	}
	return s + "\n"
}

// commands is a handle's written for ctl files: each line of a write is a command, its words quoted as in rc. They are done in order
// up to the first that fails. fail is told of text that is no command at all.
func commands(do func(ctx context.Context, words []string) error, fail func(error) error) func(context.Context, []byte, int64) error {
	return func(ctx context.Context, p []byte, _ int64) error {
		for rest := string(p); rest != ""; {
			var line string
			line, rest = cutLine(rest)
			words, err := rcquote.Split(line)
			if err != nil {
				return fail(invalid("ctl: %v", err))
			}
			if len(words) == 0 {
				continue
			}
			if err := do(ctx, words); err != nil {
				return err
			}
		}
		return nil
	}
}

// cutLine cuts text behind its first newline that stands in no quotes.
func cutLine(text string) (line, rest string) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\'':
			quoted = !quoted
		case '\n':
			if !quoted {
				return text[:i+1], text[i+1:]
			}
		}
	}
	return text, ""
}

// invalid is EINVAL in words.
func invalid(format string, args ...any) error {
	return &ninep.Error{Errno: linux.EINVAL, Text: fmt.Sprintf(format, args...)}
}

// gathered is text that is written in pieces, and takes effect with each of them as a whole.
type gathered struct {
	mu    sync.Mutex
	text  []byte
	apply func(text string) error
}

// maxText is how much a file takes, in bytes: the longest arguments and environment that Linux gives a command.
const maxText = 4 << 20

func (g *gathered) written(_ context.Context, p []byte, _ int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.text)+len(p) > maxText {
		return linux.EFBIG
	}
	text := append(g.text, p...)
	if err := g.apply(string(text)); err != nil {
		return err
	}
	g.text = text
	return nil
}

// emptied forgets what has been written so far. What is written from now on goes to apply.
func (g *gathered) emptied(apply func(text string) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.text, g.apply = nil, apply
	return apply("")
}

// truncates says whether an open empties its file.
func truncates(mode p9.OpenFlags) bool { return mode&truncateFlag != 0 && mode.Mode() != p9.ReadOnly }

// truncateFlag and appendFlag are O_TRUNC and O_APPEND as 9P2000.L has them on the wire.
const truncateFlag, appendFlag = p9.OpenFlags(0o1000), p9.OpenFlags(0o2000)
