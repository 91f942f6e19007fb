package sshconfig

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A file is one that is being read.
type file struct {
	name    string
	users   bool // it is the user's, not the system's
	guarded bool // nobody but the user and root may be able to write to it
	depth   int  // how many files lead to it
	dead    bool // the Include that leads to it is about other hosts: nothing in it counts
}

// maxDepth is how many files deep Include may go, as with OpenSSH.
const maxDepth = 16

// pass reads all the files for host, which is what Host is compared with.
func (r *resolver) pass(host string) error {
	if r.File != "" {
		return r.read(file{name: r.File, users: true}, host, true)
	}
	for _, f := range []file{{name: r.UserFile, users: true, guarded: true}, {name: r.SystemFile}} {
		if f.name == "" {
			continue
		}
		if err := r.read(f, host, true); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// read reads one file. Its lines count from the first on if active.
func (r *resolver) read(f file, host string, active bool) error {
	if f.depth > maxDepth {
		return errLoop
	}
	opened, err := os.Open(f.name)
	if err != nil {
		return err
	}
	defer opened.Close()
	info, err := opened.Stat()
	if err != nil || info.IsDir() {
		return err
	}
	if f.guarded {
		if err := guarded(f.name, info); err != nil {
			return err
		}
	}
	text, err := readAll(opened)
	if err != nil {
		return err
	}
	return r.lines(f, text, host, active)
}

// lines reads the lines of a file.
func (r *resolver) lines(f file, text, host string, active bool) error {
	n := 0
	for text := range strings.Lines(text) {
		n++
		l, err := parseLine(position(f.name, n), text)
		if err != nil {
			return err
		}
		if l == nil {
			continue
		}
		switch l.keyword {
		case "host":
			active, err = matchesHost(l, host)
			active = active && !f.dead
		case "match":
			active, err = r.match(l)
			active = active && !f.dead
		case "include":
			err = r.include(l, f, host, active)
		default:
			err = r.set(l, active, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// matchesHost says whether a Host line is about a host.
func matchesHost(l *line, host string) (bool, error) {
	if len(l.args) == 0 {
		return false, nil
	}
	matched := false
	for _, pattern := range l.args {
		if pattern == "" {
			return false, l.errorf("host: %w", errMissing)
		}
		pattern, not := strings.CutPrefix(pattern, "!")
		if Matches(pattern, host) {
			if not {
				return false, nil
			}
			matched = true
		}
	}
	return matched, nil
}

// include reads the files that a line names.
func (r *resolver) include(l *line, from file, host string, active bool) error {
	for _, pattern := range l.args {
		if pattern == "" {
			return l.errorf("include: %w", errMissing)
		}
		names, err := r.included(pattern, from)
		if err != nil {
			return l.errorf("include: %w", err)
		}
		for _, name := range names {
			f := file{name: name, users: from.users, guarded: true, depth: from.depth + 1, dead: !active}
			err := r.read(f, host, active)
			if err == errLoop {
				return l.errorf("include: %w", err)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// included are the files that a pattern names, in order.
func (r *resolver) included(pattern string, from file) ([]string, error) {
	tokens, err := r.tokens()
	if err != nil {
		return nil, err
	}
	if pattern, err = tokens.ExpandEnv(pattern); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(pattern, "~") && !from.users:
		return nil, errors.New("the system's configuration has no ~")
	case strings.HasPrefix(pattern, "~"):
		if pattern, err = tokens.tilde(pattern); err != nil {
			return nil, err
		}
	case filepath.IsAbs(pattern) || strings.HasPrefix(pattern, "/"):
	case from.users:
		pattern = literal.Replace(filepath.ToSlash(r.UserDir)) + "/" + pattern
	default:
		pattern = literal.Replace(filepath.ToSlash(r.SystemDir)) + "/" + pattern
	}
	names, err := filepath.Glob(strings.ReplaceAll(pattern, "[!", "[^"))
	if err != nil { // glob(3) takes as it is what is no pattern
		return []string{pattern}, nil
	}
	visible := names[:0]
	for _, name := range names {
		if !hidden(pattern, name) {
			visible = append(visible, name)
		}
	}
	return visible, nil
}

// literal makes the name of a file a pattern that matches it alone.
var literal = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")

// hidden says whether an element of name begins with a dot where that of pattern does not: glob(3) leaves such names out.
func hidden(pattern, name string) bool {
	patterns, names := strings.Split(filepath.ToSlash(pattern), "/"), strings.Split(filepath.ToSlash(name), "/")
	for i := range min(len(patterns), len(names)) {
		if strings.HasPrefix(names[i], ".") && !strings.HasPrefix(patterns[i], ".") {
			return true
		}
	}
	return false
}

// maxFile is how long a file may be.
const maxFile = 16 << 20

func readAll(from io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("longer than %d bytes", maxFile)
	}
	return string(text), err
}

// position is how errors name a line.
func position(name string, n int) string { return name + ":" + strconv.Itoa(n) }
