package exportfs

import (
	"strings"
	"unicode/utf8"

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

// shortName says whether a name has the form of the second names that Windows makes up for files: PROGRA~1, REPORT~2.DOC.
func shortName(name string) bool {
	base, extension, dot := strings.Cut(name, ".")
	stem, number, tilde := strings.Cut(base, "~")
	between := func(s string, most int) bool { n := utf8.RuneCountInString(s); return n >= 1 && n <= most }
	return tilde && between(stem, 6) && between(number, 6) && strings.Trim(number, "0123456789") == "" &&
		(!dot || between(extension, 3) && !strings.Contains(extension, "."))
}

// windowsName refuses names that mean a file of another name, and so would get around patterns: streams, short names, and those whose
// last dots and blanks are dropped.
func windowsName(name string) error {
	if strings.ContainsAny(name, `\:*?"<>|`) || strings.TrimRight(name, ". ") != name {
		return linux.EINVAL
	}
	if shortName(name) {
		return linux.ENOENT
	}
	return nil
}
