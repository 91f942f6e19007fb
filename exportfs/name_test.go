package exportfs

import (
	"testing"

	"github.com/hugelgupf/p9/linux"
)

// TestSystemNames is about names by which other systems find files of other names.
func TestSystemNames(t *testing.T) {
	for _, c := range []struct {
		name            string
		darwin, windows error
	}{
		{"id_rsa", nil, nil},
		{"a file.tar.gz", nil, nil},
		{"Straße~", nil, nil},
		{".ssh", nil, nil},
		{"id\u200c_rsa", linux.ENOENT, nil},
		{"\ufeffid_rsa", linux.ENOENT, nil},
		{"id_rsa::$DATA", nil, linux.EINVAL},
		{"C:", nil, linux.EINVAL},
		{`.ssh\id_rsa`, nil, linux.EINVAL},
		{"id_rsa.", nil, linux.EINVAL},
		{"id_rsa ", nil, linux.EINVAL},
		{"id_rsa. .", nil, linux.EINVAL},
		{"SSH~1", nil, linux.ENOENT},
		{"ID_RSA~1.PEM", nil, linux.ENOENT},
		{"a~b", nil, nil},
		{"version~1.orig", nil, nil},
	} {
		if err := darwinName(c.name); err != c.darwin {
			t.Errorf("macOS: %q: %v, want %v", c.name, err, c.darwin)
		}
		if err := windowsName(c.name); err != c.windows {
			t.Errorf("Windows: %q: %v, want %v", c.name, err, c.windows)
		}
	}
}
