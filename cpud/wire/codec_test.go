//go:build linux

package wire

import (
	"reflect"
	"testing"
)

// whole has a field of every kind.
type whole struct {
	Text   string
	Number int
	UID    uint32
	Flag   bool
	List   []string
	Part   *part
}

type part struct{ IDs []uint32 }

func (w *whole) Fields(c *Coder) {
	c.Text(&w.Text)
	Number(c, &w.Number)
	Number(c, &w.UID)
	c.Flag(&w.Flag)
	Many(c, &w.List, (*Coder).Text)
	Optional(c, &w.Part)
}

func (p *part) Fields(c *Coder) { Many(c, &p.IDs, Number[uint32]) }

var messages = []*whole{
	{},
	{Text: "\xff\n", Number: -1 << 63, UID: 1<<32 - 1, Flag: true, List: []string{"", "a"}, Part: &part{IDs: []uint32{0, 1<<32 - 1}}},
	{Part: &part{}},
}

func TestCoder(t *testing.T) {
	for _, m := range messages {
		b := encode(m)
		got := &whole{}
		if err := decode(b, got); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v: %+v, %v", m, got, err)
		}
		for n := range b {
			if err := decode(b[:n], &whole{}); err == nil {
				t.Errorf("%+v: the first %d of %d bytes are taken", m, n, len(b))
			}
		}
		if err := decode(append(b, 0), &whole{}); err == nil {
			t.Errorf("%+v: a byte too many is taken", m)
		}
	}
	for _, b := range []string{
		"\xff\xff\xff\xff\x0f",         // a text longer than the message
		"\x01",                         // of a negative length
		"\x00\x00\x02\x00\xfe\xff\x07", // a list longer than the message
		"\x00\x00\x01\x00\x00\x00",     // a user's number below 0
		"\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00\x00", // a number that no machine has
	} {
		if err := decode([]byte(b), &whole{}); err == nil {
			t.Errorf("%q is taken", b)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range messages {
		f.Add(encode(m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &whole{}
		if decode(b, m) != nil {
			return
		}
		again := &whole{}
		if err := decode(encode(m), again); err != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v: %+v, %v", m, again, err)
		}
	})
}
