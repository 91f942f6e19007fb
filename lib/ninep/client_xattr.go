package ninep

import (
	"fmt"
	"io"
	"strings"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// GetXattr gives the value of an extended attribute: getxattr(2). One of more than MaxXattr bytes is E2BIG.
func (f *File) GetXattr(attr string) ([]byte, error) {
	if attr == "" {
		return nil, linux.EINVAL // in Txattrwalk it stands for the list
	}
	return f.xattr(attr)
}

// ListXattrs gives the names of the extended attributes: listxattr(2).
func (f *File) ListXattrs() ([]string, error) {
	list, err := f.xattr("")
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00"), nil
}

// xattr reads the value of an attribute, or the list of them.
func (f *File) xattr(name string) ([]byte, error) {
	if err := f.c.checkPath(name, ""); err != nil {
		return nil, err
	}
	to := f.c.newFid()
	r := new(rxattrwalk)
	if !f.use() {
		to.unuse()
		return nil, linux.EBADF
	}
	defer f.unuse()
	if err := f.c.do(f.ctx, &txattrwalk{fid: f.number, newfid: to.number, name: name}, r, to.establish); err != nil {
		return nil, err
	}
	value := &File{to, f.ctx}
	defer value.Close()
	if r.size > MaxXattr {
		return nil, linux.E2BIG
	}
	o := &openFile{clientFid: to, unit: f.c.payload()}
	p := make([]byte, r.size)
	for n := 0; n < len(p); {
		m, _, err := f.transfer(o, p[n:n+min(len(p)-n, o.unit)], int64(n), value.startRead)
		if err == nil && m == 0 {
			err = &Error{linux.EIO, fmt.Sprintf("extended attribute %q: %v", name, io.ErrUnexpectedEOF)}
		}
		if err != nil {
			return nil, err
		}
		n += m
	}
	return p, nil
}

// SetXattr sets an extended attribute: setxattr(2).
func (f *File) SetXattr(attr string, data []byte, flags p9.XattrFlags) error {
	if len(data) > MaxXattr {
		return linux.E2BIG
	}
	return f.createXattr(attr, data, uint32(flags))
}

// RemoveXattr removes an extended attribute, as Linux does: it is replaced by nothing.
func (f *File) RemoveXattr(attr string) error {
	return f.createXattr(attr, nil, uint32(p9.XattrReplace))
}

func (f *File) createXattr(attr string, data []byte, flags uint32) error {
	if attr == "" {
		return linux.EINVAL
	}
	if f.c.dialect == dialect9P2000 {
		return linux.EOPNOTSUPP
	}
	if err := f.c.checkPath(attr, ""); err != nil {
		return err
	}
	// Txattrcreate turns the fid into the attribute's.
	_, to, err := f.walk(nil, f.walkOnce)
	if err != nil {
		return err
	}
	to.ctx = f.ctx
	if err := to.rpc(&txattrcreate{fid: to.number, name: attr, size: uint64(len(data)), flags: flags}, new(rxattrcreate)); err != nil {
		to.Close()
		return err
	}
	to.open.Store(&openFile{clientFid: to.clientFid, unit: f.c.payload()})
	if len(data) > 0 {
		if _, err := to.WriteAt(data, 0); err != nil {
			to.Close()
			return err
		}
	}
	return to.Close() // it is set only now
}
