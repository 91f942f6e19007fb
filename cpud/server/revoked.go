//go:build linux

package server

import (
	"fmt"

	"cpu/lib/krl"

	"golang.org/x/crypto/ssh"
)

// checkRevoked says whether key may not be used any more, by the list of revoked keys.
// With a list that cannot be read nobody comes in. The list is read for each key, so that what is added to it counts at once.
func (s *Server) checkRevoked(key ssh.PublicKey) error {
	if s.RevokedKeys == "" {
		return nil
	}
	revoked, err := readRevoked(s.RevokedKeys, uint32(s.uid))
	if err != nil {
		return err
	}
	if revoked.Revokes(key) {
		return fmt.Errorf("revoked in %s", s.RevokedKeys)
	}
	return nil
}

// readRevoked reads a list of revoked keys.
func readRevoked(file string, owner uint32) (*krl.List, error) {
	text, err := readStrict(file, owner, "")
	if err != nil {
		return nil, fmt.Errorf("revoked keys: %w", err)
	}
	revoked, err := krl.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("revoked keys: %s: %w", file, err)
	}
	return revoked, nil
}
