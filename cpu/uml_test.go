//go:build linux

package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cpu/lib/umltest"
)

// Variables by which a test tells itself, run once more in a guest, where its programs are and how to mount.
const (
	guestPrograms = "CPU_TEST_PROGRAMS"
	guestMount    = "CPU_TEST_MOUNT"
)

// TestUserModeLinux runs tests of this package in a guest whose kernel has v9fs and vsock, by either way of mounting.
func TestUserModeLinux(t *testing.T) {
	t.Parallel()
	share := t.TempDir()
	// Built anew, for the race detector does not run in the guest.
	must(t, exec.Command("go", "test", "-c", "-o", share+"/cpu.test", "."))
	must(t, exec.Command("cp", programs+"/cpu", programs+"/cpud", share))
	must(t, exec.Command("cp", manual, filepath.Join(share, guestManual)))
	tests := []string{"TestVsock", "TestManual"}
	for _, mount := range []string{"fuse", "v9fs"} {
		t.Run(mount, func(t *testing.T) {
			t.Parallel()
			out, status := umltest.Run(t, share, []string{guestPrograms + "=" + share, guestMount + "=" + mount},
				share+"/cpu.test", "-test.v", "-test.timeout=20m", "-test.run=^("+strings.Join(tests, "|")+")$")
			if status != "0" {
				t.Errorf("in the guest: exit status %s\n%s", status, out)
			}
			for _, test := range tests {
				if !strings.Contains(out, "--- PASS: "+test+" ") {
					t.Errorf("%s has not passed in the guest:\n%s", test, out)
				}
			}
		})
	}
}

// TestVsock is the main job over vsock, which connects a guest to itself.
func TestVsock(t *testing.T) {
	mount := os.Getenv(guestMount)
	if mount == "" {
		return // TestUserModeLinux runs it
	}
	r := listening(t, func(keys string) *exec.Cmd {
		return exec.Command(programs+"/cpud", "-net", "vsock", "-mount", mount, "-hk", keys+"/hostkey", "-ak", keys+"/authorized")
	})
	if got := must(t, r.reach("vsock/local")); got != "the terminal's\n" {
		t.Errorf("said %q", got)
	}
	r.addr, r.flags = "1:17010", append(r.flags, "-net", "vsock")
	mainJob(t, r)
}
