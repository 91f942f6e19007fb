package ninep

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hugelgupf/p9/p9"
)

// BenchmarkServer measures the server next to that of the p9 package, both driven by the same bare client over a Unix socket.
func BenchmarkServer(b *testing.B) {
	servers := []struct {
		name  string
		serve func(tree p9.Attacher, c net.Conn)
	}{
		{"ninep", func(t p9.Attacher, c net.Conn) { (&Server{Attacher: t}).Serve(context.Background(), c) }},
		{"p9", func(t p9.Attacher, c net.Conn) { p9.NewServer(t).Handle(c, c) }},
	}
	for _, size := range []int{0, 4 << 10, 64 << 10} {
		for _, flight := range []int{1, 16, 256} {
			for _, s := range servers {
				b.Run(fmt.Sprintf("size=%d/flight=%d/%s", size, flight, s.name), func(b *testing.B) {
					benchmarkServer(b, s.serve, size, flight)
				})
			}
		}
	}
}

// benchmarkServer keeps that many reads of size bytes under way; getattrs for a size of 0.
func benchmarkServer(b *testing.B, serve func(p9.Attacher, net.Conn), size, flight int) {
	tree := &benchTree{memTree: newMemTree()}
	tree.add("f", string(make([]byte, 1<<20)))
	far, near := unixPair(b)
	var wg sync.WaitGroup
	wg.Go(func() { serve(tree, far) })
	defer wg.Wait()
	defer near.Close()
	p := newPeer(b, near)
	p.version(Version9P2000L, 128<<10)
	p.attach(0)
	p.rpc(&twalk{fid: 0, newfid: 1, names: []string{"f"}})
	p.rpc(&tlopen{fid: 1})

	var m message = &tgetattr{fid: 1, mask: 0x7ff}
	if size > 0 {
		m = &tread{fid: 1, count: uint32(size)}
		b.SetBytes(int64(size))
	}
	tags := make(chan uint16, flight)
	for i := range flight {
		tags <- uint16(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	var reader sync.WaitGroup
	reader.Go(func() {
		for range b.N {
			h, err := readHeader(p.r, 1<<20)
			if err != nil {
				b.Error(err)
				return
			}
			p.r.Discard(h.size - headerLen)
			tags <- h.tag
		}
	})
	encoder := buffer{dialect: dialect9P2000L}
	for n := 0; n < b.N; {
		tag := <-tags
		for more := true; more && n < b.N; { // all that may be sent goes out in one write
			encoder.putFrame(tag, m)
			if n++; n == b.N {
				break
			}
			select {
			case tag = <-tags:
			default:
				more = false
			}
		}
		near.Write(encoder.b)
		encoder.b = encoder.b[:0]
	}
	reader.Wait()
	b.StopTimer()
}

// unixPair returns the two ends of a Unix socket.
func unixPair(b *testing.B) (far, near net.Conn) {
	l, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	wg.Go(func() { far, _ = l.Accept() })
	near, err = net.Dial("unix", l.Addr().String())
	wg.Wait()
	if err != nil || far == nil {
		b.Fatal("no connection: ", err)
	}
	return far, near
}

// benchTree is a tree of files that do not block, as those of a disk.
type benchTree struct{ *memTree }

type benchFile struct {
	p9.File
	n *memNode
}

func (t *benchTree) Attach() (p9.File, error) { return benchFile{t.file(t.root), t.root}, nil }

func (f benchFile) Walk(names []string) ([]p9.QID, p9.File, error) {
	q, file, err := f.File.Walk(names)
	if err != nil {
		return nil, nil, err
	}
	return q, benchFile{file, memOf(file).n}, nil
}

func (f benchFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	return copy(p, f.n.data[off:]), nil
}
