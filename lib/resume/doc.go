// Package resume is a 9P tree whose server may be lost and come back: files that are in use then are looked up again, opened again, and go on.
//
// cpud/session mounts the terminal's files through it, so that a session that is kept still has them when its terminal returns. An operation
// under way when the connection is lost is done again where that makes no difference, as for reading and for writing at an offset; for one that
// makes, removes or renames a name nobody can tell whether it was done, and it fails with EIO. Those that come later wait.
//
// A file is known by its name and by its qid: where the name leads to another file now, or to none, what was open fails with ESTALE. Names follow
// the renames that were done through this tree, and no others. Locks are gone with the connection that had them.
//
// The package connects to nothing itself: it asks for the tree's root whenever the one that it has is dead.
package resume
