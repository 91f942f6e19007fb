// Package ninep is the 9P protocol: its wire format, a server and a client.
//
// It speaks three dialects. 9P2000.L is that of Linux' v9fs and of diod. 9P2000 is Plan 9's own. 9P2000.L.cpu is a strict superset of
// 9P2000.L that saves round trips: directories with attributes in one message, a walk with its attributes, open with the first bytes of
// a file, and clunk without waiting; its messages are laid out in exportfs(4). The client offers the best it knows and takes what the
// server answers; one that knows none of these is offered the next on the same connection. A server that hangs up at an offer is none
// that the client can use.
//
// Through 9P2000 the client has files as Linux has them, as far as the dialect goes. The text of an error is kept beside the number that it
// stands for, EIO if it stands for none. Users and groups are names there: the one who attached has the number he attached with, decimal
// names are numbers, all others are nobody's, 65534; so owners cannot be changed. A file of length 0 is taken for a stream, as those of
// devices are, and its qid is given the version 0. Renaming stays within a directory, and removes first what has the name. To append is to
// write at the end that the file has just then. There are no links, devices, extended attributes or locks.
//
// Both ends work on the file contract of github.com/hugelgupf/p9/p9: a [Server] serves any p9.Attacher, a [Client]'s files are
// p9.Files. Who calls it: everything here that serves a tree or reaches one. The package opens no connections, knows no users and
// keeps no files; it is handed a byte stream and a tree.
//
// What a hostile peer can do is bounded by the constants of this package: a frame that is malformed, or larger than the msize agreed
// upon, ends its connection and nothing else.
package ninep
