package sshconfig

import (
	"errors"
	"fmt"
	"strings"
)

// A line is one of a configuration file, or an option of the command line.
type line struct {
	at      string // file:number, or what option it is
	keyword string // in lower case
	rest    string // what follows it, as it is written
	args    []string
}

const blanks = " \t\r\n"

// parseLine takes a line apart. It is nil if nothing is on it.
func parseLine(at, text string) (*line, error) {
	text = strings.TrimLeft(strings.TrimRight(text, blanks+"\f"), blanks)
	if text == "" || text[0] == '#' {
		return nil, nil
	}
	l := &line{at: at}
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		var closed bool
		if l.keyword, text, closed = strings.Cut(quoted, `"`); !closed {
			return nil, nil // as OpenSSH has it
		}
		text = strings.TrimLeft(text, blanks)
	} else {
		end := strings.IndexAny(text, blanks+"=")
		if end < 0 {
			end = len(text)
		}
		l.keyword, text = text[:end], strings.TrimLeft(text[end:], blanks)
		text = strings.TrimLeft(strings.TrimPrefix(text, "="), blanks)
	}
	l.keyword = strings.ToLower(l.keyword)
	if l.keyword == "" {
		return nil, l.errorf("no keyword")
	}
	if text == "" {
		return nil, l.errorf("no argument after %s", l.keyword)
	}
	l.rest = text
	var err error
	if l.args, err = split(text); err != nil {
		return nil, l.errorf("%w", err)
	}
	return l, nil
}

func (l *line) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", l.at, fmt.Errorf(format, args...))
}

// split takes words apart at blanks, up to a # that begins one. Quotes of both kinds keep a word together, and a backslash stands before
// a quote, another backslash or, outside quotes, a space that is meant as it is.
func split(s string) ([]string, error) {
	var words []string
	for i := 0; i < len(s); {
		if s[i] == ' ' || s[i] == '\t' {
			i++
			continue
		}
		if s[i] == '#' {
			break
		}
		var word []byte
		quote := byte(0)
		for ; i < len(s); i++ {
			c := s[i]
			if c == '\\' && i+1 < len(s) && (strings.IndexByte(`'"\`, s[i+1]) >= 0 || quote == 0 && s[i+1] == ' ') {
				i++
				word = append(word, s[i])
				continue
			}
			if quote == 0 && (c == ' ' || c == '\t') {
				break
			}
			switch {
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote != 0 && c == quote:
				quote = 0
			default:
				word = append(word, c)
			}
		}
		if quote != 0 {
			return nil, errors.New("a quote is not closed")
		}
		words = append(words, string(word))
	}
	return words, nil
}
