// Package krl reads lists of revoked keys, in both forms that OpenSSH takes: public keys, one a line, and the key revocation lists that
// ssh-keygen -k makes, as PROTOCOL.krl of OpenSSH has them. Cpud/server reads that of the keys which may not log in, and cpu/dial those of
// RevokedHostKeys.
//
// A key revocation list begins with SSHKRL, a newline, a zero byte, and the format's number, which is 1; then come the list's own number, its
// date and flags, a reserved string and a comment, of which nothing is used. The rest is sections: a byte for the kind, and a string, in SSH's
// encoding. A section names keys, or their SHA-1 or SHA-256 fingerprints, or is about the certificates of one authority, or of any: by serial
// number, in lists, ranges and bitmaps, or by key identity. Extensions are passed over, unless they are critical. Signatures, which ssh-keygen
// has never made, are not known.
//
// What cannot be read is an error, for it may be about the very key that is asked for. The package opens no files.
package krl

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// A List is what has been revoked.
type List struct {
	keys    map[string]bool // by their wire form
	sha1    map[string]bool // fingerprints
	sha256  map[string]bool
	signers map[string]*certificates // by the authority's wire form; "" is any
}

// Parse reads a list.
func Parse(text []byte) (*List, error) {
	l := &List{keys: map[string]bool{}, sha1: map[string]bool{}, sha256: map[string]bool{}, signers: map[string]*certificates{}}
	if rest, ok := bytes.CutPrefix(text, []byte(magic)); ok {
		return l, l.parseBinary(rest)
	}
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
		l.keys[string(k.Marshal())] = true
	}
	return l, nil
}

// Revokes says whether a key may not be used any more. A certificate may not if it is revoked itself, or its key, or the authority's.
func (l *List) Revokes(key ssh.PublicKey) bool {
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return l.revokesKey(key)
	}
	return l.revokesKey(cert.Key) || l.revokesKey(cert.SignatureKey) ||
		l.signers[""].revoke(cert) || l.signers[string(cert.SignatureKey.Marshal())].revoke(cert)
}

func (l *List) revokesKey(key ssh.PublicKey) bool {
	wire := key.Marshal()
	old, sum := sha1.Sum(wire), sha256.Sum256(wire)
	return l.keys[string(wire)] || l.sha1[string(old[:])] || l.sha256[string(sum[:])]
}

// certificates are those of one authority.
type certificates struct {
	ids     map[string]bool
	ranges  []serials
	bitmaps []bitmap
}

// serials are numbers from one to another, which is among them.
type serials struct{ first, last uint64 }

// A bitmap has the bit of 1<<n if first+n is revoked. It is big-endian.
type bitmap struct {
	first uint64
	bits  []byte
}

func (b bitmap) has(serial uint64) bool {
	n := serial - b.first
	return serial >= b.first && n/8 < uint64(len(b.bits)) && b.bits[uint64(len(b.bits))-1-n/8]>>(n%8)&1 == 1
}

// revoke says whether cert is among them. Serial number 0 stands for none, and nil for no certificates.
func (c *certificates) revoke(cert *ssh.Certificate) bool {
	switch {
	case c == nil:
		return false
	case c.ids[cert.KeyId]:
		return true
	case cert.Serial == 0:
		return false
	}
	for _, r := range c.ranges {
		if r.first <= cert.Serial && cert.Serial <= r.last {
			return true
		}
	}
	for _, b := range c.bitmaps {
		if b.has(cert.Serial) {
			return true
		}
	}
	return false
}
