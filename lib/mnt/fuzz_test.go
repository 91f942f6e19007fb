//go:build linux

package mnt

import (
	"context"
	"encoding/binary"
	"os"
	"testing"

	"github.com/hugelgupf/p9/fsimpl/templatefs"
	"github.com/hugelgupf/p9/p9"
)

// plain is a directory with nothing in it that works.
type plain struct{ templatefs.NoopFile }

func (plain) GetAttr(p9.AttrMask) (p9.QID, p9.AttrMask, p9.Attr, error) {
	return p9.QID{Type: p9.TypeDir, Path: 1, Version: 1}, p9.AttrMask{Mode: true}, p9.Attr{Mode: p9.ModeDirectory | 0o755}, nil
}

func (plain) Walk(names []string) ([]p9.QID, p9.File, error) {
	qids := make([]p9.QID, len(names))
	for i := range qids {
		qids[i] = p9.QID{Type: p9.TypeDir, Path: 2, Version: 1}
	}
	return qids, plain{}, nil
}

func (plain) Open(p9.OpenFlags) (p9.QID, uint32, error) {
	return p9.QID{Type: p9.TypeDir, Path: 2, Version: 1}, 0, nil
}

func (plain) Close() error { return nil }

// FuzzRequest: no message from the device breaks the server. The input is an operation's number and what follows the header, and is taken
// twice, so that what the first time made can be used.
func FuzzRequest(f *testing.F) {
	for op := range uint32(54) {
		f.Add(op, []byte("name\x00other\x00"))
		f.Add(op, append(make([]byte, 64), "name\x00"...))
		f.Add(op, binary.NativeEndian.AppendUint64(nil, 1))
	}
	f.Fuzz(func(t *testing.T, op uint32, body []byte) {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		s := newServer(context.Background(), null, Options{})
		if err := s.start(plain{}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []uint64{rootID, 2} {
			var e encoder
			e.u32(uint32(inHeaderSize + len(body)))
			e.u32(op)
			e.u64(id)
			e.u64(id)
			e.zero(16)
			e = append(e, body...)
			if len(e) > messageCap {
				return
			}
			buf := buffers.Get().(*[messageCap]byte)
			s.take(buf, copy(buf[:], e))
			s.working.Wait()
		}
		s.cancel()
		s.shut()
	})
}
