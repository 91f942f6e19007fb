//go:build linux

// Package server is cpud's SSH server: who may come in, and which stream goes where.
//
// A connection is a user, proven by a public key. On its session channels it opens the subsystems `ctlfs` (the control tree, as that user
// sees it), `exportfs` (the server's own files, served by a process that has become that user) and `srv N NAME` (a 9P server at the
// terminal, posted in session N); or, as stock ssh does, it runs a command, which is a session like any other but has no terminal's files.
//
// The commands cpud and `cpu -self` call it. It knows nothing of namespaces or processes, which are cpud/session's, nor of the control
// tree's files, which are ctlfs's. It opens no port: its caller listens. Programs that embed it call [Main] first thing.
package server
