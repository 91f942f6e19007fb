// Package rcquote writes and reads words the way rc(1) quotes them: a word that holds a blank, a quote or a character special to
// rc stands in single quotes, and a quote within is doubled ('it”s').
//
// Namespace files and the control tree (args, env) are written so, hence nsfile and ctlfs call this package. It knows quoting
// alone: it never expands variables or patterns, and to it `$`, `*` and `;` outside quotes are characters like any other.
package rcquote

import (
	"errors"
	"strings"
)

// ErrUnclosed is the error for text whose last quote has no partner.
var ErrUnclosed = errors.New("unclosed quote")

// special is what rc gives a meaning to outside quotes, besides blanks and control characters; the set is that of Plan 9's
// quote(2).
const special = "`^#*[]=|\\?${}()'<>&;"

// Quote returns s as one word: s itself where rc reads it back as it is, else s in quotes. The empty string is ”. Every byte
// but NUL, which rc cannot hold and which passes as it is, comes back from Split; newlines stay as they are, inside the quotes.
func Quote(s string) string {
	if s != "" && !needsQuote(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

func needsQuote(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c == 0x7f || strings.IndexByte(special, c) >= 0 {
			return true
		}
	}
	return false
}

// Join returns the words quoted and set apart by single spaces, on one line where no word has a newline. It is the inverse of
// Split. No words give the empty string.
func Join(words []string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(Quote(w))
	}
	return b.String()
}

// Split returns the words of text without their quotes. Words are set apart by spaces, tabs, carriage returns and newlines
// outside quotes. Quoted and plain parts that touch make one word, as tokenize(2) has it: a'b c'd is the word "ab cd", and two
// quotes with nothing between them, outside other quotes, are an empty part. Text without words gives none. The only error is
// ErrUnclosed.
func Split(text string) ([]string, error) {
	var words []string
	for {
		text = strings.TrimLeft(text, blanks)
		if text == "" {
			return words, nil
		}
		word, rest, err := next(text)
		if err != nil {
			return nil, err
		}
		words, text = append(words, word), rest
	}
}

const blanks = " \t\r\n"

// next takes one word off text, which begins with one.
func next(text string) (word, rest string, err error) {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c != '\'' && !quoted && strings.IndexByte(blanks, c) >= 0:
			return b.String(), text[i:], nil
		case c != '\'':
			b.WriteByte(c)
		case quoted && i+1 < len(text) && text[i+1] == '\'':
			b.WriteByte(c)
			i++
		default:
			quoted = !quoted
		}
	}
	if quoted {
		return "", "", ErrUnclosed
	}
	return b.String(), "", nil
}
