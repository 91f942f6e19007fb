// Package namespace holds the namespace files that ship with cpu: default, none, server, term, arch and docker. Each explains itself
// in comments; the format is namespace(6).
//
// They are files first, to be read, copied and changed, and are installed as such. They are embedded here as well so that a cpu which
// was copied without them still has them: cpu looks for a name of -n as a file, then in the user's and in the installed
// lib/namespace, and last of all here. The package only holds the text; nsfile parses it.
package namespace

import "embed"

// Files has the files, each under its own name at the top.
//
//go:embed default none server term arch docker
var Files embed.FS
