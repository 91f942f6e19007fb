// Package exportfs is a local file tree as a 9P tree, as exportfs(4) describes it.
//
// The cpu command serves the terminal's files with it, and cpud the server's. An [FS] is handed to a 9P server; its files do what the
// system calls of the same names do, as the user the process runs as. It never becomes another user, never follows a symbolic link,
// never leaves its root, and never opens anything but regular files and directories: FIFOs, sockets and devices are described only.
// What the [Patterns] hide does not exist in it.
package exportfs
