package exportfs

import (
	"regexp"
	"strings"

	"github.com/hugelgupf/p9/linux"
)

// darwinName refuses the characters that HFS+ ignores in names, for with them a name means a file of another name, and so would get
// around patterns.
func darwinName(name string) error {
	ignored := func(r rune) bool {
		return r >= 0x200c && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff
	}
	if strings.ContainsFunc(name, ignored) {
		return linux.ENOENT
	}
	return nil
}

// shortName is the form of the second names that Windows makes up for files, PROGRA~1.
var shortName = regexp.MustCompile(`^[^.~]{1,6}~[0-9]{1,6}(\.[^.]{1,3})?$`)

// windowsName refuses names that mean a file of another name, and so would get around patterns: streams, short names, and those whose
// last dots and blanks are dropped.
func windowsName(name string) error {
	if strings.ContainsAny(name, `\:*?"<>|`) || strings.TrimRight(name, ". ") != name {
		return linux.EINVAL
	}
	if shortName.MatchString(name) {
		return linux.ENOENT
	}
	return nil
}
