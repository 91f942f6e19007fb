//go:build linux

package server

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// krlMagic begins a key revocation list of ssh-keygen(1), which is not read here.
var krlMagic = []byte("SSHKRL\n\x00")

// checkRevoked says whether key may not be used any more: it is in the list of revoked keys, or is a certificate of such a key, or by one.
// With a list that cannot be read nobody comes in. The list is read for each key, so that what is added to it counts at once.
func (s *Server) checkRevoked(key ssh.PublicKey) error {
	if s.RevokedKeys == "" {
		return nil
	}
	revoked, err := readRevoked(s.RevokedKeys, uint32(s.uid))
	if err != nil {
		return err
	}
	plain := []ssh.PublicKey{key}
	if cert, ok := key.(*ssh.Certificate); ok {
		plain = []ssh.PublicKey{cert.Key, cert.SignatureKey}
	}
	for _, k := range plain {
		if revoked[string(k.Marshal())] {
			return fmt.Errorf("%s: revoked in %s", ssh.FingerprintSHA256(k), s.RevokedKeys)
		}
	}
	return nil
}

// readRevoked reads a list of keys, one a line as in authorized_keys without options. A line that is none is an error: it may be meant to
// be a key that must not come in.
func readRevoked(file string, owner uint32) (map[string]bool, error) {
	text, err := readStrict(file, owner, "")
	if err != nil {
		return nil, fmt.Errorf("revoked keys: %w", err)
	}
	revoked, err := parseRevoked(text)
	if err != nil {
		return nil, fmt.Errorf("revoked keys: %s: %w", file, err)
	}
	return revoked, nil
}

func parseRevoked(text []byte) (map[string]bool, error) {
	if bytes.HasPrefix(text, krlMagic) {
		return nil, errors.New("a key revocation list of ssh-keygen's: want public keys, one a line")
	}
	revoked := map[string]bool{}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		k, _, options, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil || options != nil {
			return nil, fmt.Errorf("%d: not a public key", n)
		}
		if cert, ok := k.(*ssh.Certificate); ok {
			k = cert.Key
		}
		revoked[string(k.Marshal())] = true
	}
	return revoked, nil
}
