package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"cpu/cpu/client"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/p9"
)

// A controlVerb works on one file of the control tree.
type controlVerb func(ctx context.Context, f p9.File, name string, in io.Reader, out io.Writer) error

// controlVerbs are those of -ctl, as plan9port's 9p(1) has them, for machines that cannot mount.
var controlVerbs = map[string]controlVerb{
	"ls":    controlList,
	"read":  controlRead,
	"write": controlWrite,
	"stat":  controlStat,
	"rm":    controlRemove,
}

var errControl = errors.New("-ctl: want ls, read, write, stat, rm or dial, and a path")

// runControl carries out one verb on the server's control tree.
func runControl(ctx context.Context, conn *client.Conn, words []string) error {
	if len(words) == 1 && words[0] == "ls" {
		words = append(words, "/")
	}
	if len(words) == 2 && words[0] == "dial" {
		return controlDial(ctx, conn, words[1], os.Stdin, os.Stdout)
	}
	if len(words) != 2 || controlVerbs[words[0]] == nil {
		return errControl
	}
	verb, name := words[0], path.Clean("/"+words[1])
	tree, err := conn.Tree(ctx)
	if err != nil {
		return err
	}
	root, err := tree.Attach()
	if err != nil {
		return err
	}
	defer root.Close()
	_, f, err := bound(ctx, root).Walk(strings.FieldsFunc(name, func(r rune) bool { return r == '/' }))
	if err == nil {
		err = controlVerbs[verb](ctx, bound(ctx, f), name, os.Stdin, os.Stdout)
		f.Close()
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, name, err)
	}
	return nil
}

// bound is f with its operations bound to ctx.
func bound(ctx context.Context, f p9.File) p9.File {
	if c, ok := f.(ninep.ContextFile); ok {
		return c.WithContext(ctx)
	}
	return f
}

func controlList(ctx context.Context, f p9.File, name string, _ io.Reader, out io.Writer) error {
	q, _, _, err := f.GetAttr(p9.AttrMask{})
	if err != nil {
		return err
	}
	if q.Type&p9.TypeDir == 0 {
		_, err := fmt.Fprintln(out, path.Base(name))
		return err
	}
	if _, _, err := f.Open(p9.ReadOnly); err != nil {
		return err
	}
	var names []string
	for offset := uint64(0); ; {
		list, err := f.Readdir(offset, 32<<10)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			break
		}
		for _, d := range list {
			offset = d.Offset
			if d.Type&p9.TypeDir != 0 {
				d.Name += "/"
			}
			names = append(names, d.Name)
		}
	}
	slices.Sort(names)
	for _, n := range names {
		if _, err := fmt.Fprintln(out, n); err != nil {
			return err
		}
	}
	return nil
}

func controlRead(ctx context.Context, f p9.File, _ string, _ io.Reader, out io.Writer) error {
	if _, _, err := f.Open(p9.ReadOnly); err != nil {
		return err
	}
	p := make([]byte, 64<<10)
	for offset := int64(0); ; {
		n, err := f.ReadAt(p, offset)
		offset += int64(n)
		if _, werr := out.Write(p[:n]); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) || n == 0 && err == nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// controlWrite copies its input as it comes, so that each line of a terminal is a write of its own.
func controlWrite(ctx context.Context, f p9.File, _ string, in io.Reader, _ io.Writer) error {
	const truncate = p9.OpenFlags(0o1000) // O_TRUNC
	if _, _, err := f.Open(p9.WriteOnly | truncate); err != nil {
		return err
	}
	p := make([]byte, 64<<10)
	for offset := int64(0); ; {
		n, err := in.Read(p)
		for done := 0; done < n; {
			w, werr := f.WriteAt(p[done:n], offset)
			if werr != nil {
				return werr
			}
			done += w
			offset += int64(w)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func controlStat(ctx context.Context, f p9.File, name string, _ io.Reader, out io.Writer) error {
	q, _, a, err := f.GetAttr(p9.AttrMaskAll)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s qid %x.%d mode %o uid %d gid %d size %d mtime %d\n", path.Base(name), q.Path, q.Version, a.Mode, a.UID, a.GID, a.Size, a.MTimeSeconds)
	return err
}

func controlRemove(ctx context.Context, f p9.File, _ string, _ io.Reader, _ io.Writer) error {
	if r, ok := f.(ninep.Remover); ok {
		return r.Remove()
	}
	return errors.New("it cannot be removed")
}

// controlDial connects to what is posted at /srv in a session, `n/name`, and is that for who speaks 9P, or whatever it is, with this process.
func controlDial(ctx context.Context, conn *client.Conn, name string, in io.Reader, out io.Writer) error {
	number, service, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/")
	if !ok {
		return errControl
	}
	s, err := conn.Open(ctx, "dial "+number+" "+service)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { s.Close() })()
	go func() { // not waited for: it may be in a read that never ends
		io.Copy(s, in)
		if c, ok := s.(interface{ CloseWrite() error }); ok {
			c.CloseWrite()
		}
	}()
	_, err = io.Copy(out, s)
	s.Close()
	return err
}
