//go:build linux

package session

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"cpu/ctlfs"
	"cpu/exportfs"
	"cpu/lib/ninep"
	"cpu/lib/umltest"
)

func TestMount(t *testing.T) {
	needsFUSE(t)
	dir, term := tempDir(t), tempDir(t)
	write(t, term+"/bin/tool", "#!/bin/sh\necho from the terminal: $*\n")
	if err := os.Chmod(term+"/bin/tool", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, term+"/only/there/file", "text\n")
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(),
		"mount /srv/term /mnt/term\nbind /mnt/term/bin $dir/bin\nmount /srv/term $dir/spec only/there\nmount /srv/cpu /mnt/cpu\ncd /only/there",
		"sh", "-c", dir+"/bin/tool a b; pwd; cat file "+dir+"/spec/file; echo new > made; test -d /mnt/cpu; stat -c %U:%a /srv/term; ls /srv")
	s.SetDir(dir)
	post(t, table, s, "term", term)
	s.mustStart(t)
	s.CloseStdin(false)
	out, errs, st := s.output(t)
	want := "from the terminal: a b\n/mnt/term/only/there\ntext\ntext\n"
	if !strings.HasPrefix(out, want) || !strings.HasSuffix(out, ":600\ncpu\nterm\n") || errs != "" || st.Code != 0 {
		t.Errorf("said %q and %q, %+v", out, errs, st)
	}
	if b, err := os.ReadFile(term + "/only/there/made"); string(b) != "new\n" {
		t.Errorf("the terminal got %q, %v", b, err)
	}
	if _, err := os.Lstat(dir + "/bin"); err == nil {
		t.Error("a mount point is on disk")
	}
}

// TestDirFallsBack is about a directory that only the terminal has.
func TestDirFallsBack(t *testing.T) {
	needsFUSE(t)
	term := tempDir(t)
	write(t, term+"/only/there/file", "text\n")
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "mount /srv/term /mnt/term", "cat", "file")
	s.SetDir("/only/there")
	post(t, table, s, "term", term)
	s.mustStart(t)
	if out, errs, _ := s.output(t); out != "text\n" || errs != "" {
		t.Errorf("said %q and %q", out, errs)
	}
	s = newSessionOf(t, table, self(), "", "cat", "file")
	s.SetDir("/only/there")
	if err := s.Ctl(soon(t), []string{"start"}); err == nil || err.Error() != "cd /only/there: no such file or directory" {
		t.Errorf("without the terminal's files: %v", err)
	}
}

// TestSocketInSession is about 9P spoken in the session: through the socket of a posted service, and to any other socket.
func TestSocketInSession(t *testing.T) {
	needsFUSE(t)
	dir, term := tempDir(t), tempDir(t)
	write(t, term+"/file", "text\n")
	fs, err := exportfs.New(exportfs.Options{Root: term})
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	l, err := net.Listen("unix", dir+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			(&ninep.Server{Attacher: fs}).Serve(ctx, c)
		}
	}()
	defer func() { cancel(); l.Close(); <-served }()
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "mount $dir/socket $dir/a\n", "cat", "a/file")
	s.SetDir(dir)
	s.mustStart(t)
	if out, errs, _ := s.output(t); out != "text\n" || errs != "" {
		t.Errorf("through a socket of the server: %q, %q", out, errs)
	}
	s.Release()
	<-s.gone
	s.Hold()

	// A service's socket takes many conversations: bound elsewhere, it is a socket like any other.
	s = newSessionOf(t, table, self(), "bind '#s' $dir/srv\nmount $dir/srv/term $dir/a\nmount $dir/srv/term $dir/b\n", "cat", "a/file", "b/file")
	s.SetDir(dir)
	post(t, table, s, "term", term)
	s.mustStart(t)
	if out, errs, _ := s.output(t); out != "text\ntext\n" || errs != "" {
		t.Errorf("through the service's socket: %q, %q", out, errs)
	}
}

// TestPostLater posts a service while the command runs, and takes it away.
func TestPostLater(t *testing.T) {
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "", "sh", "-c", "while ! test -S /srv/late; do :; done; echo there; while test -S /srv/late; do :; done; echo gone")
	s.mustStart(t)
	ctx := soon(t)
	p, err := table.Announce(s.owner, s.number, "late")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := table.Announce(s.owner, s.number, "late"); err == nil {
		t.Error("a name can be taken twice")
	}
	b := make([]byte, 64)
	n, err := s.ReadStdout(ctx, b)
	if string(b[:n]) != "there\n" || err != nil {
		t.Fatalf("said %q, %v", b[:n], err)
	}
	p.Drop()
	if out, _, _ := s.output(t); out != "gone\n" {
		t.Errorf("said %q", out)
	}
	for _, name := range []string{"", "..", "a/b", strings.Repeat("x", 101)} {
		if _, err := table.Announce(s.owner, s.number, name); err == nil {
			t.Errorf("%q can be posted", name)
		}
	}
}

// TestTwoSessions is about sessions at the same time that each have their own files at the same name.
func TestTwoSessions(t *testing.T) {
	dir := tempDir(t)
	write(t, dir+"/1/name", "one\n")
	write(t, dir+"/2/name", "two\n")
	table := newTable(t, Config{})
	var sessions []*Session
	for _, n := range []string{"1", "2"} {
		s := newSessionOf(t, table, self(), "bind $dir/"+n+" $dir/at\nbind $dir/"+n+" /only-"+n, "sh", "-c", "read x; cat at/name; echo /only-*")
		s.SetDir(dir)
		s.mustStart(t)
		sessions = append(sessions, s)
	}
	for i, want := range []string{"one\n/only-1\n", "two\n/only-2\n"} {
		sessions[i].CloseStdin(false)
		if out, errs, _ := sessions[i].output(t); out != want || errs != "" {
			t.Errorf("session %d said %q and %q", i, out, errs)
		}
	}
	if _, err := os.Lstat(dir + "/at"); err == nil {
		t.Error("the mount point is on disk")
	}
}

// TestRebuild feeds the namespace that a session shows back to another.
func TestRebuild(t *testing.T) {
	dir := tempDir(t)
	write(t, dir+"/a b/name", "a\n")
	write(t, dir+"/c/name", "c\n")
	table := newTable(t, Config{})
	list := "cat x/name y/name /z/name; pwd; cut -d' ' -f5 /proc/self/mountinfo | sort"
	first := newSessionOf(t, table, self(), "bind -q /no/such /tmp\ncd $dir\nbind 'a b' x\nbind c x\nunmount c x\nbind '#U'$dir/c y\nbind $dir/y /z\ncd c\ncd ..", "sh", "-c", list)
	first.SetDir(dir)
	first.mustStart(t)
	want, errs, _ := first.output(t)
	if !strings.HasPrefix(want, "a\nc\nc\n"+dir+"\n") || errs != "" {
		t.Errorf("said %q and %q", want, errs)
	}
	ns, err := first.Namespace()
	if err != nil || !strings.HasSuffix(ns, "\ncd "+dir+"\n") {
		t.Fatalf("the namespace is %q, %v", ns, err)
	}
	second := newSessionOf(t, table, self(), ns, "sh", "-c", list)
	second.mustStart(t)
	if got, errs, _ := second.output(t); got != want || errs != "" {
		t.Errorf("rebuilt from\n%s\nit is\n%s\nnot\n%s\n%s", ns, got, want, errs)
	}
	if again, _ := second.Namespace(); again != ns {
		t.Errorf("the namespace is\n%s\nnot\n%s", again, ns)
	}
}

// TestEmptyRoot is the poorest server there is: a root with the program, /dev, /proc and an empty /tmp.
func TestEmptyRoot(t *testing.T) {
	if os.Getenv(emptyRoot) != "" {
		inEmptyRoot(t)
		return
	}
	needsRoot(t)
	needsFUSE(t)
	exe := tempDir(t) + "/cpud"
	buildStatic(t, exe)
	for _, how := range []string{"chroot", "chroot read-only", "pivot", "pivot read-only"} {
		t.Run(how, func(t *testing.T) {
			root := tempDir(t)
			out, err := inRoot(root, exe, how)
			if err != nil || !strings.Contains(out, "--- PASS: TestEmptyRoot ") {
				t.Errorf("%v\n%s", err, out)
			}
			left, _ := filepath.Glob(root + "/*")
			if len(left) != 0 {
				t.Errorf("on disk there is %q", left)
			}
		})
	}
}

// inEmptyRoot is what happens in such a root: all that the command is made of comes from what stands for the terminal.
func inEmptyRoot(t *testing.T) {
	table := newTable(t, Config{})
	for _, u := range []struct {
		name string
		tty  bool
	}{{"pipes", false}, {"terminal", true}} {
		t.Run(u.name, func(t *testing.T) {
			ns := "mount /srv/term /mnt/term\nbind /mnt/term/bin /bin\nbind /mnt/term/usr /usr\nbind /mnt/term/lib /lib\nbind -q /mnt/term/lib64 /lib64\nbind /mnt/term/etc /etc\ncd $dir"
			s := newSessionOf(t, table, self(), ns, "sh", "-c", "pwd; echo /*; test -c /dev/null && cat /etc/passwd | head -1")
			s.SetDir("/usr/bin")
			if u.tty {
				s.Ctl(soon(t), []string{"tty", "dumb", "24", "80"})
			}
			post(t, table, s, "term", "/tmp/host")
			s.mustStart(t)
			out, errs, st := s.output(t)
			out = strings.ReplaceAll(out, "\r", "")
			lines := strings.Split(out, "\n")
			if len(lines) != 4 || lines[0] != "/usr/bin" || !strings.HasPrefix(lines[2], "root:") || errs != "" || st.Code != 0 {
				t.Errorf("said %q and %q, %+v", out, errs, st)
			}
		})
	}
}

// TestGuest mounts with v9fs, in a kernel that has it.
func TestGuest(t *testing.T) {
	if os.Getenv(guest) != "" {
		inGuest(t)
		return
	}
	share := t.TempDir()
	buildStatic(t, share+"/session.test")
	out, status := umltest.Run(t, share, []string{guest + "=1"}, share+"/session.test", "-test.v", "-test.run=^(TestGuest|TestUnion)$")
	if status != "0" || !strings.Contains(out, "--- PASS: TestGuest ") || !strings.Contains(out, "--- PASS: TestUnion ") {
		t.Errorf("in the guest: exit status %s\n%s", status, out)
	}
}

// guest is set in the environment of a test that is in one.
const guest = "CPU_TEST_GUEST"

// inGuest is what happens there.
func inGuest(t *testing.T) {
	dir, term := tempDir(t), tempDir(t)
	write(t, term+"/deep/file", "text\n")
	table := newTable(t, Config{Mount: "v9fs"})
	s := newSessionOf(t, table, self(), "mount /srv/term /mnt/term\nmount /srv/term $dir/spec deep\nbind /mnt/term/deep $dir/here", "sh", "-c",
		"cat spec/file here/file; echo new > here/made; grep -c 'term .* 9p ' /proc/self/mounts")
	s.SetDir(dir)
	post(t, table, s, "term", term)
	s.mustStart(t)
	if out, errs, st := s.output(t); out != "text\ntext\n3\n" || errs != "" || st.Code != 0 {
		t.Errorf("said %q and %q, %+v", out, errs, st)
	}
	if b, err := os.ReadFile(term + "/deep/made"); string(b) != "new\n" {
		t.Errorf("the terminal got %q, %v", b, err)
	}
}

// TestIDs is about the user at the terminal, who is the session's user in the session, both ways.
func TestIDs(t *testing.T) {
	needsRoot(t)
	needsFUSE(t)
	term := tempDir(t)
	write(t, term+"/mine", "")
	write(t, term+"/other", "")
	if err := os.Chown(term+"/other", 12345, 12346); err != nil {
		t.Fatal(err)
	}
	table := newTable(t, Config{})
	s := newSessionOf(t, table, nobody(), "mount /srv/term /mnt/term\ncd /mnt/term", "sh", "-c", "stat -c %u:%g mine other; touch new; stat -c %u:%g new")
	for _, v := range []string{"termuid", "termgid"} {
		if err := s.Ctl(soon(t), []string{"var", v, "0"}); err != nil {
			t.Fatal(err)
		}
	}
	post(t, table, s, "term", term)
	s.mustStart(t)
	if out, errs, _ := s.output(t); out != "65534:65534\n12345:12346\n65534:65534\n" || errs != "" {
		t.Errorf("said %q and %q", out, errs)
	}
	if fi, err := os.Stat(term + "/new"); err != nil || fi.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("the terminal got %v, %v", fi, err)
	}
}

// TestCloseWhileBuilding ends sessions whose namespace waits for a terminal that says nothing.
func TestCloseWhileBuilding(t *testing.T) {
	needsFUSE(t)
	for _, how := range []string{"cancel", "close"} {
		table := newTable(t, Config{})
		s := newSessionOf(t, table, self(), "mount /srv/term /mnt/term", "true")
		p, err := table.Announce(s.owner, s.number, "term")
		if err != nil {
			t.Fatal(err)
		}
		defer p.Drop()
		ctx, cancel := context.WithCancel(soon(t))
		started := make(chan error, 1)
		go func() { started <- s.Ctl(ctx, []string{"start"}) }()
		for s.State() != ctlfs.Starting && ctx.Err() == nil {
			runtime.Gosched()
		}
		if how == "cancel" {
			cancel()
		} else {
			table.Close()
		}
		if err := <-started; err == nil {
			t.Errorf("%s: it started", how)
		}
		cancel()
	}
}

// TestDeadTerminal cuts the terminal off under a running command: what it has open fails at once, and the session ends as any other.
func TestDeadTerminal(t *testing.T) {
	needsFUSE(t)
	term := tempDir(t)
	write(t, term+"/file", "text\n")
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "mount /srv/term /mnt/term\ncd /mnt/term", "sh", "-c", "echo ready; read x; cat other; exit 5")
	hangUp := post(t, table, s, "term", term)
	s.mustStart(t)
	ctx := soon(t)
	if _, err := s.ReadStdout(ctx, make([]byte, 64)); err != nil {
		t.Fatal(err)
	}
	hangUp()
	s.CloseStdin(false)
	if out, errs, st := s.output(t); st.Code != 5 || !strings.Contains(errs, "rror") {
		t.Errorf("said %q and %q, %+v", out, errs, st)
	}
}

// TestControlTree is about a session that looks at itself, holds itself, and sends itself a note through the mounted control tree.
func TestControlTree(t *testing.T) {
	needsFUSE(t)
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "mount /srv/cpu /mnt/cpu", "sh", "-c",
		`cd /mnt/cpu/*/ && cat dir && tail -1 ns && exec 3<>ctl && trap 'echo got; exit 9' USR1 && echo usr1 >note; while :; do :; done`)
	if err := s.SetDir("/tmp"); err != nil {
		t.Fatal(err)
	}
	s.mustStart(t)
	if out, errs, st := s.output(t); out != "/tmp\ncd /tmp\ngot\n" || errs != "" || st.Code != 9 {
		t.Errorf("said %q and %q, %+v", out, errs, st)
	}
}

// TestOthers is a command of root's that becomes another user, who has what everybody may have, and nothing of root's.
func TestOthers(t *testing.T) {
	needsFUSE(t)
	needsRoot(t)
	term := tempDir(t)
	write(t, term+"/public", "public\n")
	write(t, term+"/secret", "secret\n")
	if err := os.Chmod(term+"/secret", 0o600); err != nil {
		t.Fatal(err)
	}
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "mount /srv/term /mnt/term\nmount /srv/cpu /mnt/cpu",
		"setpriv", "--reuid", "65534", "--clear-groups", "sh", "-c",
		`cd /mnt/term && cat public; cat secret; echo x >public; cd /mnt/cpu && n=$(echo [0-9]*); cat $n/ctl; echo kill >$n/ctl; cat clone`)
	post(t, table, s, "term", term)
	s.mustStart(t)
	out, errs, st := s.output(t)
	if n := len(regexp.MustCompile("(?i)permission denied\n").FindAllString(errs, -1)); n != 5 || out != "public\n" || st.Code != 1 {
		t.Errorf("said %q and %q, %+v", out, errs, st)
	}
}

// TestMountDiod mounts what a server that is not ours serves on a Unix socket of this machine.
func TestMountDiod(t *testing.T) {
	needsFUSE(t)
	diod, err := exec.LookPath("diod")
	if err != nil {
		if diod, err = exec.LookPath("/usr/sbin/diod"); err != nil { // not in every user's PATH
			t.Skip("diod is not installed: apt install diod")
		}
	}
	dir := tempDir(t)
	write(t, dir+"/tree/d/file", "text\n")
	c := exec.Command(diod, "-f", "-n", "-N", "-l", dir+"/socket", "-L", "stderr", "-c", os.DevNull, "-e", dir+"/tree")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { c.Wait(); close(exited) }()
	defer func() { c.Process.Kill(); <-exited }()
	for { // until it listens
		conn, err := net.Dial("unix", dir+"/socket")
		if err == nil {
			conn.Close()
			break
		}
		select {
		case <-exited:
			t.Fatal("diod has ended")
		default:
			runtime.Gosched()
		}
	}
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "mount $dir/socket $dir/m $dir/tree\nmount -bc $dir/socket $dir/u $dir/tree/d\n",
		"sh", "-c", "cat m/d/file u/file; echo new >m/new; echo joined >u/joined; mv m/new m/newer; ls m u")
	s.SetDir(dir)
	s.mustStart(t)
	s.CloseStdin(false)
	if out, errs, _ := s.output(t); out != "text\ntext\nm:\nd\nnewer\n\nu:\nfile\njoined\n" || errs != "" {
		t.Errorf("said %q and %q", out, errs)
	}
	if b, err := os.ReadFile(dir + "/tree/newer"); string(b) != "new\n" {
		t.Errorf("diod's tree has %q, %v", b, err)
	}
	if b, err := os.ReadFile(dir + "/tree/d/joined"); string(b) != "joined\n" {
		t.Errorf("diod's tree has %q, %v", b, err)
	}
}
