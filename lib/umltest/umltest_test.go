//go:build linux

package umltest

import (
	"os"
	"strings"
	"testing"
)

// TestRun: the guest has a kernel of its own with v9fs, runs what it is given with its words and environment as they are, and its files
// under share are this machine's.
func TestRun(t *testing.T) {
	share := t.TempDir()
	out, status := Run(t, share, []string{"WORD=it's here"}, "sh", "-c",
		`grep -w 9p /proc/filesystems; echo "$WORD:$1"; echo written >"$2/file"; exit 3`, "sh", "a  'b'", share)
	if want := "it's here:a  'b'\n"; !strings.Contains(out, "nodev\t9p\n") || !strings.HasSuffix(out, want) {
		t.Errorf("output %q, want v9fs in it and %q at its end", out, want)
	}
	if status != "3" {
		t.Errorf("status %q, want 3", status)
	}
	got, err := os.ReadFile(share + "/file")
	if err != nil || string(got) != "written\n" {
		t.Errorf("the guest's file is %q, %v", got, err)
	}
}
