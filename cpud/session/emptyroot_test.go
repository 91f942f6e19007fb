//go:build linux

package session

import (
	"os"
	"os/exec"
	"syscall"
)

// emptyRoot is set in the environment of a test that is in one.
const emptyRoot = "CPU_TEST_EMPTY_ROOT"

// rootScript builds the root in its own mount namespace. /tmp is empty on the server; here it has the place that stands for the terminal.
const rootScript = `set -eu
root=$1 exe=$2 how=$3
mount --make-rprivate /
mount -t tmpfs board "$root"
cd "$root"
mkdir dev proc tmp
cp "$exe" cpud
mount --rbind /dev dev
mount -t proc proc proc
mount -t tmpfs tmp tmp
mkdir tmp/host
mount --rbind / tmp/host
case $how in
*read-only) mount -o remount,ro,bind "$root" ;;
esac
case $how in
pivot*) pivot_root . tmp/host/mnt; exec /cpud -test.v '-test.run=^TestEmptyRoot$' ;;
*) exec chroot . /cpud -test.v '-test.run=^TestEmptyRoot$' ;;
esac
`

// inRoot runs TestEmptyRoot in a root of that kind, mounted on dir.
func inRoot(dir, exe, how string) (string, error) {
	c := exec.Command("sh", "-c", rootScript, "root", dir, exe, how)
	c.Env = append(os.Environ(), emptyRoot+"=1", "TMPDIR=/tmp")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := c.CombinedOutput()
	return string(out), err
}
