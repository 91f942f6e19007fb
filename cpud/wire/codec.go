//go:build linux

package wire

import (
	"encoding/binary"
	"errors"
)

// A Message can be sent. Fields calls the coder with each of its fields, in the same order whether it is written or read; what a field may hold
// besides is for the one who reads it to check.
type Message interface{ Fields(*Coder) }

// A Coder writes a message, or reads one, by the same list of fields: numbers as varints, text and lists with their lengths first. Both ends
// are the same program, so that nothing says which field is which. It is ours because every session starts a process that reads a handful
// of messages and has to be quick about it, and because what a user's process sends may be anything: no message takes more memory than
// some times its length.
type Coder struct {
	buf     []byte // what has been written; what is still to be read
	reading bool
	err     error // a message that breaks off, or says what cannot be
}

var errMessage = errors.New("malformed message")

// Reading says whether the fields are being read.
func (c *Coder) Reading() bool { return c.reading }

// encode gives the bytes of m.
func encode(m Message) []byte {
	c := Coder{}
	m.Fields(&c)
	return c.buf
}

// decode is the reverse of encode.
func decode(b []byte, m Message) error {
	c := Coder{buf: b, reading: true}
	m.Fields(&c)
	if c.err == nil && len(c.buf) > 0 {
		c.err = errMessage
	}
	return c.err
}

// Number is a field that is a whole number of any kind.
func Number[T ~int | ~int64 | ~uint32](c *Coder, p *T) {
	if !c.reading {
		c.buf = binary.AppendVarint(c.buf, int64(*p))
		return
	}
	v, n := binary.Varint(c.buf)
	if n <= 0 || int64(T(v)) != v {
		c.fail()
		return
	}
	c.buf = c.buf[n:]
	*p = T(v)
}

// Flag is a field that is true or not.
func (c *Coder) Flag(p *bool) {
	v := 0
	if *p {
		v = 1
	}
	Number(c, &v)
	*p = v != 0
}

// length is that of what follows, which when it is read is no more than there can be.
func (c *Coder) length(n int) int {
	Number(c, &n)
	if c.reading && (n < 0 || n > len(c.buf)) {
		c.fail()
	}
	if c.err != nil {
		return 0
	}
	return n
}

// Text is a field of any bytes.
func (c *Coder) Text(p *string) {
	n := c.length(len(*p))
	if !c.reading {
		c.buf = append(c.buf, *p...)
		return
	}
	*p = string(c.buf[:n])
	c.buf = c.buf[n:]
}

// Many is a field of any number of elements, each of at least a byte.
func Many[T any](c *Coder, p *[]T, element func(*Coder, *T)) {
	n := c.length(len(*p))
	if c.reading && n > 0 {
		*p = make([]T, n)
	}
	for i := range *p {
		element(c, &(*p)[i])
	}
}

// Optional is a field that may be nil.
func Optional[T any, P interface {
	*T
	Message
}](c *Coder, p *P) {
	there := *p != nil
	c.Flag(&there)
	if !there {
		return
	}
	if c.reading {
		*p = P(new(T))
	}
	(*p).Fields(c)
}

func (c *Coder) fail() {
	c.buf, c.err = nil, errMessage
}
