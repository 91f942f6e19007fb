//go:build linux

package server

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// usersDir tells a test, run once more with mounts of its own, where its users' files are.
const usersDir = "SERVER_TEST_USERS"

// withUsers runs a test again as the root of a machine whose list of users is in dir, and whose groups as well; it reports whether this
// is that second run.
func withUsers(t *testing.T, dir string) bool {
	t.Helper()
	if os.Getenv(usersDir) != "" {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("becoming another user wants root: run this test as root")
	}
	c := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), usersDir+"="+dir)
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// TestBecomes: root's cpud lets each user in by his own list, and his commands and files are his.
func TestBecomes(t *testing.T) {
	dir := t.TempDir()
	if !withUsers(t, dir) {
		return
	}
	dir = os.Getenv(usersDir)
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	must(t, os.Chmod(dir, 0o755))
	home := dir + "/home"
	must(t, os.MkdirAll(home+"/.ssh", 0o700))
	must(t, os.WriteFile(dir+"/passwd", []byte("root:x:0:0::/root:/bin/sh\nmaria:x:4711:4712::"+home+":/bin/sh\nsys:x:4713:4713::"+home+":/usr/sbin/nologin\n"+
		"bad:x:x:4713::"+home+":/bin/sh\n"), 0o644))
	must(t, os.WriteFile(dir+"/group", []byte("root:x:0:\nmaria:x:4712:\nwheel:x:4714:root,maria\n"), 0o644))
	for _, f := range []string{"passwd", "group"} {
		must(t, unix.Mount(dir+"/"+f, "/etc/"+f, "", unix.MS_BIND, ""))
	}
	r := newRig(t, "", func(r *rig, c *Config) { c.AuthorizedKeys = "" })
	authorized, err := os.ReadFile(r.dir + "/authorized")
	must(t, err)
	must(t, os.WriteFile(home+"/.ssh/authorized_keys", authorized, 0o600))
	for _, f := range []string{home, home + "/.ssh", home + "/.ssh/authorized_keys"} {
		must(t, os.Chown(f, 4711, 4712))
	}
	login := func(user string, args ...string) *exec.Cmd {
		c := r.ssh("key", args...)
		c.Args = append([]string{c.Args[0], "-l", user}, c.Args[1:]...)
		return c
	}
	out, stderr, status := run(t, login("maria", "127.0.0.1", "id -u; id -g; id -G; pwd; echo $HOME $USER $SHELL; echo mine >file; cat /etc/shadow"))
	if want := "4711\n4712\n4712 4714\n" + home + "\n" + home + " maria /bin/sh\n"; out != want || status != 1 || !strings.Contains(stderr, "Permission denied") {
		t.Errorf("got %q, %q, %d; want %q", out, stderr, status, want)
	}
	info, err := os.Stat(home + "/file")
	must(t, err)
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 4711 || st.Gid != 4712 {
		t.Errorf("the file belongs to %d:%d", st.Uid, st.Gid)
	}
	for _, user := range []string{"sys", "bad", "root", ""} { // root has no list that has the key
		if _, _, status := run(t, login(user, "127.0.0.1", "true")); status != 255 {
			t.Errorf("%q: exit status %d", user, status)
		}
	}
	must(t, os.Chmod(home, 0o777))
	if _, _, status := run(t, login("maria", "127.0.0.1", "true")); status != 255 {
		t.Errorf("with a home that all may write the exit status is %d", status)
	}
	must(t, os.Chmod(home, 0o755))

	// The exportfs subsystem is served by a process that is maria's.
	must(t, os.WriteFile(dir+"/secret", []byte("x"), 0o600))
	r.user = "maria"
	client, err := r.dial(r.signer(t))
	must(t, err)
	defer client.Close()
	tree := r.open(t, client, "exportfs")
	for path, want := range map[string]error{home + "/file": nil, dir + "/secret": unix.EACCES} {
		_, f, err := tree.Walk(strings.Split(strings.Trim(path, "/"), "/"))
		must(t, err)
		if _, _, err := f.Open(0); (err == nil) != (want == nil) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}

	// What is forwarded is connected to, and listened at, as maria.
	secret, err := net.Listen("unix", dir+"/secret.socket")
	must(t, err)
	defer secret.Close()
	must(t, os.Chmod(dir+"/secret.socket", 0o600))
	if c, err := client.Dial("unix", dir+"/secret.socket"); err == nil {
		c.Close()
		t.Error("root's socket was connected to")
	}
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err != nil || string(text) == "1024\n" {
		if _, ok := forwardTo(client, "", 1023); ok {
			t.Error("a port that is root's is maria's")
		}
	}
	for path, want := range map[string]bool{home + "/socket": true, dir + "/socket": false} {
		if ok, _, err := client.SendRequest("streamlocal-forward@openssh.com", true, ssh.Marshal(unixForward{path})); ok != want || err != nil {
			t.Errorf("%s: %v, %v, want %v", path, ok, err, want)
		}
	}
	info, err = os.Lstat(home + "/socket")
	must(t, err)
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 4711 || st.Gid != 4712 {
		t.Errorf("the socket belongs to %d:%d", st.Uid, st.Gid)
	}
}

// TestNoUsers: where there is no list of users there is root, whose home is /.
func TestNoUsers(t *testing.T) {
	dir := t.TempDir()
	if !withUsers(t, dir) {
		return
	}
	dir = os.Getenv(usersDir)
	must(t, unix.Mount(dir, "/etc", "", unix.MS_BIND, ""))
	u, err := (&Server{}).lookupUser("root")
	if err != nil || u.Home != "/" || u.UID != 0 || !u.Root || u.Shell != "/bin/sh" {
		t.Errorf("root is %+v, %v", u, err)
	}
	if u, err := (&Server{}).lookupUser("maria"); err == nil {
		t.Errorf("maria is %+v", u)
	}
}

// TestOwnUser: a cpud that is not root's serves its own user alone.
func TestOwnUser(t *testing.T) {
	if _, err := (&Server{uid: 4711}).lookupUser("root"); err == nil || !strings.Contains(err.Error(), "not the user that cpud runs as") {
		t.Errorf("got %v", err)
	}
}

// TestNewErrors: a server without what it needs is not made.
func TestNewErrors(t *testing.T) {
	if _, err := New(Config{HostKeys: []ssh.Signer{nil}}); err == nil {
		t.Error("a server without sessions was made")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a server without a host key was made")
	}
}
