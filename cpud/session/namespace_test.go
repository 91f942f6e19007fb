//go:build linux

package session

import (
	"os"
	"path/filepath"
	"testing"
)

func TestBind(t *testing.T) {
	dir := tempDir(t)
	write(t, dir+"/a/name", "a\n")
	write(t, dir+"/b/name", "b\n")
	write(t, dir+"/links/n", "")
	for name, target := range map[string]string{"dir": "../a", "file": "../a/name", "dead": dir + "/no/where"} {
		if err := os.Symlink(target, dir+"/links/"+name); err != nil {
			t.Fatal(err)
		}
	}
	table := newTable(t, Config{})
	for _, c := range []struct{ name, ns, cmd, want string }{
		{"none", "", "cat a/name", "a\n"},
		{"directory", "bind $dir/b $dir/a", "cat a/name", "b\n"},
		{"file", "bind $dir/b/name $dir/a/name", "cat a/name", "b\n"},
		{"relative", "cd $dir\nbind b a", "cat a/name", "b\n"},
		{"again", "bind $dir/b $dir/a\nbind '#U'$dir/a $dir/a", "cat a/name", "a\n"},
		{"unmount", "bind $dir/b $dir/a\nunmount $dir/a", "cat a/name", "a\n"},
		{"unmount one", "bind $dir/b $dir/a\nunmount $dir/b $dir/a", "cat a/name", "a\n"},
		{"missing directory", "bind $dir/b $dir/c/d/e", "cat c/d/e/name; ls", "b\na\nb\nc\nlinks\n"},
		{"missing file", "bind $dir/b/name $dir/n", "cat n", "b\n"},
		{"missing at the root", "bind $dir/b /no/such", "cat /no/such/name; cat a/name; cat < /dev/null", "b\na\n"},
		{"twice at the root", "bind $dir/b /no/such\nbind '#U'$dir/a /other\nbind /no/such $dir/x", "cat /no/such/name /other/name x/name", "b\na\nb\n"},
		{"link to a directory", "bind $dir/b $dir/links/dir", "cat links/dir/name links/file a/name", "b\na\na\n"},
		{"link to a file", "bind $dir/b/name $dir/links/file", "cat links/file a/name links/dir/name", "b\nb\nb\n"},
		{"link to nothing", "bind $dir/b $dir/links/dead", "cat links/dead/name", "b\n"},
		{"link to no file", "bind $dir/b/name $dir/links/dead", "cat links/dead no/where", "b\nb\n"},
		{"link in between", "bind $dir/b $dir/links/dir/made", "cat a/made/name", "b\n"},
		{"missing in a copy of the root", "bind '#U' $dir/a\nbind $dir/b $dir/a/no/such", "cat a/no/such/name; test ! -e /no", "b\n"},
		{"quiet", "bind -q /no/such /other\nbind -q $nosuch /x", "ls -d /other /x 2>/dev/null; cat a/name", "a\n"},
		{"cd", "cd $dir/b", "cat name", "b\n"},
		{"dot", ". $dir/ns", "cat a/name", "b\n"},
		{"proc", "bind '#p' $dir/a", "test -e a/self/status && echo y", "y\n"},
		{"dev", "bind '#c'/null $dir/a/name", "cat a/name", ""},
		{"env", "bind '#e' $dir/a", "cat a/COLOUR", "green"},
		{"env file", "bind '#e/COLOUR' $dir/a/name", "cat a/name", "green"},
		{"descriptors", "bind '#d' $dir/a", "echo y | cat a/0", "y\n"},
		{"srv", "bind '#s' $dir/a", "ls a", "cpu\n"},
		{"clear", "clear\nbind '#U'$dir/b /b\nbind '#U/usr' /usr\nbind '#U/lib' /lib\nbind '#U/lib64' /lib64\nbind '#U/bin' /bin\ncd /", "cat b/name; echo *", "b\nb bin lib lib64 srv usr\n"},
		{"chdev", "chdev -r U\nbind -q '#U'$dir/b $dir/a\nbind '#s' $dir/b", "cat a/name; ls b", "a\ncpu\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(t, dir+"/ns", "bind $dir/b $dir/a\n")
			s := newSessionOf(t, table, self(), c.ns, "sh", "-c", c.cmd)
			defer os.Remove(dir + "/ns")
			s.SetDir(dir)
			s.SetEnv([]string{"COLOUR=green"})
			if c.name != "dot" {
				os.Remove(dir + "/ns")
			}
			s.mustStart(t)
			s.CloseStdin(false)
			out, errs, st := s.output(t)
			if out != c.want || errs != "" || st.Code != 0 {
				t.Errorf("said %q and %q, want %q, %+v", out, errs, c.want, st)
			}
		})
	}
	// Nothing of this has touched the disk.
	names, err := filepath.Glob(dir + "/*")
	if err != nil || len(names) != 3 {
		t.Errorf("on disk there is %q, %v", names, err)
	}
	for _, name := range []string{"/no", "/other"} {
		if _, err := os.Lstat(name); err == nil {
			t.Errorf("%s is on disk", name)
		}
	}
}

// TestDisk is about what a session writes: it reaches the server's disk through every entry of a directory that was covered.
func TestDisk(t *testing.T) {
	dir := tempDir(t)
	write(t, dir+"/d/f", "old\n")
	write(t, dir+"/g", "old\n")
	if err := os.Symlink("d/f", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "bind $dir/d $dir/missing/point\nbind /tmp /at-the-root", "sh", "-c", "echo new > d/n; echo new > g; cat link; echo here > h")
	s.SetDir(dir)
	s.mustStart(t)
	if out, errs, st := s.output(t); out != "old\n" || errs != "" || st.Code != 0 {
		t.Errorf("said %q and %q, %+v", out, errs, st)
	}
	for _, name := range []string{"d/n", "g"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); string(b) != "new\n" {
			t.Errorf("%s holds %q, %v", name, b, err)
		}
	}
	if _, err := os.Lstat(dir + "/missing"); err == nil {
		t.Error("the mount point is on disk")
	}
}

func TestFailingLines(t *testing.T) {
	dir := tempDir(t)
	write(t, dir+"/file", "")
	table := newTable(t, Config{})
	for _, c := range []struct{ ns, want string }{
		{"bind /tmp /tmp\nbind /no/such /usr", "ns:2: bind /no/such /usr: no such file or directory"},
		{"#line 7 default\nbind /no/such /usr", "default:7: bind /no/such /usr: no such file or directory"},
		{"bind $nosuch /usr", "ns:1: bind $nosuch /usr: $nosuch: undefined variable"},
		{"bind $dir/file $dir", "ns:1: bind " + dir + "/file " + dir + ": " + dir + ": is a directory"},
		{"bind $dir $dir/file", "ns:1: bind " + dir + " " + dir + "/file: " + dir + "/file: not a directory"},
		{"bind $dir $dir/file/x", "ns:1: bind " + dir + " " + dir + "/file/x: " + dir + "/file/x: not a directory"},
		{"bind /proc/self/root /tmp", "ns:1: bind /proc/self/root /tmp: too many levels of symbolic links"},
		{"bind '#x' /tmp", "ns:1: bind #x /tmp: #x: unknown device"},
		{"chdev -n x\nbind '#U' /tmp", "ns:2: bind #U /tmp: #U: operation not permitted"},
		{"mount /srv/none /mnt/term", "ns:1: mount /srv/none /mnt/term: no such file or directory"},
		{"mount $dir/file /mnt/term", "ns:1: mount " + dir + "/file /mnt/term: connection refused"},
		{"unmount /tmp", "ns:1: unmount /tmp: nothing is mounted there"},
		{"cd /no/such", "ns:1: cd /no/such: no such file or directory"},
		{"frob /a /b", "ns:1: frob: unknown operation"},
		{". $dir", "ns:1: . " + dir + ": not a regular file"},
	} {
		s := newSessionOf(t, table, self(), c.ns, "true")
		s.SetDir(dir)
		err := s.Ctl(soon(t), []string{"start"})
		if err == nil || err.Error() != c.want || s.Err() != c.want {
			t.Errorf("%q\ngave %v\nwant %s", c.ns, err, c.want)
		}
		if _, _, st := s.output(t); st.Exit != "exit 1" || st.Code != 1 {
			t.Errorf("%q: %+v", c.ns, st)
		}
	}
}

func TestOrdinaryUser(t *testing.T) {
	asOrdinary(t, "TestExit", "TestStreams", "TestBind", "TestDisk", "TestFailingLines", "TestMount", "TestNotes", "TestTerminal", "TestNothingLeft", "TestRebuild")
}
