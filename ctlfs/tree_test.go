package ctlfs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// list gives the names in a directory, read a few at a time, with their modes and owners.
func list(t *testing.T, dir p9.File, path ...string) []string {
	t.Helper()
	_, f, err := dir.Walk(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, _, err := f.Open(p9.ReadOnly); err != nil {
		t.Fatal(err)
	}
	var all []string
	offset := uint64(0)
	for {
		entries, err := f.(ninep.AttrReaddirer).ReaddirAttr(offset, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			return all
		}
		for _, e := range entries {
			if e.Name == "." || e.Name == ".." {
				continue
			}
			all = append(all, fmt.Sprintf("%s %o %d.%d", e.Name, e.Attr.Mode, e.Attr.UID, e.Attr.GID))
			if e.Attr.Size != 0 || e.QID.Version != 0 {
				t.Errorf("%s has size %d, version %d", e.Name, e.Attr.Size, e.QID.Version)
			}
		}
		offset = entries[len(entries)-1].Offset
	}
}

func TestLayout(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		h := newHost(t)
		dir, _ := attach(t, h, glenda, version)
		n, ctl := clone(t, dir)
		clone(t, dir)
		want := []string{"clone 100600 1000.100", "ctl 100400 1000.100", "events 100400 1000.100", "stats 100400 1000.100",
			"1 40500 1000.100", "2 40500 1000.100"}
		if got := list(t, dir); !slices.Equal(got, want) {
			t.Errorf("/ has %q, want %q", got, want)
		}
		rw, r, w := " 100600 1000.100", " 100400 1000.100", " 100200 1000.100"
		want = []string{"ctl" + rw, "args" + rw, "env" + rw, "dir" + rw, "ns" + rw, "note" + rw, "notepg" + rw, "wait" + r, "status" + r,
			"errstr" + r, "stdin" + w, "stdout" + r, "stderr" + r, "stats" + r}
		if got := list(t, dir, n); !slices.Equal(got, want) {
			t.Errorf("/%s has %q, want %q", n, got, want)
		}
		if _, err := ctl.WriteAt([]byte("tty vt100 24 80"), 0); err != nil {
			t.Fatal(err)
		}
		want = append(want, "cons"+rw, "consctl"+rw)
		if got := list(t, dir, n); !slices.Equal(got, want) {
			t.Errorf("with a terminal /%s has %q, want %q", n, got, want)
		}
		top, _ := attach(t, h, root, version)
		if got := list(t, top)[1]; got != "ctl 100600 0.0" {
			t.Errorf("root's ctl is %s", got)
		}
	})
}

// What cannot be walked to is not there, whatever the reason.
func TestWalk(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		dir, _ := attach(t, newHost(t), glenda, version)
		n, _ := clone(t, dir)
		for _, path := range []string{"nope", "0", "7", "01", "-1", "+" + n, n + "/nope", n + "/cons", n + "/consctl", n + "/" + n, "99999999999999999999"} {
			_, _, err := dir.Walk(strings.Split(path, "/"))
			wantErrno(t, err, linux.ENOENT, path)
		}
		_, same, err := dir.Walk(nil)
		must(t, err)
		defer same.Close()
		must(t, write(same, n+"/dir", "/tmp"))
	})
}

// The tree is not one to make, remove or rename files in, nor to change their modes.
func TestFixed(t *testing.T) {
	dir, _ := attach(t, newHost(t), glenda, ninep.Version9P2000L)
	n, _ := clone(t, dir)
	_, err := dir.Mkdir("d", 0o755, 0, 0)
	wantErrno(t, err, linux.EPERM, "mkdir")
	_, _, _, err = dir.Create("f", p9.WriteOnly, 0o644, 0, 0)
	wantErrno(t, err, linux.EPERM, "create")
	wantErrno(t, dir.UnlinkAt("clone", 0), linux.EPERM, "unlink")
	_, f, err := dir.Walk([]string{n, "args"})
	must(t, err)
	defer f.Close()
	wantErrno(t, f.SetAttr(p9.SetAttrMask{Permissions: true}, p9.SetAttr{Permissions: 0o777}), linux.EPERM, "chmod")
	wantErrno(t, f.SetAttr(p9.SetAttrMask{UID: true}, p9.SetAttr{UID: 7}), linux.EPERM, "chown")
	wantErrno(t, f.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{Size: 7}), linux.EINVAL, "truncate to 7")
	must(t, f.SetAttr(p9.SetAttrMask{MTime: true}, p9.SetAttr{}))
	for path, mode := range map[string]p9.OpenFlags{
		n + "/wait": p9.WriteOnly, n + "/stdout": p9.ReadWrite, n + "/stdin": p9.ReadOnly, "stats": p9.WriteOnly, "ctl": p9.ReadWrite,
	} {
		_, err := tryOpen(dir, path, mode)
		wantErrno(t, err, linux.EACCES, path)
	}
	_, err = tryOpen(dir, n, p9.WriteOnly)
	wantErrno(t, err, linux.EISDIR, "a directory for writing")
}

// Sessions are their owner's, and root's. From another connection of the owner's they can be administered.
func TestRights(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		h := newHost(t)
		mine, _ := attach(t, h, glenda, version)
		n, ctl := clone(t, mine)
		must(t, write(mine, n+"/args", "notes"))
		if _, err := ctl.WriteAt([]byte("start"), 0); err != nil {
			t.Fatal(err)
		}

		others, _ := attach(t, h, rob, version)
		if names := list(t, others); len(names) != 4 {
			t.Errorf("another user sees %q", names)
		}
		for _, path := range []string{n, n + "/ctl", n + "/stdout"} {
			_, _, err := others.Walk(strings.Split(path, "/"))
			wantErrno(t, err, linux.ENOENT, "another user's "+path)
		}
		wantErrno(t, writeMode(others, "ctl", "drain", p9.WriteOnly), linux.EACCES, "drain by another")

		again, _ := attach(t, h, glenda, version)
		must(t, write(again, n+"/ctl", "note usr1\n"))
		if got := read(t, again, n+"/ctl"); got != n+" glenda running\n" {
			t.Errorf("ctl reads %q", got)
		}
		top, _ := attach(t, h, root, version)
		must(t, write(top, n+"/ctl", "hangup\n"))
		if got := read(t, mine, n+"/stdout"); got != "usr1\nhangup\n" {
			t.Errorf("the command got the notes %q", got)
		}
		if got := read(t, top, n+"/wait"); !strings.HasSuffix(got, "'signal 1'\n") {
			t.Errorf("wait gives %q", got)
		}
		must(t, write(top, "ctl", "drain\n"))
		_, err := tryOpen(mine, "clone", p9.ReadWrite)
		wantErrno(t, err, linux.EAGAIN, "clone while draining")
		wantErrno(t, write(top, "ctl", "no such\n"), linux.EINVAL, "an unknown command to the daemon")
	})
}

// A session is there until its ctl fid is clunked, and then nothing of it.
func TestGone(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		h := newHost(t)
		dir, stats := attach(t, h, glenda, version)
		fids := stats.Fids.Load()
		n, ctl := clone(t, dir)
		_, s, err := dir.Walk([]string{n})
		must(t, err)
		_, args, err := dir.Walk([]string{n, "args"})
		must(t, err)
		must(t, write(dir, n+"/args", "notes"))
		must(t, writeMode(dir, n+"/ctl", "start", p9.WriteOnly))
		read(t, dir, n+"/ctl") // a hold that comes and goes changes nothing
		must(t, ctl.Close())
		if names := list(t, dir); len(names) != 4 {
			t.Errorf("there is still %q", names)
		}
		_, _, err = s.Walk([]string{"ctl"})
		wantErrno(t, err, linux.ENOENT, "a walk in a session that is gone")
		_, _, err = args.Open(p9.ReadOnly)
		wantErrno(t, err, linux.ENOENT, "an open of a file that is gone")
		s.Close()
		args.Close()
		h.Close()
		until(t, "no fid is left", func() bool { return stats.Fids.Load() == fids })
	})
}

// A session that is kept outlives its connection, and can be taken up from another.
func TestKeep(t *testing.T) {
	h := newHost(t)
	conn, _ := serve(t, h, glenda)
	c, err := ninep.NewClient(soon(t), conn, ninep.ClientConfig{})
	must(t, err)
	dir, err := c.Attach(soon(t), ninep.Attach{UID: p9.NoUID})
	must(t, err)
	n, ctl := clone(t, dir)
	must(t, write(dir, n+"/args", "cat"))
	_, err = ctl.WriteAt([]byte("start\nkeep\n"), 0)
	must(t, err)
	must(t, writeMode(dir, n+"/stdin", "kept", p9.WriteOnly))
	c.Close()

	again, _ := attach(t, h, glenda, ninep.VersionCPU)
	if got := read(t, again, n+"/stdout"); got != "kept" {
		t.Errorf("its output is %q", got)
	}
	held := open(t, again, n+"/ctl", p9.ReadWrite)
	_, err = held.WriteAt([]byte("unkeep"), 0)
	must(t, err)
	held.Close()
	until(t, "the session is gone", func() bool { return len(list(t, again)) == 4 }) // the first connection's end may take a moment
}

// The files of the daemon: ctl, stats and events.
func TestDaemon(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		h := newHost(t)
		dir, _ := attach(t, h, glenda, version)
		events := open(t, dir, "events", p9.ReadOnly)
		n, _ := clone(t, dir)
		if got := read(t, dir, "ctl"); got != "version test\nsessions 1\n" {
			t.Errorf("ctl reads %q", got)
		}
		if got := read(t, dir, "stats"); got != "started 1\n" {
			t.Errorf("stats reads %q", got)
		}
		if got := read(t, dir, n+"/stats"); got != "requests 0\n" {
			t.Errorf("the session's stats read %q", got)
		}
		must(t, write(dir, n+"/args", "true"))
		must(t, writeMode(dir, n+"/ctl", "start", p9.WriteOnly))
		var got string
		p := make([]byte, 7) // less than a line
		for !strings.HasSuffix(got, "ended\n") {
			k, err := events.(ninep.ContextFile).WithContext(soon(t)).ReadAt(p, 0)
			must(t, err)
			got += string(p[:k])
		}
		if want := n + " glenda started\n" + n + " glenda ended\n"; got != want {
			t.Errorf("events gave %q, want %q", got, want)
		}
		events.Close()
		until(t, "nobody watches", func() bool { return h.Watching() == 0 })
	})
}
