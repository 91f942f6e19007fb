// Package ctlfs is the control file system: a daemon's sessions as a tree of files, and a typed client of that tree.
//
// The tree is laid out in ctlfs(4). New makes it of a Host; cpud serves it to each user and mounts it in each session. NewClient is the
// other side, by which cpu runs its sessions; it uses nothing but the files, so whatever it does a shell can do.
//
// The package knows neither processes nor SSH: what a session is, a Host says.
package ctlfs
