//go:build linux && !portable

package exportfs

import (
	"os"
	"os/exec"
	"testing"
)

// Some tests need a process of their own: they run the test binary again, with the name of the part it is to play in the environment.
const partVariable = "EXPORTFS_TEST_PART"

var parts = map[string]func(args []string){
	"many fids": manyFids,
	"lock":      lockOutside,
}

func TestMain(m *testing.M) {
	if part := parts[os.Getenv(partVariable)]; part != nil {
		part(os.Args[1:])
		return
	}
	os.Exit(m.Run())
}

// play is a command that plays a part.
func play(t *testing.T, part string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), partVariable+"="+part)
	c.Stderr = os.Stderr
	return c
}
