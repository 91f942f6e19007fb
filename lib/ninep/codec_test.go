package ninep

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/hugelgupf/p9/p9"
)

// frameOf is the whole frame of m.
func frameOf(tag uint16, m message, d dialect) ([]byte, error) {
	b, err := appendFrame(nil, tag, m, d)
	if p, ok := m.(payloader); ok && err == nil {
		b = append(b, p.payload()...)
	}
	return b, err
}

// The layouts of the manual pages, byte for byte.
func TestLayout(t *testing.T) {
	for _, test := range []struct {
		tag     uint16
		m       message
		dialect dialect
		want    string
	}{
		{noTag, &tversion{msize: 8192, version: "9P2000"}, noDialect,
			"13000000 64 ffff 00200000 0600 395032303030"},
		{1, &tattach{fid: 2, afid: noFid, uname: "me", aname: "", nuname: 1000}, dialect9P2000L,
			"19000000 68 0100 02000000 ffffffff 0200 6d65 0000 e8030000"},
		{1, &tattach{fid: 2, afid: noFid, uname: "me", aname: ""}, dialect9P2000,
			"15000000 68 0100 02000000 ffffffff 0200 6d65 0000"},
		{3, &twalk{fid: 1, newfid: 2, names: []string{"usr", "a"}}, dialect9P2000L,
			"19000000 6e 0300 01000000 02000000 0200 0300 757372 0100 61"},
		{3, &rwalk{qids: []p9.QID{{Type: 0x80, Version: 1, Path: 2}}}, dialect9P2000L,
			"16000000 6f 0300 0100 80 01000000 0200000000000000"},
		{4, &tread{fid: 1, offset: 0x100000002, count: 3}, dialect9P2000L,
			"17000000 74 0400 01000000 0200000001000000 03000000"},
		{4, &rread{data: []byte("abc")}, dialect9P2000L,
			"0e000000 75 0400 03000000 616263"},
		{5, &twrite{fid: 1, offset: 2, data: []byte("xy")}, dialect9P2000L,
			"19000000 76 0500 01000000 0200000000000000 02000000 7879"},
		{6, &rlerror{errno: 2}, dialect9P2000L, "0b000000 07 0600 02000000"},
		{6, &rerror{ename: "no"}, dialect9P2000, "0b000000 6b 0600 0200 6e6f"},
		{7, &tflush{oldtag: 6}, dialect9P2000L, "09000000 6c 0700 0600"},
		{8, &tlock{fid: 1, kind: 1, flags: 1, start: 2, length: 3, pid: 4, client: "h"}, dialect9P2000L,
			"27000000 34 0800 01000000 01 01000000 0200000000000000 0300000000000000 04000000 0100 68"},
		{9, &tlcreate{fid: 1, name: "f", flags: 2, mode: 3, gid: 4}, dialect9P2000L,
			"1a000000 0e 0900 01000000 0100 66 02000000 03000000 04000000"},
		{10, &trenameat{olddfid: 1, oldname: "a", newdfid: 2, newname: "b"}, dialect9P2000L,
			"15000000 4a 0a00 01000000 0100 61 02000000 0100 62"},
		{11, &topen{fid: 1, mode: 0x10}, dialect9P2000, "0c000000 70 0b00 01000000 10"},
		{12, &tclunkasync{fid: 5}, dialectCPU, "0b000000 ce 0c00 05000000"},
		{13, &ropenread{qid: p9.QID{Version: 1, Path: 2}, iounit: 3, eof: 1, data: []byte("z")}, dialectCPU,
			"1e000000 cd 0d00 00 01000000 0200000000000000 03000000 01 01000000 7a"},
	} {
		want := strings.ReplaceAll(test.want, " ", "")
		b, err := frameOf(test.tag, test.m, test.dialect)
		if err != nil || hex.EncodeToString(b) != want {
			t.Errorf("%T: got %x (%v), want %s", test.m, b, err, want)
		}
	}
}

// filled returns m with every field set to something other than zero.
func filled(m message) message {
	n := 0
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		n++
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				fill(reflect.NewAt(v.Field(i).Type(), v.Field(i).Addr().UnsafePointer()).Elem())
			}
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0))
			fill(v.Index(1))
		case reflect.String:
			v.SetString(fmt.Sprint("s", n))
		case reflect.Int:
			v.SetInt(int64(n))
		default:
			v.SetUint(uint64(n))
		}
	}
	fill(reflect.ValueOf(m).Elem())
	return m
}

// Every message comes out as it went in, and no part of one is a message.
func TestMessages(t *testing.T) {
	for typ := range messages {
		mt := &messages[typ]
		if mt.new == nil {
			continue
		}
		for _, d := range []dialect{dialect9P2000, dialect9P2000L, dialectCPU} {
			if !mt.spokenIn(d) {
				continue
			}
			m := filled(mt.new())
			if int(m.typ()) != typ {
				t.Fatalf("%T is of type %d at %d", m, m.typ(), typ)
			}
			if want := strings.ToLower(mt.name); reflect.TypeOf(m).Elem().Name() != want {
				t.Errorf("%T is called %s", m, mt.name)
			}
			if d == dialect9P2000 {
				switch m := m.(type) {
				case *tattach:
					m.nuname = noUID
				case *tauth:
					m.nuname = noUID
				}
			}
			b, err := frameOf(1, m, d)
			if err != nil {
				t.Errorf("%T: %v", m, err)
				continue
			}
			body := b[headerLen:]
			got := mt.new()
			if err := decodeBody(got, body, d); err != nil || !reflect.DeepEqual(got, m) {
				t.Errorf("%T: got %+v (%v), want %+v", m, got, err, m)
			}
			for n := range body {
				if typ == msgTfsync && n == 4 {
					continue // may be left out
				}
				if err := decodeBody(mt.new(), body[:n], d); !errors.Is(err, errFrame) {
					t.Errorf("%T cut to %d bytes: got %v", m, n, err)
				}
			}
			if err := decodeBody(mt.new(), append(body, 0), d); !errors.Is(err, errFrame) {
				t.Errorf("%T and a byte more: got %v", m, err)
			}
		}
	}
}

func TestLongString(t *testing.T) {
	b := []byte("before")
	b, err := appendFrame(b, 1, &twalk{names: []string{strings.Repeat("x", 65536)}}, dialect9P2000L)
	if !errors.Is(err, errFrame) || string(b) != "before" {
		t.Errorf("got %v and %d bytes", err, len(b))
	}
}

func TestNegotiate(t *testing.T) {
	all := []string{VersionCPU, Version9P2000L, Version9P2000}
	for _, test := range []struct {
		offered string
		spoken  []string
		want    string
	}{
		{"9P2000.L.cpu", all, "9P2000.L.cpu"},
		{"9P2000.L", all, "9P2000.L"},
		{"9P2000", all, "9P2000"},
		{"9P2000.L.cpu", all[1:], "9P2000.L"},
		{"9P2000.L.Google.12", all, "9P2000.L"},
		{"9P2000.L", all[2:], "9P2000"},
		{"9P2000.e", all, "9P2000"},
		{"9P2000.u", all, "unknown"},
		{"9P2000", all[:2], "unknown"},
		{"9P1999", all, "unknown"},
		{"", all, "unknown"},
		{"...", all, "unknown"},
	} {
		if got := negotiate(test.offered, test.spoken).String(); got != test.want {
			t.Errorf("%q offered, %q spoken: got %q, want %q", test.offered, test.spoken, got, test.want)
		}
	}
}

func TestMasks(t *testing.T) {
	for i := range 14 {
		if got := attrBits(attrMask(1 << i)); got != 1<<i {
			t.Errorf("attribute bit %d became %#x", i, got)
		}
	}
	for i := range 9 {
		if got := setAttrBits(setAttrMask(1 << i)); got != 1<<i {
			t.Errorf("setattr bit %d became %#x", i, got)
		}
	}
	if m := attrMask(0x200); m != (p9.AttrMask{Size: true}) {
		t.Errorf("got %v", m)
	}
	if m := setAttrMask(8); m != (p9.SetAttrMask{Size: true}) {
		t.Errorf("got %v", m)
	}
}

// A writer that waits for its first write to be released shows that frames which come meanwhile go out together, in order.
func TestCoalescing(t *testing.T) {
	w := &slowWriter{begun: make(chan bool, 10), release: make(chan bool)}
	fw := newFrameWriter(w, nil)
	fw.speak(dialect9P2000L, 1<<20)
	done := make(chan error)
	go func() { done <- fw.send(1, &rclunk{}) }()
	<-w.begun
	for tag := range uint16(50) {
		if err := fw.send(tag, &rread{data: []byte{byte(tag)}}); err != nil {
			t.Fatal(err)
		}
	}
	close(w.release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(w.writes) != 2 || len(w.writes[1]) != 50*12 {
		t.Fatalf("%d writes", len(w.writes))
	}
	for i := range 50 {
		want, _ := frameOf(uint16(i), &rread{data: []byte{byte(i)}}, dialect9P2000L)
		if !bytes.Equal(w.writes[1][i*12:][:12], want) {
			t.Errorf("frame %d: %x", i, w.writes[1][i*12:][:12])
		}
	}
	if err := fw.send(1, &rread{data: make([]byte, 1<<20)}); !errors.Is(err, errFrame) {
		t.Errorf("a frame larger than msize: %v", err)
	}
}

type slowWriter struct {
	begun, release chan bool
	writes         [][]byte
}

func (w *slowWriter) Write(p []byte) (int, error) {
	w.begun <- true
	<-w.release
	w.writes = append(w.writes, bytes.Clone(p))
	return len(p), nil
}
