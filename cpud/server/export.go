//go:build linux

package server

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"cpu/cpud/dialer"
	"cpu/cpud/session"
	"cpu/exportfs"
	"cpu/lib/ninep"
)

// exportName tells this program, started again, that it is to serve files.
const exportName = "cpud-exportfs"

// Main makes the process a helper, of a session, of what is forwarded or of the exportfs subsystem, and never returns, if that is what it was started for.
// Programs that have a Server call it first in main, on the main goroutine.
func Main() {
	session.Main()
	dialer.Main()
	if len(os.Args) == 0 || os.Args[0] != exportName {
		return
	}
	if err := exportMain(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", exportName, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// exportMain serves this machine's files on standard input and output, as the user that the process is.
func exportMain() error {
	tree, err := exportfs.New(exportfs.Options{Root: "/", Patterns: exportfs.DefaultPatterns()})
	if err != nil {
		return err
	}
	defer tree.Close()
	return (&ninep.Server{Attacher: tree}).Serve(context.Background(), stdio{os.Stdin, os.Stdout})
}

type stdio struct {
	io.Reader
	io.Writer
}

// Close leaves the end of both to the process's.
func (stdio) Close() error { return nil }

// export serves the server's own files by a process that has become the user.
func (c *channel) export(words string) (func() error, error) {
	if words != "" {
		return nil, errWords
	}
	helper := exec.Command("/proc/self/exe")
	helper.Args = []string{exportName}
	helper.Dir = "/"
	helper.Env = []string{}
	helper.Stderr = os.Stderr
	if u := c.link.user(); c.link.server.uid == 0 && u.UID != 0 {
		helper.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}}
	}
	in, err := helper.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := helper.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := helper.Start(); err != nil {
		return nil, err
	}
	return func() error {
		stop := context.AfterFunc(c.ctx, func() { helper.Process.Kill() })
		defer stop()
		// The channel's end, or the client's, is the end of the helper's input, and that the end of the helper.
		c.link.running.Go(func() {
			io.Copy(in, c.ch)
			in.Close()
		})
		io.Copy(c.ch, out)
		err := helper.Wait()
		if err != nil && c.ctx.Err() == nil {
			c.link.log.Info("exportfs ended", "err", err)
		}
		return err
	}, nil
}
