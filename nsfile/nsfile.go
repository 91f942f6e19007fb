// Package nsfile reads, prints and carries out namespace files, namespace(6): the lists of mount and bind lines that say what a
// session sees.
//
// cpu parses the user's files at the terminal, so that a mistake shows before a connection is made, and sends them on with their
// positions kept; cpud/session parses what it was sent and builds the namespace from it, and prints the namespace it has built.
// The package mounts nothing itself: Eval drives a Builder. It opens no files, reads no environment and logs nothing.
//
// The format is the manual's, man/6/namespace. In short: one operation a line, words set apart by blanks (spaces, tabs, carriage
// returns), quoted as in rc(1), a quote closed on the line that opens it. A `$` outside quotes begins a variable, whose name ends
// at a blank, `/`, `$` or a quote. Empty lines and lines that begin with # pass; of these, `#line N FILE` says that the next line
// is line N of FILE, or of the file so far where FILE is missing.
package nsfile

import (
	"fmt"
	"strings"
)

// Verb is what a line does.
type Verb uint8

// The operations of namespace(6). The zero Verb is none of them.
const (
	Mount   Verb = iota + 1 // mount [-abcCqn] servename old [spec]
	Bind                    // bind [-abcCq] new old
	Import                  // import [-abcCq] host [tree] old
	Unmount                 // unmount [new] old
	Cd                      // cd dir
	Clear                   // clear
	Dot                     // . path
	Chdev                   // chdev [-nr] mask
)

// grammar has a row a Verb: its name, the options it takes, and how many arguments.
var grammar = [...]struct {
	name     string
	flags    Flags
	min, max int
}{
	Mount:   {"mount", After | Before | Create | Cache | Quiet | NoAuth, 2, 3},
	Bind:    {"bind", After | Before | Create | Cache | Quiet, 2, 2},
	Import:  {"import", After | Before | Create | Cache | Quiet, 2, 3},
	Unmount: {"unmount", 0, 1, 2},
	Cd:      {"cd", 0, 1, 1},
	Clear:   {"clear", 0, 0, 0},
	Dot:     {".", 0, 1, 1},
	Chdev:   {"chdev", NoDevices | Remove, 1, 1},
}

// String returns the verb as a namespace file has it.
func (v Verb) String() string {
	if v == 0 || int(v) >= len(grammar) {
		return fmt.Sprintf("Verb(%d)", uint8(v))
	}
	return grammar[v].name
}

func verb(name string) (Verb, bool) {
	for v := Mount; int(v) < len(grammar); v++ {
		if grammar[v].name == name {
			return v, true
		}
	}
	return 0, false
}

// Flags is the set of an operation's options. Without After and Before, mount, bind and import replace what is at old.
type Flags uint16

// The options.
const (
	After     Flags = 1 << iota // -a: a union; the new directory is searched after those already there. Not with Before
	Before                      // -b: a union; the new directory is searched first
	Create                      // -c: files made in the union may be made in this directory
	Cache                       // -C: what is read may be cached
	Quiet                       // -q: a failure of this line is not one
	NoAuth                      // -n, mount: no authentication with the service
	NoDevices                   // -n, chdev: no device may be named any more, whatever the mask. Not with Remove
	Remove                      // -r, chdev: the devices of the mask may not be named any more; without, only those of the mask may
)

// letters has the options in the order in which they print.
var letters = [...]struct {
	flag   Flags
	letter byte
}{
	{After, 'a'}, {Before, 'b'}, {Create, 'c'}, {Cache, 'C'}, {Quiet, 'q'}, {NoAuth, 'n'}, {NoDevices, 'n'}, {Remove, 'r'},
}

// String returns the options as one word, `-ac`, and the empty string where there is none.
func (f Flags) String() string {
	if f == 0 {
		return ""
	}
	b := []byte{'-'}
	for _, l := range letters {
		if f&l.flag != 0 {
			b = append(b, l.letter)
		}
	}
	return string(b)
}

// Op is one operation, with where it was read. Its arguments are as many as Verb takes, variables not yet replaced.
type Op struct {
	File  string
	Line  int // from 1
	Verb  Verb
	Flags Flags
	Args  []Word
}

// String prints the operation as a line, without its end. Parse reads it back as it was, but for File and Line; the one thing
// that a namespace file cannot express is a word with a newline or a NUL in it, and Parse makes none.
func (o Op) String() string {
	var b strings.Builder
	b.WriteString(o.Verb.String())
	if o.Flags != 0 {
		b.WriteByte(' ')
		b.WriteString(o.Flags.String())
	}
	for _, w := range o.Args {
		b.WriteByte(' ')
		b.WriteString(w.String())
	}
	return b.String()
}

// Error is why a namespace file cannot be read, or which of its lines failed.
type Error struct {
	File string
	Line int    // from 1
	Op   string // the operation that failed, variables replaced, options left out; empty where the line cannot be read
	Err  error  // the reason
}

// Error returns FILE:LINE: OP: REASON.
func (e *Error) Error() string {
	if e.Op == "" {
		return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err)
	}
	return fmt.Sprintf("%s:%d: %s: %v", e.File, e.Line, e.Op, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// ImportService is the name in /srv under which a terminal posts the files of host for import lines.
func ImportService(host string) string {
	return "import." + strings.NewReplacer("%", "%25", "/", "%2F").Replace(host)
}
