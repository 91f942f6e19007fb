//go:build !unix

package sshconfig

import "io/fs"

// guarded never fails: the bits of a file's mode do not say here who can write to it.
func guarded(string, fs.FileInfo) error { return nil }
