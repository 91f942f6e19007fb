//go:build linux

// Package mnt makes a 9P tree a mounted directory: with FUSE, or with the kernel's own 9P client, v9fs.
//
// Who calls it: the server side of a session, for every `mount` line of its namespace file, and `-m`, for the control tree. With FUSE
// the directory is mounted by the process that lives in the namespace ([OpenFUSE]) and served by the one that holds the 9P
// connection ([ServeFUSE]); the descriptor of /dev/fuse travels between them. With v9fs the kernel is given the connection itself
// ([MountV9FS]) and nothing is left to be served.
//
// It needs no fusermount and no root: in a user namespace of one's own mount(2) is enough. What it never does: dial, authenticate,
// decide who may do what (the side that has the files does), or keep anything on disk.
//
// Files are cached as close-to-open wants it: an open sees all that was written, by whomever, before it; names and attributes may be up
// to a second old. A file whose qid has the version 0 is a stream or a control file and never cached. Writes of a file are sent without
// waiting for each other, but for those that append; close and fsync wait for them and report what went wrong.
//
// A signal ends an operation on a stream or a wait for a lock at once, at the far side too; one on an ordinary file goes on for a second
// first, because programs do not expect such to fail by a signal that they handle.
package mnt
