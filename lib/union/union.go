package union

import (
	"context"
	"errors"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"

	"cpu/lib/ninep"
)

// Member is one directory of a union.
type Member struct {
	Root   p9.File // a directory, not opened; the union closes it
	Create bool    // new files may be made here
}

// Union is the tree. It is a p9.Attacher; any number of attaches may be in use at once.
type Union struct{ members []Member }

// New makes a union of members, the first to be searched first. It owns their roots, and needs one at least.
func New(members []Member) (*Union, error) {
	if len(members) == 0 {
		return nil, errors.New("union: no members")
	}
	return &Union{members}, nil
}

// Close closes the members' roots. Files in use are closed by who uses them.
func (u *Union) Close() error {
	var first error
	for _, m := range u.members {
		if err := m.Root.Close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// Attach gives the union's root.
func (u *Union) Attach() (p9.File, error) { return u.newRoot(), nil }

// qid makes a member's qid the union's: members that are file systems of their own may number their files alike.
func qid(member int, q p9.QID) p9.QID {
	q.Path ^= mix(uint64(member))
	return q
}

func qids(member int, all []p9.QID) []p9.QID {
	for i := range all {
		all[i] = qid(member, all[i])
	}
	return all
}

// mix spreads a member's number over all bits, and leaves 0, the first one's, as it is.
func mix(member uint64) uint64 {
	x := member * 0x9e3779b97f4a7c15
	return x ^ x>>29
}

// withContext is f's view for an operation that ctx ends.
func withContext(f p9.File, ctx context.Context) p9.File {
	if c, ok := f.(ninep.ContextFile); ok {
		return c.WithContext(ctx)
	}
	return f
}

// absent says that a member does not have a name, so that the next is asked.
func absent(err error) bool { return err != nil && ninep.Errno(err) == linux.ENOENT }
