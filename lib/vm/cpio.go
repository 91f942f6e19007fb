//go:build linux

package vm

import (
	"fmt"
	"io"
	"path"
)

// archive writes a cpio archive of the kind that kernels unpack into their first root, newc; see the kernel's
// Documentation/driver-api/early-userspace/buffer-format.rst. The first error stays.
type archive struct {
	w     io.Writer
	inode int
	made  map[string]bool // directories
	err   error
}

// Of a mode, what says that the file is a directory, or an ordinary one.
const (
	modeDir  = 0o040000
	modeFile = 0o100000
)

// file adds a file, and the directories that it is in with mode 755.
func (a *archive) file(name string, mode uint32, data []byte) {
	a.parents(name)
	a.entry(name, modeFile|mode, data)
}

// dir adds a directory with a mode of its own.
func (a *archive) dir(name string, mode uint32) {
	if a.made == nil {
		a.made = map[string]bool{}
	}
	if !a.made[name] {
		a.made[name] = true
		a.parents(name)
		a.entry(name, modeDir|mode, nil)
	}
}

func (a *archive) parents(name string) {
	if dir := path.Dir(name); dir != "." {
		a.dir(dir, 0o755)
	}
}

// close writes the end.
func (a *archive) close() error {
	a.entry("TRAILER!!!", 0, nil)
	return a.err
}

func (a *archive) entry(name string, mode uint32, data []byte) {
	if a.err != nil {
		return
	}
	a.inode++
	// Inode, mode, owner, group, links, time, size, device, device that it is, length of the name with its NUL, checksum.
	header := fmt.Sprintf("070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00", a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	for _, b := range [][]byte{[]byte(header), padding(len(header)), data, padding(len(data))} {
		if _, err := a.w.Write(b); err != nil {
			a.err = err
			return
		}
	}
}

// padding fills up to a multiple of four.
func padding(n int) []byte { return make([]byte, -n&3) }
