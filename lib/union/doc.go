// Package union makes one tree of several: a union directory as Plan 9 has it.
//
// The union is shallow. Its root has the names of all its members' roots, each name once, that of the first member which has it; what is
// below a name is that member's alone. A new file goes to the first member that takes files, and to none if there is none, with EPERM. A
// file that is there already is written, renamed and removed in the member where it was found, so that removing one may uncover another.
//
// cpud/session calls it for the `bind -a` and `bind -b` lines of namespace(6), and serves the tree to the kernel. The package opens nothing
// itself, checks no permissions beyond -c, caches nothing, and never copies a file from one member to another: what would have to is EXDEV.
package union
