package sshconfig

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"os/user"
	"strings"
)

// Tokens are what the tokens of ssh_config(5) stand for, and the variables of the environment.
type Tokens struct {
	Host      string // %h: the host's name as it is dialled
	Port      string // %p
	User      string // %r: the user there
	Original  string // %n: the name of the host as it was given
	KeyAlias  string // %k: HostKeyAlias, or else Original
	Jump      string // %j: the host of ProxyJump that is next to Host
	LocalUser string // %u
	Home      string // %d and ~
	UID       string // %i
	LocalHost string // %l, and %L up to its first dot

	Getenv func(name string) string // of ${name}; nil: nothing is set
}

// hash is %C, which tells one connection from another.
func (t *Tokens) hash() string {
	sum := sha1.Sum([]byte(t.LocalHost + t.Host + t.Port + t.User + t.Jump))
	return hex.EncodeToString(sum[:])
}

// value is what a token stands for.
func (t *Tokens) value(token byte) (string, bool) {
	switch token {
	case '%':
		return "%", true
	case 'h':
		return t.Host, true
	case 'p':
		return t.Port, true
	case 'r':
		return t.User, true
	case 'n':
		return t.Original, true
	case 'k':
		return cmp.Or(t.KeyAlias, t.Original), true
	case 'j':
		return t.Jump, true
	case 'u':
		return t.LocalUser, true
	case 'd':
		return t.Home, true
	case 'i':
		return t.UID, true
	case 'l':
		return t.LocalHost, true
	case 'L':
		short, _, _ := strings.Cut(t.LocalHost, ".")
		return short, true
	case 'C':
		return t.hash(), true
	}
	return "", false
}

// Expand replaces tokens, such as those of a command.
func (t *Tokens) Expand(s string) (string, error) { return expand(s, t.value, nil) }

// ExpandEnv replaces tokens and ${NAME}. A variable that is not set is an error.
func (t *Tokens) ExpandEnv(s string) (string, error) { return expand(s, t.value, t.getenv) }

// Words takes a command apart at blanks, quotes and all, and then replaces tokens and ${NAME} in each word. More are tokens that it has besides.
func (t *Tokens) Words(command string, more map[byte]string) ([]string, error) {
	words, err := split(command)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	value := func(token byte) (string, bool) {
		if v, ok := more[token]; ok {
			return v, true
		}
		return t.value(token)
	}
	for i, w := range words {
		if words[i], err = expand(w, value, t.getenv); err != nil {
			return nil, err
		}
	}
	return words, nil
}

// Path is ExpandEnv for the name of a file, which may begin with ~ or ~user.
func (t *Tokens) Path(s string) (string, error) {
	s, err := t.tilde(s)
	if err != nil {
		return "", err
	}
	return t.ExpandEnv(s)
}

func (t *Tokens) getenv(name string) string {
	if t.Getenv == nil {
		return ""
	}
	return t.Getenv(name)
}

// tilde replaces ~ at the beginning of a path.
func (t *Tokens) tilde(s string) (string, error) {
	if !strings.HasPrefix(s, "~") {
		return s, nil
	}
	name, rest, _ := strings.Cut(s[1:], "/")
	home := t.Home
	if name != "" {
		u, err := user.Lookup(name)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s, err)
		}
		home = u.HomeDir
	}
	return strings.TrimSuffix(home, "/") + "/" + rest, nil
}

// expand replaces each token by its value and, where getenv is given, each ${NAME}.
func expand(s string, value func(token byte) (string, bool), getenv func(name string) string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case getenv != nil && strings.HasPrefix(s[i:], "${"):
			name, _, closed := strings.Cut(s[i+2:], "}")
			if !closed || name == "" {
				return "", fmt.Errorf("%s: want ${NAME}", s)
			}
			v := getenv(name)
			if v == "" {
				return "", fmt.Errorf("%s: %s is not set", s, name)
			}
			out.WriteString(v)
			i += len("${}") + len(name) - 1
		case s[i] == '%':
			i++
			if i == len(s) {
				return "", fmt.Errorf("%s: nothing after the last %%", s)
			}
			v, ok := value(s[i])
			if !ok {
				return "", fmt.Errorf("%s: %%%c is no token", s, s[i])
			}
			out.WriteString(v)
		default:
			out.WriteByte(s[i])
		}
	}
	return out.String(), nil
}
