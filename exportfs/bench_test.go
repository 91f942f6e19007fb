//go:build linux && !portable

package exportfs

import (
	"fmt"
	"os"
	"testing"

	"github.com/hugelgupf/p9/p9"
)

// BenchmarkList lists /usr/include with all attributes, as `ls -lR` does, next to doing so without this package.
func BenchmarkList(b *testing.B) {
	const root = "/usr/include"
	for _, c := range []struct {
		name     string
		patterns *Patterns
	}{{"plain", nil}, {"patterns", DefaultPatterns()}} {
		fs, err := New(Options{Root: root, Patterns: c.patterns})
		if err != nil {
			b.Skip(err)
		}
		top, err := fs.Attach()
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			files := 0
			for b.Loop() {
				files = listTree(b, top)
			}
			b.ReportMetric(float64(files), "files")
		})
		top.Close()
		fs.Close()
	}
	b.Run("local", func(b *testing.B) {
		for b.Loop() {
			listLocal(b, root)
		}
	})
}

func listTree(b *testing.B, dir p9.File) int {
	_, d, err := dir.Walk(nil)
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	if _, _, err := d.Open(p9.ReadOnly); err != nil {
		b.Fatal(err)
	}
	files := 0
	for offset := uint64(0); ; {
		list, err := d.(*file).ReaddirAttr(offset, 1<<20)
		if err != nil {
			b.Fatal(err)
		}
		if len(list) == 0 {
			return files
		}
		for _, e := range list {
			files++
			offset = e.Offset
			if e.Attr.Mode.IsDir() {
				_, sub, err := dir.Walk([]string{e.Name})
				if err != nil {
					b.Fatal(err)
				}
				files += listTree(b, sub)
				sub.Close()
			}
		}
	}
}

func listLocal(b *testing.B, dir string) {
	list, err := os.ReadDir(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range list {
		if _, err := e.Info(); err != nil {
			b.Fatal(err)
		}
		if e.IsDir() {
			listLocal(b, dir+"/"+e.Name())
		}
	}
}

// BenchmarkRead reads a file that is in memory.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{4 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			root := b.TempDir()
			if err := os.WriteFile(root+"/f", make([]byte, 2<<20), 0o600); err != nil {
				b.Fatal(err)
			}
			fs, err := New(Options{Root: root})
			if err != nil {
				b.Fatal(err)
			}
			defer fs.Close()
			top, err := fs.Attach()
			if err != nil {
				b.Fatal(err)
			}
			defer top.Close()
			_, f, err := top.Walk([]string{"f"})
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			if _, _, err := f.Open(p9.ReadOnly); err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := f.ReadAt(buf, 100); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWalk walks to a file deep down, looks at it and lets it go.
func BenchmarkWalk(b *testing.B) {
	fs, err := New(Options{Root: "/"})
	if err != nil {
		b.Fatal(err)
	}
	defer fs.Close()
	top, err := fs.Attach()
	if err != nil {
		b.Fatal(err)
	}
	defer top.Close()
	b.ReportAllocs()
	for b.Loop() {
		_, f, _, _, err := top.WalkGetAttr([]string{"usr", "lib", "os-release"})
		if err != nil {
			b.Skip(err)
		}
		f.Close()
	}
}
