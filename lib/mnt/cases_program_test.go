//go:build linux

package mnt_test

import (
	"errors"
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

func execute(p place) {
	p.check(os.WriteFile(p.mnt+"/hello.c", []byte("#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n"), 0o644))
	out := p.sh("gcc -o hello hello.c; ./hello; cp hello h2; ./h2; printf '#!/bin/sh\\necho script\\n' >s; chmod +x s; ./s")
	p.want(out == "hello\nhello\nscript\n", "%q", out)
}

func git(p place) {
	p.sh(`git init -q r; cd r; git config user.name t; git config user.email t@example.org
		for i in 1 2 3 4 5 6 7 8 9; do echo $i >f$i; done; git add .; git commit -qm one
		git clone -q . ../s; cd ../s; git config user.name t; git config user.email t@example.org
		echo more >>f1; rm f2; git commit -qam two; git fsck --strict --no-progress; git status --short >../status
		test ! -s ../status; git push -q origin HEAD:refs/heads/two; cd ../r; git log --oneline two | wc -l | grep -qx 2
		cd ../s; git log --oneline | wc -l | grep -qx 2`)
	if !p.v9fs { // whose guest is slow
		p.sh("cd r; git gc -q; git fsck --strict --no-progress")
	}
}

func python(p place) {
	p.check(os.Mkdir(p.mnt+"/pkg", 0o755))
	p.check(os.WriteFile(p.mnt+"/pkg/__init__.py", []byte("x = 42\n"), 0o644))
	p.check(os.WriteFile(p.mnt+"/run.py", []byte("import json, pkg, sqlite3\n"+
		"d = sqlite3.connect('db'); d.execute('create table t(a)'); d.executemany('insert into t values (?)', [(i,) for i in range(1000)]); d.commit()\n"+
		"print(json.dumps(pkg.x), d.execute('select sum(a) from t').fetchone()[0])\n"), 0o644))
	out := p.sh("python3 run.py; ls pkg/__pycache__ | wc -l")
	p.want(out == "42 499500\n1\n", "%q", out)
}

func lockOf(typ int16, start, length int64) *unix.Flock_t {
	return &unix.Flock_t{Type: typ, Whence: io.SeekStart, Start: start, Len: length}
}

func locks(p place) {
	p.check(os.WriteFile(p.mnt+"/f", pattern(100), 0o644))
	f, err := os.OpenFile(p.mnt+"/f", os.O_RDWR, 0)
	p.check(err)
	g, err := os.OpenFile(p.tree+"/f", os.O_RDWR, 0)
	p.check(err)
	// Somebody at the far side, with a lock of its own.
	p.check(unix.FcntlFlock(g.Fd(), unix.F_OFD_SETLK, lockOf(unix.F_WRLCK, 50, 10)))
	err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, lockOf(unix.F_WRLCK, 55, 1))
	p.want(errors.Is(err, unix.EAGAIN), "a lock that is held: %v", err)
	p.check(unix.FcntlFlock(f.Fd(), unix.F_SETLK, lockOf(unix.F_WRLCK, 0, 10)))
	l := lockOf(unix.F_WRLCK, 5, 1)
	p.check(unix.FcntlFlock(g.Fd(), unix.F_OFD_GETLK, l))
	p.want(l.Type == unix.F_WRLCK, "our lock does not show at the far side: %+v", l)
	l = lockOf(unix.F_WRLCK, 52, 1)
	p.check(unix.FcntlFlock(f.Fd(), unix.F_GETLK, l))
	p.want(l.Type == unix.F_WRLCK && l.Start <= 52, "the far lock does not show: %+v", l)
	p.check(unix.FcntlFlock(f.Fd(), unix.F_SETLK, lockOf(unix.F_UNLCK, 0, 10)))
	p.check(unix.FcntlFlock(g.Fd(), unix.F_OFD_SETLK, lockOf(unix.F_WRLCK, 0, 10)))
	p.check(g.Close())
	p.check(unix.FcntlFlock(f.Fd(), unix.F_SETLK, lockOf(unix.F_RDLCK, 0, 0)))
	p.check(f.Close())
	// Between descriptions.
	a, err := os.OpenFile(p.mnt+"/f", os.O_RDWR, 0)
	p.check(err)
	b, err := os.OpenFile(p.mnt+"/f", os.O_RDWR, 0)
	p.check(err)
	p.check(unix.Flock(int(a.Fd()), unix.LOCK_EX|unix.LOCK_NB))
	err = unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	p.want(errors.Is(err, unix.EAGAIN), "flock that is held: %v", err)
	p.check(a.Close())
	p.until("the lock is free", func() bool { return unix.Flock(int(b.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil })
	p.check(b.Close())
}

func lockWait(p place) {
	p.check(os.WriteFile(p.mnt+"/f", nil, 0o644))
	g, err := os.OpenFile(p.tree+"/f", os.O_RDWR, 0)
	p.check(err)
	p.check(unix.FcntlFlock(g.Fd(), unix.F_OFD_SETLK, lockOf(unix.F_WRLCK, 0, 0)))
	f, err := os.OpenFile(p.mnt+"/f", os.O_RDWR, 0)
	p.check(err)
	var free atomic.Bool
	got := make(chan error, 1)
	go func() {
		err := unix.FcntlFlock(f.Fd(), unix.F_SETLKW, lockOf(unix.F_WRLCK, 0, 0))
		if err == nil && !free.Load() {
			err = errors.New("got a lock that was held")
		}
		got <- err
	}()
	free.Store(true)
	p.check(unix.FcntlFlock(g.Fd(), unix.F_OFD_SETLK, lockOf(unix.F_UNLCK, 0, 0)))
	p.check(<-got)
	p.check(f.Close())
}

func lockExit(p place) {
	p.sh(`: >f; command -v flock >/dev/null || exit 0
		flock f true
		exec 9>f; flock 9; ! flock -n f true; exec 9>&-
		flock -w 60 f true`)
}
