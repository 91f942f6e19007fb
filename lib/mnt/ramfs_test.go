//go:build linux

package mnt_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"cpu/lib/mnt"
	"cpu/lib/ninep"
	"cpu/lib/ramfs"

	"9fans.net/go/plan9"
	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// plan9Script uses a tree that a server of plain 9P2000 has, mounted on $M, and plan9Says is what it says. Programs see an ordinary file
// system, but that it has no links; a rename from one directory to another is a copy.
const plan9Script = `set -eu
umask 022
cd "$M"
echo hello >f; cat f; ls -l f | cut -c1-10
echo more >>f; cat f
chmod 600 f; stat -c '%a %s %u %g' f
mv f g; echo other >h; mv h g; cat g
mkdir d; echo in >d/x; mv g d/g; ls d; cat d/g; test ! -e g
if rmdir d; then exit 1; fi 2>/dev/null
rm -r d
touch -d @1000000 t; stat -c %Y t
truncate -s 3 t; stat -c %s t; rm t
if ln -s a b; then exit 1; fi 2>/dev/null
i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done >big
cp -p big big2; cmp big big2; stat -c %s big2; rm big big2
echo one >log; echo two >log; cat log
exec 3<lock; cat lock 2>&1 | sed 's/.*: //'; exec 3<&-; cat lock
cat dev/count; cat dev/count
echo start >dev/ctl; echo again >>dev/ctl; cat dev/ctl
/bin/echo bad 2>&1 >dev/ctl | sed 's/.*: //'
ls
`

const plan9Says = `hello
-rw-r--r--
hello
more
600 11 1234 65534
other
g
x
other
1000000
3
123000
zero
one
two
Device or resource busy
free
I
II
start
again
Invalid argument
dev
lock
log
`

// newPlan9Tree is a file system with what the script wants, and an attacher to it by way of the client that is to be closed in the end.
func newPlan9Tree() (*ramfs.FS, *ninep.Client, p9.Attacher, error) {
	fs := ramfs.New("glenda")
	fs.Add("/log", "zero\n", plan9.DMAPPEND|0o644)
	fs.Add("/lock", "free\n", plan9.DMEXCL|0o644)
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, nil, nil, err
	}
	go fs.Serve(theirs)
	c, err := ninep.NewClient(context.Background(), ours, ninep.ClientConfig{})
	return fs, c, asGlenda{c}, err
}

type asGlenda struct{ c *ninep.Client }

func (a asGlenda) Attach() (p9.File, error) {
	return a.c.Attach(context.Background(), ninep.Attach{Uname: "glenda", UID: 1234})
}

// TestPlan9Tree: a tree of plain 9P2000 under FUSE.
func TestPlan9Tree(t *testing.T) {
	fs, c, tree, err := newPlan9Tree()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	root, err := tree.Attach()
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, "", root, mnt.Options{})
	if out, err := s.sh(t, plan9Script); err != nil || out != plan9Says {
		t.Errorf("said %q, %v", out, err)
	}
	if got, _ := fs.Data("/dev/ctl"); got != "start\nagain\n" {
		t.Errorf("ctl has %q", got)
	}
	j := s.start(t, `exec cat "$M/dev/wait"`)
	<-fs.Blocked
	j.ends(t, syscall.SIGINT)
	if err := <-fs.Ended; err != context.Canceled {
		t.Errorf("the read ended with %v", err)
	}
}

// guestPlan9: the same under v9fs, which speaks 9P2000.L with us.
func guestPlan9(dir string) error {
	fs, c, tree, err := newPlan9Tree()
	if err != nil {
		return err
	}
	defer c.Close()
	done, err := mountV9FS(dir, tree)
	if err != nil {
		return err
	}
	sh := exec.Command("sh", "-c", plan9Script)
	sh.Env = append(os.Environ(), "M="+dir)
	if out, err := sh.CombinedOutput(); err != nil || string(out) != plan9Says {
		return fmt.Errorf("a tree of 9P2000: said %q, %v", out, err)
	}
	if got, _ := fs.Data("/dev/ctl"); got != "start\nagain\n" {
		return fmt.Errorf("ctl has %q", got)
	}
	cat := exec.Command("cat", dir+"/dev/wait")
	if err := cat.Start(); err != nil {
		return err
	}
	<-fs.Blocked
	if err := cat.Process.Signal(syscall.SIGINT); err != nil {
		return err
	}
	if err := cat.Wait(); err == nil || !strings.Contains(err.Error(), "interrupt") {
		return fmt.Errorf("interrupted cat: %v", err)
	}
	if err := <-fs.Ended; err != context.Canceled {
		return fmt.Errorf("the read ended with %v", err)
	}
	if err := unix.Unmount(dir, 0); err != nil {
		return err
	}
	return <-done
}
