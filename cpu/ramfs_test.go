//go:build linux

package main_test

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"testing"

	"cpu/lib/ramfs"
)

// plan9Service has a session use a service of the terminal that speaks plain 9P2000 only, by its name in plan9port's directory.
func plan9Service(t *testing.T, r *rig) {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	fs := ramfs.New(me.Username)
	fs.Add("/hello", "from the terminal\n", 0o644)
	dir, err := os.MkdirTemp("", "ns.") // t.TempDir's names are too long for a socket's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	fs.Listen(t, dir+"/ram")
	write(t, r.keys+"/ram", []byte("mount /srv/ram /mnt/ram\n"), 0o644)
	// The service's socket in the session is one more way to it, for which we are the server.
	write(t, r.keys+"/again", []byte("mount /srv/ram /mnt/again\n"), 0o644)
	usual := r.flags
	if len(usual) == 0 {
		usual = []string{"-n", "default"}
	}
	flags := slices.Concat(usual, []string{"-srv", "ram=ram", "-n", r.keys + "/ram", "-n", r.keys + "/again"})

	c := r.terminal(flags, "sh", "-euc", `cd /mnt/ram
cat hello
ls -l hello | cut -c1-10
stat -c %u hello
echo one > f
echo two >> f
mv f g
cat g ../again/g
echo start > dev/ctl
cat dev/ctl dev/count
mkdir d
mv g d
ls . d
rm -r d hello
ls
cat hello 2>&1 | sed 's/.*: //'`)
	c.Env = append(c.Environ(), "NAMESPACE="+dir)
	want := "from the terminal\n-rw-r--r--\n" + me.Uid + "\none\ntwo\none\ntwo\nstart\nI\n.:\nd\ndev\nhello\n\nd:\ng\ndev\nNo such file or directory\n"
	if got := must(t, c); got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	if got, _ := fs.Data("/dev/ctl"); got != "start\n" {
		t.Errorf("ctl has %q", got)
	}

	// A read that waits ends by a signal, at the service too.
	c = r.terminal(flags, "sh", "-c", `cat /mnt/ram/dev/wait & read -r go; kill $!; wait $!; echo ended $?`)
	c.Env = append(c.Environ(), "NAMESPACE="+dir)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	waits := make(chan string, 1)
	go func() {
		out, _, status := run(t, c) // the shell may say what became of the job
		waits <- fmt.Sprint(out, status)
	}()
	select {
	case <-fs.Blocked:
	case said := <-waits:
		t.Fatalf("ended early: %s", said)
	}
	fmt.Fprintln(in, "go")
	if err := <-fs.Ended; err == nil {
		t.Error("the read ended by itself")
	}
	if got := <-waits; got != "ended 143\n0" {
		t.Errorf("said %q", got)
	}
	in.Close()
}
