//go:build linux

// Package session is one session on a cpu server: a private namespace, a command in it, its terminal or pipes, its notes, its end; and the
// table of all of them, which ctlfs shows as files.
//
// cpud/server calls it: [NewTable] once, [Table.Announce] for each 9P stream that a terminal posts; ctlfs drives the sessions through its
// Host interface. Programs that embed it call [Main] first thing, for a session needs a process of its own. The package listens on no port,
// authenticates nobody and parses no flags.
//
// # Who runs where
//
// cpud (package user) holds a [Session] for each: its settings, the 9P clients of the posted services, the streams, who waits. It never
// enters a session's namespace and never touches a file there, so that no terminal can make it wait.
//
// The helper is the same executable again, in a new mount namespace, and in a new user namespace where cpud is not root. One goroutine,
// locked to its thread, does all the work there, for the identity that files are looked up with belongs to a thread. It builds the
// namespace (builder.go, root.go, mirror.go), starts the command as the session's user (command.go) and then waits for messages. A second
// goroutine reaps (reap.go). The helper is a subreaper: whatever the command leaves behind becomes its child, and is killed at the end of
// the session. With the helper's end the namespace and all its mounts go.
//
// A user's rights: as root's helper, every path of a namespace file is resolved with the user's file system ids (cred.go), while the mount
// itself is root's. A user other than root whose namespace has a bind or a mount runs with no_new_privs, because a setuid program trusts
// files (/etc/sudoers) that the user may now have replaced.
//
// # The socket
//
// Cpud and the helper talk over a stream socket. A message is its fields, with descriptors passed along (cpud/wire, message.go,
// fields.go).
// The helper is the one who asks while it builds, and each question is answered before the next; afterwards both sides only tell.
//
//	cpud -> helper
//	setup             who, what, the namespace file, names of services; with the command's three pipe ends
//	reply             to attach, fuse and v9fs: a number, or the error
//	post, unpost      a service that came, or went, while the command runs
//	dial              connect to a socket in /srv, for a number
//	note              a signal for the command or for every process of the session
//	(end of file)     the session is over: kill what is left, exit
//
//	helper -> cpud
//	posted            a listening socket, /srv/NAME: cpud accepts on it and serves 9P
//	attach            a service by its name, or a connected socket: cpud attaches and answers with a number for the tree
//	fuse              /dev/fuse as mounted for the tree of that number: cpud serves it straight from the tree
//	v9fs              one end of a socket pair whose other end the kernel is about to mount
//	drop              a tree that is not going to be mounted after all
//	started           the process id, the namespace as built; with the terminal's master, if there is one
//	failed            why there is no command, and the exit status for that
//	stopped, running  the command was stopped, or goes on
//	dialled           that number's connection, or the error
//	exit              how the command ended, and its times
//
// # The namespace
//
// Everything is done on mounts that are private to the session. The server's own root, as it was, stays attached but out of sight below the
// session's /srv, where #U finds it. A mount point that is missing is never made on the server's disk: the nearest directory that is there
// is covered with a tmpfs that has the same entries, each bound to the real one, and the missing one besides. What is written to those
// entries still reaches the disk; only what is newly made directly in the covered directory stays in the session. Where the root itself
// is that directory, the session gets a root of its own, by pivot_root, or by chroot where the kernel refuses that (in a chroot, or on an
// initramfs). A symbolic link where a directory is to be mounted is replaced in the same way: on a server where /bin is a link to /usr/bin,
// the two can still be different in the session.
//
// A union (union.go) is a mount that is served by a process of its own, this executable once more as the session's user, from the directories
// of its members; what the members have below is bound into it, so that only the files of the union itself take the way through that process.
//
// It takes Linux 5.6: the mount calls that work on descriptors, and openat2.
package session
