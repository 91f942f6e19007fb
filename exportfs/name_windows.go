package exportfs

import (
	"regexp"
	"strings"

	"github.com/hugelgupf/p9/linux"
)

// shortName is the form of the second names that Windows makes up for files, PROGRA~1.
var shortName = regexp.MustCompile(`^[^.~]{1,6}~[0-9]{1,6}(\.[^.]{1,3})?$`)

// checkSystemName refuses names that mean a file of another name, and so would get around patterns: streams, short names, and those
// whose last dots and blanks are dropped.
func checkSystemName(name string) error {
	if strings.ContainsAny(name, `\:*?"<>|`) || strings.TrimRight(name, ". ") != name {
		return linux.EINVAL
	}
	if shortName.MatchString(name) {
		return linux.ENOENT
	}
	return nil
}
