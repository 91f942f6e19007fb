package ninep

import (
	"strings"

	"github.com/hugelgupf/p9/linux"
)

// checkName says whether a peer may give a file that name.
func checkName(name string) error {
	switch {
	case name == "":
		return linux.ENOENT
	case len(name) > MaxName:
		return linux.ENAMETOOLONG
	case name == ".", name == "..", strings.ContainsAny(name, "/\x00"):
		return linux.EINVAL
	}
	return nil
}

// checkWalk says whether a peer may walk those names. Among them ".." is the directory above.
func checkWalk(names []string) error {
	if len(names) > MaxWalk {
		return linux.EINVAL
	}
	for _, name := range names {
		if name == ".." {
			continue
		}
		if err := checkName(name); err != nil {
			return err
		}
	}
	return nil
}

// checkPath says whether a peer may give such a path, target or attribute's name, which the tree makes of what it will.
func checkPath(path string) error {
	switch {
	case len(path) > MaxPath:
		return linux.ENAMETOOLONG
	case strings.IndexByte(path, 0) >= 0:
		return linux.EINVAL
	}
	return nil
}
