//go:build linux

package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The search path where the environment has none.
const (
	rootPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	userPath = "/usr/local/bin:/usr/bin:/bin:/usr/games"
)

const defaultShell = "/bin/sh"

// Exit statuses for a command that could not be run, as shells have them.
const (
	statusNotFound      = 127
	statusNotExecutable = 126
)

// environ is the command's environment: what the session was given, and what a login gives where that says nothing.
func (s *setup) environ() []string {
	p := userPath
	if s.UID == 0 {
		p = rootPath
	}
	shell := s.Shell
	if shell == "" {
		shell = defaultShell
	}
	home := s.Home
	if home == "" {
		home = "/"
	}
	env := slices.Clone(s.Env)
	for _, d := range [][2]string{{"HOME", home}, {"USER", s.Name}, {"LOGNAME", s.Name}, {"SHELL", shell}, {"PATH", p}} {
		if _, ok := lookupEnv(env, d[0]); !ok {
			env = append(env, d[0]+"="+d[1])
		}
	}
	if s.TTY && s.Term != "" {
		env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, "TERM=") })
		env = append(env, "TERM="+s.Term)
	}
	return env
}

// enterDir goes to the directory that the command starts in: where a cd line led, else the session's own, which may also be a directory
// of the terminal, else the user's home.
func (b *builder) enterDir() error {
	if !b.cd && b.setup.Dir != "" {
		dir := path.Join("/", b.setup.Dir)
		if err := b.Cd(context.Background(), dir); err != nil {
			return fmt.Errorf("cd %s: %w", b.setup.Dir, err)
		}
	} else if !b.cd && b.setup.Home != "" {
		if home := path.Join("/", b.setup.Home); b.chdir(home) == nil {
			b.dir = home
		}
	}
	err := b.user.as(func() error { return unix.Chdir(b.dir) })
	if err != nil {
		return fmt.Errorf("cd %s: %w", b.dir, err)
	}
	return nil
}

// program finds the command's file in the namespace, as the user. No arguments at all are the user's shell, as at a login.
func (b *builder) program(env []string) (file string, args []string, err error) {
	args = b.setup.Args
	if len(args) == 0 {
		return b.shell(env)
	}
	name := args[0]
	if strings.Contains(name, "/") {
		err = b.executable(name)
		return name, args, runError(name, err)
	}
	search, _ := lookupEnv(env, "PATH")
	err = unix.ENOENT
	for _, dir := range strings.Split(search, ":") {
		if name == "" {
			break
		}
		if dir == "" {
			dir = "."
		}
		file = dir + "/" + name
		switch e := b.executable(file); e {
		case nil:
			return file, args, nil
		case unix.ENOENT, unix.ENOTDIR:
		default:
			err = e // one that is there but may not be run; a later one may do
		}
	}
	return "", nil, runError(name, err)
}

// shell is the user's shell, or sh where the namespace does not have it.
func (b *builder) shell(env []string) (file string, args []string, err error) {
	file, _ = lookupEnv(env, "SHELL")
	err = b.executable(file)
	if err != nil && file != defaultShell {
		if b.executable(defaultShell) == nil {
			file, err = defaultShell, nil
		}
	}
	return file, []string{"-" + path.Base(file)}, runError(file, err)
}

// executable says whether the user may run the file.
func (b *builder) executable(file string) error {
	return b.user.as(func() error {
		var st unix.Stat_t
		if err := unix.Stat(file, &st); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFREG {
			return unix.EACCES
		}
		err := unix.Faccessat2(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS)
		if err == unix.ENOSYS && st.Mode&0o111 != 0 {
			return nil
		}
		return err
	})
}

// runError words an error about a command, and has its exit status.
func runError(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		if !strings.Contains(name, "/") {
			return &statusError{fmt.Errorf("%s: command not found", name), statusNotFound}
		}
		return &statusError{fmt.Errorf("%s: %w", name, err), statusNotFound}
	}
	return &statusError{fmt.Errorf("%s: %w", name, err), statusNotExecutable}
}

// start runs the command on those descriptors. The calling thread must live as long as the helper: the command is killed with it.
func (b *builder) start(stdio [3]*os.File) (pid, pidfd int, err error) {
	env := b.setup.environ()
	file, args, err := b.program(env)
	if err != nil {
		return 0, -1, err
	}
	if b.changed && b.setup.Become && b.setup.UID != 0 {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return 0, -1, os.NewSyscallError("prctl", err)
		}
	}
	attr := &syscall.ProcAttr{Env: env, Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, PidFD: &pidfd}}
	for _, f := range stdio {
		attr.Files = append(attr.Files, f.Fd())
	}
	if b.setup.TTY {
		attr.Sys.Setctty = true
		attr.Sys.Ctty = 0
	}
	if b.setup.Become {
		attr.Sys.Credential = &syscall.Credential{Uid: b.setup.UID, Gid: b.setup.GID, Groups: b.setup.Groups}
	}
	pid, err = syscall.ForkExec(file, args, attr)
	if err == syscall.ENOEXEC { // a script that does not say whose
		pid, err = syscall.ForkExec(defaultShell, append([]string{"sh", file}, args[1:]...), attr)
	}
	return pid, pidfd, runError(file, err)
}
