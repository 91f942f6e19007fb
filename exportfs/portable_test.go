//go:build linux && !portable

package exportfs

import (
	"os/exec"
	"testing"
)

// TestPortable runs the tests of what is the same everywhere on the code for other systems than Linux, which the tag builds here.
func TestPortable(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("go", "test", "-count=1", "-tags", "portable", ".").CombinedOutput(); err != nil {
		t.Errorf("go test -tags portable: %v\n%s", err, out)
	}
}
