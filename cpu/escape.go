package main

import (
	"fmt"
	"io"
	"strings"
)

// escapes reads what is typed at a terminal in raw mode and takes out of it, at the beginning of a line, what is meant for cpu.
type escapes struct {
	from       io.Reader
	say        io.Writer
	char       byte // that it begins with; 0: none does
	disconnect func()
	suspend    func() // nil where a process cannot be stopped
	sendBreak  func() // nil where there is nothing to send one to

	buf   [4096]byte
	left  []byte // that was read and not handed on yet
	state escapeState
	err   error // from's, once left is read
}

type escapeState int

const (
	lineStart escapeState = iota
	afterTilde
	inLine
)

const escapeHelp = "~.  disconnect\r\n~B  send a BREAK\r\n~^Z suspend\r\n~~  send ~\r\n~?  this list\r\n"

// help lists the escapes as they are typed.
func (e *escapes) help() string {
	shown := string(rune(e.char))
	if e.char < ' ' {
		shown = "^" + string(rune(e.char+'@'))
	}
	return strings.ReplaceAll(escapeHelp, "~", shown)
}

const controlZ = 'Z' & 0x1f

// newEscapes calls disconnect on ~. and reads as ended from then on.
func newEscapes(from io.Reader, say io.Writer, disconnect func()) *escapes {
	return &escapes{from: from, say: say, char: '~', disconnect: disconnect}
}

func (e *escapes) Read(p []byte) (int, error) {
	for len(e.left) == 0 && len(p) > 0 {
		if e.err != nil {
			return 0, e.err
		}
		n, err := e.from.Read(e.buf[:])
		e.err = err
		e.left = e.filter(e.buf[:n])
		if err != nil && e.state == afterTilde {
			e.left = append(e.left, e.char)
		}
	}
	n := copy(p, e.left)
	e.left = e.left[n:]
	return n, nil
}

// filter gives what of in is the command's.
func (e *escapes) filter(in []byte) []byte {
	out := make([]byte, 0, len(in)+1)
	for _, c := range in {
		if e.state == afterTilde {
			e.state = inLine
			switch c {
			case '.':
				e.err = io.EOF
				e.disconnect()
				return out
			case '?':
				fmt.Fprint(e.say, "\r\n", e.help())
				e.state = lineStart
				continue
			case controlZ:
				if e.suspend == nil {
					out = append(out, e.char)
					break
				}
				e.suspend()
				e.state = lineStart
				continue
			case 'B':
				if e.sendBreak == nil {
					out = append(out, e.char)
					break
				}
				e.sendBreak()
				e.state = lineStart
				continue
			case e.char:
			default:
				out = append(out, e.char)
			}
		} else if e.state == lineStart && c == e.char && c != 0 {
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
