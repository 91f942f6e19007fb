//go:build linux

package mnt

import (
	"strings"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// foreign reports whether an extended attribute is one by which a kernel decides on rights: the far side's means nothing here. It is asked
// for with every `ls -l`, and not worth a round trip.
func foreign(name string) bool {
	return strings.HasPrefix(name, "security.") || strings.HasPrefix(name, "system.")
}

func (r *request) getxattr(n *node) error {
	size := r.in.u32()
	r.in.skip(4)
	name := r.in.name()
	if foreign(name) {
		return linux.EOPNOTSUPP
	}
	var value []byte
	err := r.s.on(r.ctx, n, func(f p9.File) (err error) {
		value, err = f.GetXattr(name)
		return err
	})
	if err != nil {
		return err
	}
	return r.value(size, value)
}

func (r *request) listxattr(n *node) error {
	size := r.in.u32()
	var names []string
	err := r.s.on(r.ctx, n, func(f p9.File) (err error) {
		names, err = f.ListXattrs()
		return err
	})
	if err != nil {
		return err
	}
	var list []byte
	for _, name := range names {
		if name != "" && !foreign(name) && !strings.Contains(name, "\x00") {
			list = append(append(list, name...), 0)
		}
	}
	return r.value(size, list)
}

// value answers with v, or where the caller gave no room, with its size.
func (r *request) value(room uint32, v []byte) error {
	switch {
	case room == 0:
		r.out.u32(uint32(len(v)))
		r.out.u32(0)
	case len(v) > int(room):
		return linux.ERANGE
	default:
		r.out = append(r.out, v...)
	}
	return nil
}

func (r *request) setxattr(n *node) error {
	size, flags := r.in.u32(), r.in.u32()
	name := r.in.name()
	value := r.in.b
	if r.in.short || int(size) > len(value) {
		return linux.EINVAL
	}
	if foreign(name) {
		return linux.EOPNOTSUPP
	}
	err := r.s.on(r.ctx, n, func(f p9.File) error { return f.SetXattr(name, value[:size], p9.XattrFlags(flags)) })
	n.touch()
	return err
}

func (r *request) removexattr(n *node) error {
	name := r.in.name()
	if foreign(name) {
		return linux.EOPNOTSUPP
	}
	err := r.s.on(r.ctx, n, func(f p9.File) error { return f.RemoveXattr(name) })
	n.touch()
	return err
}
