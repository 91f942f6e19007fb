package main

import (
	"fmt"
	"io"
)

// escapes reads what is typed at a terminal in raw mode and takes out of it, at the beginning of a line, what is meant for cpu.
type escapes struct {
	from       io.Reader
	say        io.Writer
	disconnect func()
	state      escapeState
	ended      bool
}

type escapeState int

const (
	lineStart escapeState = iota
	afterTilde
	inLine
)

const escapeHelp = "~.  disconnect\r\n~~  send ~\r\n~?  this list\r\n"

// newEscapes calls disconnect on ~. and reads as ended from then on.
func newEscapes(from io.Reader, say io.Writer, disconnect func()) *escapes {
	return &escapes{from: from, say: say, disconnect: disconnect}
}

func (e *escapes) Read(p []byte) (int, error) {
	if len(p) < 2 {
		return 0, io.ErrShortBuffer
	}
	for !e.ended {
		// A tilde that was held back may come before what is read.
		in := make([]byte, len(p)/2)
		n, err := e.from.Read(in)
		out := e.filter(p[:0], in[:n])
		if len(out) > 0 || err != nil {
			return len(out), err
		}
	}
	return 0, io.EOF
}

// filter appends to out what of in is the command's.
func (e *escapes) filter(out, in []byte) []byte {
	for _, c := range in {
		if e.state == afterTilde {
			e.state = inLine
			switch c {
			case '.':
				e.ended = true
				e.disconnect()
				return out
			case '?':
				fmt.Fprint(e.say, "\r\n", escapeHelp)
				e.state = lineStart
				continue
			case '~':
			default:
				out = append(out, '~')
			}
		} else if e.state == lineStart && c == '~' {
			e.state = afterTilde
			continue
		}
		out = append(out, c)
		if c == '\r' || c == '\n' {
			e.state = lineStart
		} else {
			e.state = inLine
		}
	}
	return out
}
