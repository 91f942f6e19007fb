package nsfile

import (
	"strconv"
	"strings"
)

// Format prints operations as a file that Parse reads back as they are, positions and all: where an operation does not stand on
// the line after its predecessor's, empty lines or a #line comment say so. This is how files from several places are joined, and
// how a file that was read at the terminal keeps its name in the session's errors. What a #line comment cannot hold of a file's
// name (newlines, NULs, more than 4096 bytes) is left out. An operation whose Line is 0 has no position, and just follows.
func Format(ops []Op) string {
	var b strings.Builder
	var pos position
	for _, op := range ops {
		want := position{lineName(op.File), op.Line}
		if op.Line > 0 && want != pos {
			b.WriteString(move(pos, want))
			pos = want
		}
		b.WriteString(op.String())
		b.WriteByte('\n')
		if pos.line > 0 {
			pos.line++
		}
	}
	return b.String()
}

// move returns what to print for the next line to stand at the position to, the shorter of empty lines and a comment.
func move(from, to position) string {
	comment := "#line " + strconv.Itoa(to.line)
	if from.line == 0 || from.file != to.file {
		return comment + " " + quote(to.file) + "\n"
	}
	comment += "\n"
	if gap := to.line - from.line; gap > 0 && gap < len(comment) {
		return strings.Repeat("\n", gap)
	}
	return comment
}

func lineName(file string) string {
	file = strings.NewReplacer("\n", "", "\x00", "").Replace(file)
	return file[:min(len(file), maxName)]
}
