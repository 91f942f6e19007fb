//go:build linux

package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cpu/ctlfs"

	"golang.org/x/crypto/ssh"
)

// What publicKey leaves in the connection's permissions.
const (
	keyFingerprint = "fingerprint"
	keyOptions     = "options" // the options of the line that let the key in, one a line
)

// errNoKey is all that a client is told.
var errNoKey = errors.New("key not accepted")

// publicKey lets a key in that the user's list has. It does the same work for a user who does not exist.
func (s *Server) publicKey(conn ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	if _, ok := key.(*ssh.Certificate); ok {
		return nil, errNoKey
	}
	u, userErr := s.lookupUser(conn.User())
	options, err := s.findKey(u, key)
	if err == nil && userErr == nil {
		_, err = parseOptions(options, conn.RemoteAddr(), time.Now())
	}
	if err := errors.Join(userErr, err); err != nil {
		s.Log.Debug("key not accepted", "from", conn.RemoteAddr().String(), "user", conn.User(), "key", ssh.FingerprintSHA256(key), "err", err)
		return nil, errNoKey
	}
	return &ssh.Permissions{Extensions: map[string]string{
		keyFingerprint: ssh.FingerprintSHA256(key),
		keyOptions:     strings.Join(options, "\n"),
	}}, nil
}

// logAttempt is called for each try to log in.
func (s *Server) logAttempt(conn ssh.ConnMetadata, method string, err error) {
	if err != nil && method != "none" {
		s.Log.Log(nil, slog.LevelDebug, "try failed", "from", conn.RemoteAddr().String(), "user", conn.User(), "method", method)
	}
}

// findKey finds the line that lets key in for u and gives its options.
func (s *Server) findKey(u ctlfs.User, key ssh.PublicKey) ([]string, error) {
	if s.Keys != nil {
		for _, k := range s.Keys {
			if bytes.Equal(k.Marshal(), key.Marshal()) {
				return nil, nil
			}
		}
		return nil, errNoKey
	}
	file, owner := s.AuthorizedKeys, uint32(s.uid)
	if file == "" {
		file, owner = filepath.Join(u.Home, ".ssh", "authorized_keys"), u.UID
	}
	text, err := readStrict(file, owner, s.AuthorizedKeys == "", u.Home)
	if err != nil {
		return nil, err
	}
	options, ok := matchKey(text, key)
	if !ok {
		return nil, fmt.Errorf("%s does not have it", file)
	}
	return options, nil
}

// maxKeys is the size in bytes of a list of keys beyond which it is not read.
const maxKeys = 1 << 20

// readStrict reads a file that nobody but owner and root can have written: neither it nor, with parents, a directory from it up to home.
func readStrict(file string, owner uint32, parents bool, home string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a file", file)
	}
	if err := strict(file, info, owner); err != nil {
		return nil, err
	}
	for dir := filepath.Dir(file); parents; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return nil, err
		}
		if err := strict(dir, info, owner); err != nil {
			return nil, err
		}
		if dir == filepath.Clean(home) || dir == "/" || dir == "." {
			break
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeys+1))
	if err == nil && len(text) > maxKeys {
		err = fmt.Errorf("%s: more than %d bytes", file, maxKeys)
	}
	return text, err
}

func strict(name string, info os.FileInfo, owner uint32) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid != owner && st.Uid != 0 {
		return fmt.Errorf("%s: belongs to another user", name)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s: others may write it", name)
	}
	return nil
}

// matchKey finds key in the text of an authorized_keys file, see sshd(8), and gives the options of its line. Lines that cannot be read,
// as those of certificate authorities, let nobody in.
func matchKey(text []byte, key ssh.PublicKey) (options []string, ok bool) {
	want := key.Marshal()
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		k, _, options, _, err := ssh.ParseAuthorizedKey(line)
		if err == nil && bytes.Equal(k.Marshal(), want) {
			return options, true
		}
	}
	return nil, false
}

// keyRights is what the options of a key's line say.
type keyRights struct {
	command string   // the only command; "" is any
	env     []string // NAME=value, added to the environment
	noTTY   bool
}

// parseOptions reads the options of a key's line; see AUTHORIZED_KEYS FILE FORMAT in sshd(8). One that is not known, or not met, is an
// error: a restriction that is passed over would be a right.
func parseOptions(options []string, from net.Addr, now time.Time) (keyRights, error) {
	var r keyRights
	for _, o := range options {
		name, value, _ := strings.Cut(o, "=")
		value = unquote(value)
		switch strings.ToLower(name) {
		case "no-port-forwarding", "no-agent-forwarding", "no-x11-forwarding", "no-user-rc", "port-forwarding", "agent-forwarding",
			"x11-forwarding", "user-rc", "permitopen", "permitlisten", "no-touch-required": // about what there is none of here
		case "restrict", "no-pty":
			r.noTTY = true
		case "pty":
			r.noTTY = false
		case "command":
			r.command = value
		case "environment":
			if n, _, ok := strings.Cut(value, "="); !ok || n == "" {
				return r, fmt.Errorf("environment=%q: not NAME=value", value)
			}
			r.env = append(r.env, value)
		case "from":
			if !fromMatches(value, from) {
				return r, fmt.Errorf("the key is for others than %s", from)
			}
		case "expiry-time":
			t, err := expiry(value)
			if err != nil {
				return r, err
			}
			if !now.Before(t) {
				return r, errors.New("the key has expired")
			}
		default:
			return r, fmt.Errorf("%s: option not supported", name)
		}
	}
	return r, nil
}

// unquote takes the quotes off an option's value.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.ReplaceAll(s[1:len(s)-1], `\"`, `"`)
	}
	return s
}

// expiry reads YYYYMMDD[HHMM[SS]], in UTC with a Z at its end, else in the machine's zone.
func expiry(s string) (time.Time, error) {
	zone := time.Local
	if t, ok := strings.CutSuffix(s, "Z"); ok {
		s, zone = t, time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(s) == len(layout) {
			return time.ParseInLocation(layout, s, zone)
		}
	}
	return time.Time{}, fmt.Errorf("expiry-time=%q: not a time", s)
}

// fromMatches matches an address with a pattern list: addresses with * and ?, CIDR blocks, and ! before what is not meant. Host names
// never match, as with sshd's UseDNS no.
func fromMatches(list string, from net.Addr) bool {
	host, _, err := net.SplitHostPort(from.String())
	if err != nil {
		return false
	}
	host, _, _ = strings.Cut(host, "%")
	ip := net.ParseIP(host)
	matched := false
	for p := range strings.SplitSeq(list, ",") {
		p, not := strings.CutPrefix(strings.TrimSpace(p), "!")
		_, block, err := net.ParseCIDR(p)
		hit := err == nil && ip != nil && block.Contains(ip)
		if err != nil {
			hit, _ = path.Match(strings.NewReplacer("[", `\[`, `\`, `\\`).Replace(p), host)
		}
		if hit && not {
			return false
		}
		matched = matched || hit
	}
	return matched
}

// A login is a user who has come in, and what his key allows.
type login struct {
	user   ctlfs.User
	rights keyRights
}

func newLogin(s *Server, conn *ssh.ServerConn) (*login, error) {
	u, err := s.lookupUser(conn.User())
	if err != nil {
		return nil, err
	}
	var options []string
	if text := conn.Permissions.Extensions[keyOptions]; text != "" {
		options = strings.Split(text, "\n")
	}
	rights, err := parseOptions(options, conn.RemoteAddr(), time.Now())
	return &login{u, rights}, err
}
