//go:build linux

package session

import (
	"os"
	"strings"
	"testing"

	"cpu/ctlfs"
)

// unionDirs makes three directories that overlap.
func unionDirs(t *testing.T) string {
	t.Helper()
	dir := tempDir(t)
	write(t, dir+"/a/one", "a one\n")
	write(t, dir+"/a/both", "a both\n")
	write(t, dir+"/a/sub/of-a", "a\n")
	write(t, dir+"/b/two", "b two\n")
	write(t, dir+"/b/both", "b both\n")
	write(t, dir+"/b/sub/of-b", "b\n")
	write(t, dir+"/c/three", "c three\n")
	if os.Getuid() == 0 {
		for _, d := range []string{"a", "b", "c"} {
			if err := os.Chmod(dir+"/"+d, 0o777); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func TestUnion(t *testing.T) {
	needsFUSE(t)
	for _, test := range []struct{ name, ns, command, want string }{
		{"after", "bind -a $dir/b $dir/a", "ls a; cat a/both a/two; ls a/sub", "both\none\nsub\ntwo\na both\nb two\nof-a\n"},
		{"before", "bind -b $dir/b $dir/a", "ls a; cat a/both a/one; ls a/sub", "both\none\nsub\ntwo\nb both\na one\nof-b\n"},
		{"three", "bind -a $dir/b $dir/a\nbind -b $dir/c $dir/a", "ls a; cat a/both a/three", "both\none\nsub\nthree\ntwo\na both\nc three\n"},
		{"forbidden", "bind -b $dir/b $dir/a", "touch a/new 2>&1 | sed 's/.*: //'; ls b a | grep new", "Operation not permitted\n"},
		{"create", "bind -a $dir/b $dir/a\nbind -ac $dir/c $dir/a", "echo new >a/new; mkdir a/d; ls c; cat c/new", "d\nnew\nthree\nnew\n"},
		{"write in place", "bind -b $dir/b $dir/a", "echo more >>a/both; echo x >a/one; cat b/both; cat a/one", "b both\nmore\nx\n"},
		{"remove uncovers", "bind -bc $dir/b $dir/a", "rm a/both; cat a/both", "a both\n"},
		{"rename", "bind -b $dir/b $dir/a", "mv a/two a/deux; mv a/one a/un; ls a; ls b", "both\ndeux\nsub\nun\nboth\ndeux\nsub\n"},
		{"rename below", "bind -b $dir/b $dir/a", "mv a/two a/sub/two; ls b/sub", "of-b\ntwo\n"},
		{"unmount one", "bind -a $dir/b $dir/a\nbind -a $dir/c $dir/a\nunmount $dir/b $dir/a", "ls a", "both\none\nsub\nthree\n"},
		{"unmount the last", "bind -a $dir/b $dir/a\nunmount $dir/b $dir/a", "ls a; touch a/plain; stat -f -c %T a | grep -c fuse", "both\none\nsub\n0\n"},
		{"unmount what was there", "bind -a $dir/b $dir/a\nunmount $dir/a $dir/a", "ls a", "both\nsub\ntwo\n"},
		{"unmount all", "bind $dir/c $dir/a\nbind -a $dir/b $dir/a\nunmount $dir/a", "ls a", "both\none\nsub\n"},
		{"over a bind", "bind $dir/c $dir/a\nbind -a $dir/b $dir/a", "ls a", "both\nsub\nthree\ntwo\n"},
		{"under a bind", "bind -a $dir/b $dir/a\nbind $dir/c $dir/a\nbind -a $dir/b $dir/a", "ls a", "both\nsub\nthree\ntwo\n"},
		{"of unions", "bind -a $dir/b $dir/a\nbind -a $dir/a $dir/c", "ls c; cat c/both", "both\none\nsub\nthree\ntwo\na both\n"},
		{"missing", "bind -a $dir/b $dir/new/place", "ls new/place", "both\nsub\ntwo\n"},
		{"then another root", "bind -a $dir/b $dir/a\nbind $dir/c /not/there/before", "ls a; cat a/two", "both\none\nsub\ntwo\nb two\n"},
		{"a file", "bind -aq $dir/b/two $dir/a\nbind -aq $dir/b $dir/a/one", "ls a", "both\none\nsub\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Config{}
			if os.Getenv(guest) != "" {
				c.Mount = "v9fs"
			}
			table := newTable(t, c)
			s := newSessionOf(t, table, self(), test.ns+"\ncd $dir\n", "sh", "-c", test.command)
			s.SetDir(unionDirs(t))
			s.mustStart(t)
			s.CloseStdin(false)
			out, errs, st := s.output(t)
			if out != test.want || errs != "" {
				t.Errorf("said %q and %q, %+v, want %q", out, errs, st, test.want)
			}
		})
	}
}

// TestUnionSpared: a note to all of a session is not for what serves its unions.
func TestUnionSpared(t *testing.T) {
	needsFUSE(t)
	dir := unionDirs(t)
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "bind -a "+dir+"/b "+dir+"/a", "sh", "-c", "trap 'ls "+dir+"/a; exit 0' TERM; echo ready; while :; do read x; done")
	s.mustStart(t)
	s.ReadStdout(soon(t), make([]byte, 64))
	if err := s.Note("term", true); err != nil {
		t.Fatal(err)
	}
	s.CloseStdin(false)
	if out, errs, st := s.output(t); out != "both\none\nsub\ntwo\n" || errs != "" || st.Code != 0 {
		t.Errorf("said %q and %q, %+v", out, errs, st)
	}
}

// TestUnionProgram runs programs from a union over a directory that is in use, as one would over /bin: some are the server's own.
func TestUnionProgram(t *testing.T) {
	needsFUSE(t)
	term := tempDir(t)
	write(t, term+"/bin/tool", "#!/bin/sh\necho tool: $(basename /a/b) $0\n")
	if err := os.Chmod(term+"/bin/tool", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, term+"/bin/true", "hides it")
	table := newTable(t, Config{})
	s := newSessionOf(t, table, self(), "mount /srv/term /mnt/term\nbind -a /mnt/term/bin /usr/bin\nmount -b /srv/term /usr/lib/ours bin\n",
		"sh", "-c", "tool; /usr/bin/true && ls /usr/bin >/dev/null && ls /usr/lib/ours && echo good")
	s.SetEnv([]string{"PATH=/usr/bin:/bin"})
	post(t, table, s, "term", term)
	s.mustStart(t)
	s.CloseStdin(false)
	out, errs, st := s.output(t)
	if want := "tool: b /usr/bin/tool\ntool\ntrue\ngood\n"; out != want || errs != "" {
		t.Errorf("said %q and %q, %+v, want %q", out, errs, st, want)
	}
}

// TestUnionReadBack builds a namespace, and again from what it says of itself.
func TestUnionReadBack(t *testing.T) {
	needsFUSE(t)
	term := tempDir(t)
	write(t, term+"/d/far", "far\n")
	dir := unionDirs(t)
	ns := "chdev -r c\nmount /srv/term /mnt/term\nbind -a $dir/b $dir/a\nbind -bc $dir/c $dir/a\nmount -a /srv/term $dir/a d\n" +
		"bind -a $dir/b $dir/c\nunmount $dir/b $dir/c\nbind $dir/b /else/where\ncd $dir\n"
	list := "find . /else /mnt/term | sort; awk '{print $2}' /proc/self/mounts | grep -c " + dir
	build := func(ns string) (built, out string) {
		table := newTable(t, Config{})
		s := newSessionOf(t, table, self(), ns, "sh", "-c", list)
		s.SetDir(dir)
		post(t, table, s, "term", term)
		s.mustStart(t)
		s.CloseStdin(false)
		built, _ = s.Namespace()
		out, errs, _ := s.output(t)
		if errs != "" {
			t.Errorf("%s", errs)
		}
		return built, out
	}
	built, out := build(ns)
	again, outAgain := build(built)
	if !strings.Contains(out, "./a/far\n") || !strings.Contains(out, "./a/three\n") {
		t.Errorf("the namespace has not all of it: %s", out)
	}
	if built != again {
		t.Errorf("built\n%s\nand from that\n%s", built, again)
	}
	if out != outAgain {
		t.Errorf("a listing of one\n%s\nof the other\n%s", out, outAgain)
	}
}

// TestUnionRights is about a union that root's daemon makes for another user: its server is that user.
func TestUnionRights(t *testing.T) {
	needsFUSE(t)
	needsRoot(t)
	dir := unionDirs(t)
	write(t, dir+"/a/secret", "secret\n")
	if err := os.Chmod(dir+"/a/secret", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		user    ctlfs.User
		command []string
	}{
		{nobody(), []string{"cat", dir + "/a/secret"}},
		// A command of root's that has given its rights up does not have them in a union either.
		{self(), []string{"setpriv", "--reuid=65534", "--clear-groups", "cat", dir + "/a/secret"}},
	} {
		table := newTable(t, Config{})
		s := newSessionOf(t, table, test.user, "bind -a "+dir+"/b "+dir+"/a", test.command...)
		s.mustStart(t)
		s.CloseStdin(false)
		if out, errs, st := s.output(t); st.Code != 1 || !strings.Contains(errs, "Permission denied") {
			t.Errorf("%q as %s: %q, %q, %+v", test.command, test.user.Name, out, errs, st)
		}
	}
}

func TestUnionAsOrdinaryUser(t *testing.T) {
	asOrdinary(t, "TestUnion", "TestUnionProgram", "TestUnionReadBack")
}
