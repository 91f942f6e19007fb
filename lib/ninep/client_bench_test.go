package ninep

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hugelgupf/p9/p9"
)

// BenchmarkClient measures client and server together over a Unix socket, ours and the p9 package's on the same tree: getattrs, reads and
// writes, with that many under way. The lines of p9 say how many times longer it takes.
func BenchmarkClient(b *testing.B) {
	const msize = 1<<20 + HeaderSize
	attach := map[string]func(b *testing.B, tree p9.Attacher) p9.File{
		"ninep": func(b *testing.B, tree p9.Attacher) p9.File {
			near, far := socketpair(b)
			var serving sync.WaitGroup
			serving.Go(func() { (&Server{Attacher: tree}).Serve(context.Background(), far) })
			b.Cleanup(serving.Wait)
			return attachRoot(b, dialClient(b, near, ClientConfig{}), "")
		},
		"p9": func(b *testing.B, tree p9.Attacher) p9.File {
			near, far := socketpair(b)
			var serving sync.WaitGroup
			serving.Go(func() { p9.NewServer(tree).Handle(far, far) })
			c, err := p9.NewClient(near, p9.WithMessageSize(msize))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() {
				c.Close()
				serving.Wait()
			})
			root, err := c.Attach("")
			if err != nil {
				b.Fatal(err)
			}
			return root
		},
	}
	for _, op := range []struct {
		name string
		size int
		do   func(f p9.File, p []byte) error
	}{
		{"getattr", 0, func(f p9.File, _ []byte) error {
			_, _, _, err := f.GetAttr(p9.AttrMaskAll)
			return err
		}},
		{"read", 4 << 10, func(f p9.File, p []byte) error { return first(f.ReadAt(p, 0)) }},
		{"write", 4 << 10, func(f p9.File, p []byte) error { return first(f.WriteAt(p, 0)) }},
		{"read", 128 << 10, func(f p9.File, p []byte) error { return first(f.ReadAt(p, 0)) }},
		{"write", 128 << 10, func(f p9.File, p []byte) error { return first(f.WriteAt(p, 0)) }},
		{"read", 1 << 20, func(f p9.File, p []byte) error { return first(f.ReadAt(p, 0)) }},
	} {
		for _, flight := range []int{1, 16, 256} {
			var ours float64 // ns for one
			for _, who := range []string{"ninep", "p9"} {
				b.Run(fmt.Sprintf("%s/size=%d/flight=%d/%s", op.name, op.size, flight, who), func(b *testing.B) {
					tree := &benchTree{memTree: newMemTree()}
					tree.add("f", string(make([]byte, 1<<20)))
					root := attach[who](b, tree)
					_, f, err := root.Walk([]string{"f"})
					if err != nil {
						b.Fatal(err)
					}
					if _, _, err := f.Open(p9.ReadWrite); err != nil {
						b.Fatal(err)
					}
					b.SetBytes(int64(op.size))
					b.ReportAllocs()
					b.ResetTimer()
					var left atomic.Int64
					left.Store(int64(b.N))
					var callers sync.WaitGroup
					for range flight {
						callers.Go(func() {
							p := make([]byte, op.size)
							for left.Add(-1) >= 0 {
								if err := op.do(f, p); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					callers.Wait()
					b.StopTimer()
					one := float64(b.Elapsed()) / float64(b.N)
					b.ReportMetric(1e9/one, "msg/s")
					if who == "ninep" {
						ours = one
					} else if ours > 0 {
						b.ReportMetric(one/ours, "x-slower")
					}
				})
			}
		}
	}
}
