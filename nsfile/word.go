package nsfile

import (
	"fmt"
	"strings"

	"cpu/lib/rcquote"
)

// Word is one argument: text and variables in turn. Parse joins neighbouring text and keeps no empty part, so that words of equal
// meaning are equal; the word ” has no part at all.
type Word []Part

// Part is a stretch of text, or the name of a variable.
type Part struct {
	Text string // the text, its quotes undone, or the name, without its $
	Var  bool
}

// Text returns the word that means s, whatever s holds.
func Text(s string) Word {
	if s == "" {
		return nil
	}
	return Word{{Text: s}}
}

// Expand returns the word with its variables replaced; what a variable holds is not looked at again. getenv tells a variable that
// is empty from one that is not there, and the latter is an error.
func (w Word) Expand(getenv func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for _, p := range w {
		if !p.Var {
			b.WriteString(p.Text)
			continue
		}
		v, ok := getenv(p.Text)
		if !ok {
			return "", fmt.Errorf("$%s: undefined variable", p.Text)
		}
		b.WriteString(v)
	}
	return b.String(), nil
}

const (
	blanks = " \t\r"
	// nameEnds is what cannot be part of a variable's name.
	nameEnds = blanks + "/$'"
	// mustQuote is what has to stand in quotes to be itself.
	mustQuote = blanks + "$'"
)

// String prints the word, with no more quotes than it takes to read it back.
func (w Word) String() string {
	var b strings.Builder
	afterVar := false
	for i := 0; i < len(w); i++ {
		if w[i].Var {
			b.WriteString("$" + w[i].Text)
			afterVar = true
			continue
		}
		text := w[i].Text
		for i+1 < len(w) && !w[i+1].Var { // two quoted parts side by side would be read as one with a quote in it
			i++
			text += w[i].Text
		}
		switch {
		case text == "":
		case strings.ContainsAny(text, mustQuote), afterVar && text[0] != '/', b.Len() == 0 && text[0] == '-':
			b.WriteString(quote(text))
		default:
			b.WriteString(text)
		}
		afterVar = false
	}
	if b.Len() == 0 {
		return "''"
	}
	return b.String()
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// token is a word as it stands in a line.
type token struct {
	word   Word
	option bool // it begins with a - outside quotes, and is more than that
}

// tokenize takes a line apart.
func tokenize(line string) ([]token, error) {
	var tokens []token
	for {
		line = strings.TrimLeft(line, blanks)
		if line == "" {
			return tokens, nil
		}
		word, rest, err := nextWord(line)
		if err != nil {
			return nil, err
		}
		option := line[0] == '-' && !(len(word) == 1 && word[0].Text == "-")
		tokens, line = append(tokens, token{word, option}), rest
	}
}

// nextWord takes a word off line, which begins with one.
func nextWord(line string) (w Word, rest string, err error) {
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			w = append(w, Part{Text: text.String()})
			text.Reset()
		}
	}
	quoted := false
	i := 0
	for ; i < len(line); i++ {
		c := line[i]
		switch {
		case quoted && c == '\'' && i+1 < len(line) && line[i+1] == '\'':
			text.WriteByte(c)
			i++
		case c == '\'':
			quoted = !quoted
		case quoted:
			text.WriteByte(c)
		case strings.IndexByte(blanks, c) >= 0:
			flush()
			return w, line[i:], nil
		case c == '$':
			name := line[i+1:]
			if n := strings.IndexAny(name, nameEnds); n >= 0 {
				name = name[:n]
			}
			if name == "" {
				return nil, "", fmt.Errorf("a $ that no name follows: quote it")
			}
			flush()
			w = append(w, Part{Text: name, Var: true})
			i += len(name)
		default:
			text.WriteByte(c)
		}
	}
	if quoted {
		return nil, "", rcquote.ErrUnclosed
	}
	flush()
	return w, "", nil
}
