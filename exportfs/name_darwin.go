package exportfs

import (
	"strings"

	"github.com/hugelgupf/p9/linux"
)

// checkSystemName refuses the characters that HFS+ ignores in names, for with them a name means a file of another name, and so would
// get around patterns.
func checkSystemName(name string) error {
	ignored := func(r rune) bool {
		return r >= 0x200c && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff
	}
	if strings.ContainsFunc(name, ignored) {
		return linux.ENOENT
	}
	return nil
}
