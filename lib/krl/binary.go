package krl

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	magic  = "SSHKRL\n\x00"
	format = 1
)

// Kinds of sections, and of those of a section about certificates.
const (
	sectionCertificates = 1
	sectionKeys         = 2
	sectionSHA1         = 3
	sectionSHA256       = 5
	sectionExtension    = 0xff

	certificateSerials   = 0x20
	certificateRange     = 0x21
	certificateBitmap    = 0x22
	certificateIDs       = 0x23
	certificateExtension = 0x39
)

var (
	errShort    = errors.New("a key revocation list that ends too early")
	errTrailing = errors.New("a key revocation list with more in a section than there should be")
)

// parseBinary reads what follows the magic.
func (l *List) parseBinary(text []byte) error {
	r := &reader{rest: text}
	if f := r.uint32(); r.err == nil && f != format {
		return fmt.Errorf("a key revocation list of format %d", f)
	}
	r.take(8 + 8 + 8) // number, date, flags
	r.string()        // reserved
	r.string()        // comment
	for r.more() {
		kind, section := r.byte(), &reader{rest: r.string()}
		switch kind {
		case sectionCertificates:
			l.parseCertificates(section)
		case sectionKeys:
			section.strings(l.keys, 0)
		case sectionSHA1:
			section.strings(l.sha1, sha1.Size)
		case sectionSHA256:
			section.strings(l.sha256, sha256.Size)
		case sectionExtension:
			section.extension()
		default:
			return fmt.Errorf("a key revocation list with a section of kind %d", kind)
		}
		if err := section.end(); err != nil {
			return err
		}
	}
	return r.err
}

// parseCertificates reads a section about the certificates of an authority.
func (l *List) parseCertificates(r *reader) {
	authority := string(r.string())
	r.string() // reserved
	c := l.signers[authority]
	if c == nil {
		c = &certificates{ids: map[string]bool{}}
		l.signers[authority] = c
	}
	for r.more() {
		kind, section := r.byte(), &reader{rest: r.string()}
		switch kind {
		case certificateSerials:
			for section.more() {
				n := section.uint64()
				c.ranges = append(c.ranges, serials{n, n})
			}
		case certificateRange:
			s := serials{section.uint64(), section.uint64()}
			if s.first > s.last {
				r.fail(errors.New("a key revocation list with a range that ends before its beginning"))
			}
			c.ranges = append(c.ranges, s)
		case certificateBitmap:
			c.bitmaps = append(c.bitmaps, bitmap{section.uint64(), section.string()})
		case certificateIDs:
			section.strings(c.ids, 0)
		case certificateExtension:
			section.extension()
		default:
			r.fail(fmt.Errorf("a key revocation list with a section about certificates of kind %d", kind))
		}
		r.fail(section.end())
	}
}

// A reader reads SSH's encoding. The first error stays, and what is read after it is empty.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// more says whether there is more to read.
func (r *reader) more() bool { return r.err == nil && len(r.rest) > 0 }

// end fails if not all has been read, or what has been was wrong.
func (r *reader) end() error {
	if r.more() {
		return errTrailing
	}
	return r.err
}

func (r *reader) take(n uint32) []byte {
	if r.err == nil && uint64(n) > uint64(len(r.rest)) {
		r.err = errShort
	}
	if r.err != nil {
		return nil
	}
	p := r.rest[:n]
	r.rest = r.rest[n:]
	return p
}

// number is one of some bytes.
func (r *reader) number(size uint32) uint64 {
	var p [8]byte
	copy(p[8-size:], r.take(size))
	return binary.BigEndian.Uint64(p[:])
}

func (r *reader) byte() byte     { return byte(r.number(1)) }
func (r *reader) uint32() uint32 { return uint32(r.number(4)) }
func (r *reader) uint64() uint64 { return r.number(8) }
func (r *reader) string() []byte { return r.take(r.uint32()) }

// strings adds all that there are to a set. Each has a size, unless that is 0.
func (r *reader) strings(set map[string]bool, size int) {
	for r.more() {
		s := r.string()
		if size > 0 && len(s) != size {
			r.fail(fmt.Errorf("a key revocation list with a fingerprint of %d bytes", len(s)))
		}
		set[string(s)] = true
	}
}

// extension passes over one that may be.
func (r *reader) extension() {
	name := r.string()
	if critical := r.byte(); critical != 0 {
		r.fail(fmt.Errorf("a key revocation list with the extension %q", name))
	}
	r.string()
}
