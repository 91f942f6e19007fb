package nsfile

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cpu/lib/rcquote"
)

// The limits of what Parse reads; more is an error.
const (
	MaxFile = 1 << 20  // bytes in a file
	MaxLine = 64 << 10 // bytes in a line, its end not counted
	maxName = 4096     // bytes in a file's name as a #line comment has it: the longest path Linux takes
)

// Parse reads a namespace file to its end and returns its operations in order. name is the file's in errors, and in Op.File until
// a #line comment gives another. Every error is an *Error, with the line at fault, and the first one ends it; no operations come
// with an error. Parse looks at the form of a line alone: whether a variable is set or a path is there is found by Eval.
func Parse(name string, r io.Reader) ([]Op, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, &Error{File: name, Line: 1 + strings.Count(string(data), "\n"), Err: err}
	}
	text := string(data)
	if len(text) > MaxFile {
		return nil, &Error{File: name, Line: 1 + strings.Count(text[:MaxFile], "\n"), Err: errors.New("the file is over 1 MiB")}
	}
	var ops []Op
	for pos := (position{name, 1}); text != ""; {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if len(line) > MaxLine {
			return nil, &Error{File: pos.file, Line: pos.line, Err: errors.New("the line is over 64 KiB")}
		}
		if strings.IndexByte(line, 0) >= 0 {
			return nil, &Error{File: pos.file, Line: pos.line, Err: errors.New("there is a NUL in the line")}
		}
		line = strings.Trim(line, blanks)
		switch {
		case line == "":
			pos.line++
		case line[0] == '#':
			pos = pos.after(line)
		default:
			op, err := parseLine(line)
			if err != nil {
				return nil, &Error{File: pos.file, Line: pos.line, Err: err}
			}
			op.File, op.Line = pos.file, pos.line
			ops = append(ops, op)
			pos.line++
		}
	}
	return ops, nil
}

// parseLine reads one operation; line has at least one word.
func parseLine(line string) (Op, error) {
	tokens, err := tokenize(line)
	if err != nil {
		return Op{}, err
	}
	name := tokens[0].word.String()
	v, ok := verb(name)
	if !ok {
		return Op{}, fmt.Errorf("%s: unknown operation", name)
	}
	op, g := Op{Verb: v}, grammar[v]
	args := tokens[1:]
	for ; len(args) > 0 && args[0].option; args = args[1:] {
		f, err := parseFlags(args[0].word, g.flags)
		if err != nil {
			return Op{}, fmt.Errorf("%s: %w", name, err)
		}
		op.Flags |= f
	}
	if both := After | Before; op.Flags&both == both {
		return Op{}, fmt.Errorf("%s: -a and -b exclude each other", name)
	}
	if both := NoDevices | Remove; op.Flags&both == both {
		return Op{}, fmt.Errorf("%s: -n and -r exclude each other", name)
	}
	if n := len(args); n < g.min || n > g.max {
		return Op{}, fmt.Errorf("%s: wrong number of arguments: %d, want %s", name, n, span(g.min, g.max))
	}
	for _, a := range args {
		op.Args = append(op.Args, a.word)
	}
	return op, nil
}

// parseFlags reads a word of options, each of which must be among those allowed.
func parseFlags(w Word, allowed Flags) (Flags, error) {
	if len(w) > 1 || w[0].Var {
		return 0, fmt.Errorf("%s: a variable among options", w)
	}
	var flags Flags
	for _, r := range w[0].Text[1:] {
		f := flagOf(r, allowed)
		if f == 0 {
			return 0, fmt.Errorf("unknown option -%c", r)
		}
		flags |= f
	}
	return flags, nil
}

func flagOf(r rune, allowed Flags) Flags {
	for _, l := range letters {
		if rune(l.letter) == r && l.flag&allowed != 0 {
			return l.flag
		}
	}
	return 0
}

func span(low, high int) string {
	if low == high {
		return strconv.Itoa(low)
	}
	return fmt.Sprintf("%d or %d", low, high)
}

// position is where a line stands.
type position struct {
	file string
	line int
}

// after returns the position of the line that follows comment, which stands at p.
func (p position) after(comment string) position {
	next := position{p.file, p.line + 1}
	rest, isLine := strings.CutPrefix(comment, "#line")
	if !isLine {
		return next
	}
	words, err := rcquote.Split(rest)
	if err != nil || len(words) < 1 || len(words) > 2 || strings.IndexByte(blanks, rest[0]) < 0 {
		return next
	}
	n, err := strconv.ParseUint(words[0], 10, 30)
	if err != nil || n == 0 {
		return next
	}
	if len(words) == 2 {
		if len(words[1]) > maxName {
			return next
		}
		next.file = words[1]
	}
	next.line = int(n)
	return next
}
