package dial

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"strings"

	"cpu/cpu/dial/sshconfig"

	"golang.org/x/crypto/ssh"
)

// A hostEntry is a line of a known_hosts file that is about the host in question; see SSH_KNOWN_HOSTS FILE FORMAT in sshd(8).
type hostEntry struct {
	marker string // "", cert-authority or revoked
	key    ssh.PublicKey
	file   string
	line   int
}

// readHostList gives what a file says of a host, in the file's order. Lines that cannot be read say nothing, as with ssh: a list may have
// keys of kinds that are not known here. A file that is not there is empty.
func readHostList(file, host string) ([]hostEntry, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseHostList(file, text, host), nil
}

func parseHostList(file string, text []byte, host string) []hostEntry {
	var all []hostEntry
	n := 0
	for line := range bytes.Lines(text) {
		n++
		marker, hosts, key, _, _, err := ssh.ParseKnownHosts(line)
		if err == nil && (marker == "" || marker == "cert-authority" || marker == "revoked") && hostMatches(hosts, host) {
			all = append(all, hostEntry{marker, key, file, n})
		}
	}
	return all
}

// hostMatches matches a name, or [name]:port, with the patterns of a line: a hashed name, or names with * and ?, and ! before what is
// not meant.
func hostMatches(patterns []string, host string) bool {
	host = strings.ToLower(host)
	matched := false
	for _, p := range patterns {
		if strings.HasPrefix(p, "|") {
			matched = matched || hashMatches(p, host)
			continue
		}
		p, not := strings.CutPrefix(strings.ToLower(p), "!")
		if sshconfig.Matches(p, host) {
			if not {
				return false
			}
			matched = true
		}
	}
	return matched
}

// hashMatches matches |1|salt|hash, where hash is HMAC-SHA1 of the name.
func hashMatches(pattern, host string) bool {
	fields := strings.Split(pattern, "|")
	if len(fields) != 4 || fields[1] != "1" {
		return false
	}
	salt, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil {
		return false
	}
	want, err := base64.StdEncoding.DecodeString(fields[3])
	if err != nil {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(host))
	return hmac.Equal(want, mac.Sum(nil))
}
