//go:build linux

package session

import (
	"errors"
	"os"
	"strings"
	"testing"

	"cpu/ctlfs"

	"github.com/hugelgupf/p9/linux"
)

// TestLimits: what a session is told before it starts is bounded.
func TestLimits(t *testing.T) {
	table := NewTable(Config{})
	defer table.Close()
	s, err := table.New(ctlfs.User{Name: "me", UID: uint32(os.Getuid())})
	if err != nil {
		t.Fatal(err)
	}
	s.Hold()
	defer s.Release()
	long := strings.Repeat("x", maxWords)
	for name, set := range map[string]func() error{
		"arguments":   func() error { return s.SetArgs([]string{"true", long}) },
		"environment": func() error { return s.SetEnv([]string{"A=" + long}) },
	} {
		if err := set(); !errors.Is(err, linux.E2BIG) {
			t.Errorf("%s: %v, want E2BIG", name, err)
		}
	}
	if err := s.SetNamespace(long); !errors.Is(err, linux.EFBIG) {
		t.Errorf("namespace: %v, want EFBIG", err)
	}
	if len(s.Args()) > 0 || len(s.Env()) > 0 {
		t.Error("what was refused was kept")
	}
}
