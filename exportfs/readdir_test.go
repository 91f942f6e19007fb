package exportfs

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

func TestReaddir(t *testing.T) {
	_, top, root := export(t, Options{})
	var all []string
	for i := range 300 {
		name := fmt.Sprintf("%03d%s", i, strings.Repeat("x", i%200))
		all = append(all, name)
		write(t, root+"/d/"+name, "text")
	}
	d := open(t, top, "d", p9.ReadOnly)
	for _, count := range []uint32{1, 10, 1000, 1 << 20} {
		got := names(t, d, count)
		slices.Sort(got)
		if !slices.Equal(got, all) {
			t.Errorf("%d at a time: %d names, want %d", count, len(got), len(all))
		}
	}
	_, err := d.Readdir(0, 0)
	want(t, "readdir of nothing", err, linux.EINVAL)
	_, err = d.Readdir(1<<63, 1000)
	want(t, "readdir at 2^63", err, linux.EINVAL)
	_, err = walk(t, top, "d").Readdir(0, 1000)
	want(t, "readdir unopened", err, linux.EBADF)
	_, err = open(t, top, "d/"+all[0], p9.ReadOnly).Readdir(0, 1000)
	want(t, "readdir of a file", err, linux.ENOTDIR)
	buf := make([]byte, 10)
	_, err = d.ReadAt(buf, 0)
	want(t, "read of a directory", err, linux.EISDIR)

	// Any offset once given can be gone back to.
	first, err := d.Readdir(0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{200, 3, 250, 299} {
		rest, err := d.Readdir(first[i].Offset, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(rest) != len(first)-i-1 || len(rest) > 0 && rest[0].Name != first[i+1].Name {
			t.Errorf("after entry %d: %d entries", i, len(rest))
		}
	}
}

func TestReaddirAttr(t *testing.T) {
	_, top, root := export(t, Options{})
	write(t, root+"/d/file", "text")
	write(t, root+"/d/sub/x", "text")
	if err := os.Symlink("file", root+"/d/link"); err != nil {
		t.Fatal(err)
	}
	d := open(t, top, "d", p9.ReadOnly)
	list, err := d.ReaddirAttr(0, 1<<16)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d entries, %v", len(list), err)
	}
	plain, err := d.Readdir(0, 1<<16)
	if err != nil || len(plain) != 3 {
		t.Fatalf("%d entries, %v", len(plain), err)
	}
	for i, e := range list {
		q, valid, a, err := walk(t, top, "d/"+e.Name).GetAttr(p9.AttrMask{})
		if err != nil || e.QID != q || e.Valid != valid || e.Attr != a || e.Type != q.Type {
			t.Errorf("%s: %v %+v, by itself %v %+v, %v", e.Name, e.QID, e.Attr, q, a, err)
		}
		p := plain[i]
		if p.Name != e.Name || p.QID.Path != q.Path || p.QID.Type != q.Type || p.Type != q.Type || p.Offset != e.Offset {
			t.Errorf("%s: plain entry %v", e.Name, p)
		}
	}
	if rest, err := d.ReaddirAttr(list[2].Offset, 1<<16); err != nil || len(rest) > 0 {
		t.Errorf("after the last: %v, %v", rest, err)
	}
	_, err = d.ReaddirAttr(0, 100)
	want(t, "readdirattr of 100 bytes", err, linux.EINVAL)
	if some, err := d.ReaddirAttr(0, 400); err != nil || len(some) != 2 {
		t.Errorf("400 bytes: %d entries, %v", len(some), err)
	}
}

// rm -r reads some entries, removes them, and reads on.
func TestReaddirRemoving(t *testing.T) {
	const n = 600
	long := strings.Repeat("x", 200) // so that one getdents(2) does not give them all
	for _, count := range []uint32{1, 100, 1 << 16} {
		_, top, root := export(t, Options{})
		for i := range n {
			write(t, fmt.Sprintf("%s/d/%05d%s", root, i, long), "")
		}
		d, dir := open(t, top, "d", p9.ReadOnly), walk(t, top, "d")
		var offset uint64
		removed := 0
		for {
			list, err := d.Readdir(offset, count)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) == 0 {
				break
			}
			for _, e := range list {
				if err := dir.UnlinkAt(e.Name, 0); err != nil {
					t.Fatalf("%s: %v", e.Name, err)
				}
				removed++
				offset = e.Offset
			}
		}
		if removed != n {
			t.Errorf("%d at a time: %d of %d removed", count, removed, n)
		}
		if err := top.UnlinkAt("d", removeDir); err != nil {
			t.Error(err)
		}
		if list, err := d.Readdir(0, count); err != nil || len(list) > 0 {
			t.Errorf("in the removed directory: %v, %v", list, err)
		}
	}
}
