//go:build linux

package mnt_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"cpu/lib/mnt"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/fsimpl/templatefs"
	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// liar is a directory of a far side that means ill:
//
//	odd      a directory with names that must not be
//	endless  a directory without an end, whose offsets do not move
//	self     a directory that is its own parent's parent
//	huge     a file of 2^63 bytes
//	typeless a file of no type
//	link     a symbolic link to nothing
//	more     a file that gives more than it is asked for
type liar struct {
	templatefs.NoopFile
	name string
}

var liarQIDs = map[string]p9.QID{
	"":         {Type: p9.TypeDir, Path: 1, Version: 1},
	"odd":      {Type: p9.TypeDir, Path: 2, Version: 1},
	"endless":  {Type: p9.TypeDir, Path: 3, Version: 1},
	"self":     {Type: p9.TypeDir, Path: 1, Version: 1},
	"huge":     {Path: 5, Version: 1},
	"typeless": {Path: 6, Version: 1},
	"link":     {Type: p9.TypeSymlink, Path: 7, Version: 1},
	"more":     {Path: 8, Version: 1},
}

func (l *liar) attr() p9.Attr {
	a := p9.Attr{Mode: p9.ModeRegular | 0o666, NLink: 1}
	switch liarQIDs[l.name].Type {
	case p9.TypeDir:
		a.Mode = p9.ModeDirectory | 0o777
	case p9.TypeSymlink:
		a.Mode = p9.ModeSymlink | 0o777
	}
	switch l.name {
	case "huge":
		a.Size = math.MaxUint64
	case "typeless":
		a.Mode = 0o666
	case "more":
		a.Size = 1 << 20
	}
	return a
}

func (l *liar) Walk(names []string) ([]p9.QID, p9.File, error) {
	to := &liar{name: l.name}
	var qids []p9.QID
	for _, n := range names {
		q, ok := liarQIDs[n]
		if !ok || n == "" {
			return nil, nil, linux.ENOENT
		}
		to.name = n
		qids = append(qids, q)
	}
	return qids, to, nil
}

func (l *liar) WalkGetAttr(names []string) ([]p9.QID, p9.File, p9.AttrMask, p9.Attr, error) {
	qids, to, err := l.Walk(names)
	if err != nil {
		return nil, nil, p9.AttrMask{}, p9.Attr{}, err
	}
	return qids, to, p9.AttrMask{Mode: true, Size: true}, to.(*liar).attr(), nil
}

func (l *liar) GetAttr(p9.AttrMask) (p9.QID, p9.AttrMask, p9.Attr, error) {
	return liarQIDs[l.name], p9.AttrMask{Mode: true, Size: true}, l.attr(), nil
}

func (l *liar) Open(p9.OpenFlags) (p9.QID, uint32, error) { return liarQIDs[l.name], 0, nil }
func (l *liar) Close() error                              { return nil }
func (l *liar) Readlink() (string, error)                 { return "", nil }
func (l *liar) ReadAt(p []byte, off int64) (int, error)   { return len(p) + 1, nil }
func (l *liar) WriteAt(p []byte, off int64) (int, error)  { return len(p) + 1, nil }

func (l *liar) Readdir(off uint64, count uint32) (p9.Dirents, error) {
	var list p9.Dirents
	for _, e := range l.entries(off) {
		list = append(list, e.Dirent)
	}
	return list, nil
}

func (l *liar) ReaddirAttr(off uint64, count uint32) ([]ninep.DirentAttr, error) {
	return l.entries(off), nil
}

func (l *liar) entries(off uint64) (list []ninep.DirentAttr) {
	add := func(name string, offset uint64, to string) {
		f := liar{name: to}
		list = append(list, ninep.DirentAttr{
			Dirent: p9.Dirent{QID: liarQIDs[to], Offset: offset, Name: name},
			Valid:  p9.AttrMask{Mode: true, Size: true}, Attr: f.attr(),
		})
	}
	switch l.name {
	case "":
		if off == 0 {
			for i, n := range []string{"odd", "endless", "self", "huge", "typeless", "link", "more"} {
				add(n, uint64(i+1), n)
			}
		}
	case "odd":
		if off == 0 {
			for i, n := range []string{"a/b", "..", ".", "", "nul\x00", strings.Repeat("x", 256), "../../etc", "good"} {
				add(n, math.MaxUint64-uint64(i), "more")
			}
		}
	case "endless":
		add("again", 7, "more")
	}
	return list
}

// TestLiar: a far side that lies gets errors, and nothing else breaks.
func TestLiar(t *testing.T) {
	rooted(t)
	s := serve(t, "", &liar{}, mnt.Options{})
	for _, c := range []struct{ script, want string }{
		{`ls odd`, "good\n"},
		{`ls odd/..`, "endless\nhuge\nlink\nmore\nodd\nself\ntypeless\n"},
		{`ls endless 2>/dev/null || echo $?`, "again\n2\n"},
		{`cat huge`, "cat: huge: Input/output error\n"},
		{`cat typeless`, "cat: typeless: Input/output error\n"},
		{`readlink -v link`, "readlink: link: Input/output error\n"},
		{`cat more`, "cat: more: Input/output error\n"},
		{`ls self/self/self/more 2>&1 | grep -c .`, "1\n"},
		{`LC_ALL=C dd if=/dev/zero of=more bs=10 count=1 2>&1 | grep -c error`, "1\n"},
		{`ls`, "endless\nhuge\nlink\nmore\nodd\nself\ntypeless\n"},
	} {
		out, _ := s.sh(t, `cd "$M" && `+c.script)
		if out != c.want {
			t.Errorf("%s: got %q, want %q", c.script, out, c.want)
		}
	}
	if out, err := s.sh(t, `umount "$M"`); err != nil {
		t.Error(fmt.Sprint(out, err))
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}
