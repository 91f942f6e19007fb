package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A posting is `name=addr` of -srv: another 9P service for the session.
type posting struct{ name, addr string }

func parsePosting(s string) (posting, error) {
	name, addr, ok := strings.Cut(s, "=")
	if !ok || addr == "" || name == "" || strings.ContainsAny(name, "/\x00\n") || name == "." || name == ".." {
		return posting{}, fmt.Errorf("-srv %s: want name=addr", s)
	}
	return posting{name, addr}, nil
}

// dialServices connects to the services of -srv. The streams are the caller's to close.
func dialServices(ctx context.Context, all []posting, getenv func(string) string) (map[string]io.ReadWriteCloser, error) {
	streams := map[string]io.ReadWriteCloser{}
	for _, p := range all {
		s, err := dialService(ctx, p.addr, getenv)
		if err == nil && streams[p.name] != nil {
			s.Close()
			err = errors.New("given twice")
		}
		if err != nil {
			for _, s := range streams {
				s.Close()
			}
			return nil, fmt.Errorf("-srv %s: %w", p.name, err)
		}
		streams[p.name] = s
	}
	return streams, nil
}

// dialService connects to a 9P service of this machine: `!command`, which speaks 9P on its standard input and output, for the shell; a Plan 9
// address, unix!path or tcp!host!port; the path of a Unix socket; or a name in plan9port's namespace directory, see intro(4) there.
func dialService(ctx context.Context, addr string, getenv func(string) string) (io.ReadWriteCloser, error) {
	if command, ok := strings.CutPrefix(addr, "!"); ok {
		return startService(command)
	}
	network, address := "unix", addr
	words := strings.Split(addr, "!")
	switch {
	case len(words) == 2 && words[0] == "unix":
		address = words[1]
	case len(words) == 3 && words[0] == "tcp":
		network, address = "tcp", net.JoinHostPort(words[1], words[2])
	case len(words) > 1:
		return nil, fmt.Errorf("%s: want unix!path or tcp!host!port", addr)
	case !strings.Contains(addr, "/"):
		address = filepath.Join(plan9Namespace(getenv), addr)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// plan9Namespace is where plan9port's programs post their services: $NAMESPACE, or a directory for the user and the display.
func plan9Namespace(getenv func(string) string) string {
	if ns := getenv("NAMESPACE"); ns != "" {
		return ns
	}
	display := getenv("DISPLAY")
	if display == "" {
		display = ":0"
	}
	return "/tmp/ns." + getenv("USER") + "." + strings.ReplaceAll(strings.TrimSuffix(display, ".0"), "/", "_")
}

// A service is a program that speaks 9P on its standard input and output.
type service struct {
	io.Reader
	io.Writer
	in  io.Closer
	out io.Closer
	c   *exec.Cmd
}

func startService(command string) (*service, error) {
	c := exec.Command("/bin/sh", "-c", command)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	return &service{out, in, in, out, c}, nil
}

// Close ends the program by the end of its input, and by a signal if that is not enough for it to end its output.
func (s *service) Close() error {
	err := errors.Join(s.in.Close(), s.out.Close())
	s.c.Process.Kill()
	s.c.Wait()
	return err
}
