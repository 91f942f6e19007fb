package main

import (
	"context"
	"io"

	"cpu/cpu/client"
	"cpu/nsfile"
)

// imports are the files of other hosts that the namespace files ask for. It is the terminal that connects to those hosts, with its keys, and
// only to those that the files it has read itself name: a server cannot have it dial anything.
type imports struct {
	conns   []*client.Conn
	streams map[string]io.ReadWriteCloser // by the name of the service; the session's to close
}

// close ends the connections.
func (m *imports) close() {
	for _, c := range m.conns {
		c.Close()
	}
}

// importAll connects to the hosts of the import lines in ops, one after the other, for each may have questions. Where one cannot be reached
// its line has failed, unless it is quiet: then the session finds no service, and passes over the line.
func importAll(ctx context.Context, ops []nsfile.Op, getenv func(string) (string, bool), connect connector) (*imports, error) {
	m := &imports{streams: map[string]io.ReadWriteCloser{}}
	for _, op := range ops {
		if op.Verb != nsfile.Import {
			continue
		}
		host, err := op.Args[0].Expand(getenv)
		if err != nil || m.streams[nsfile.ImportService(host)] != nil {
			continue // a name that only the server knows leads nowhere from here
		}
		if err := m.add(ctx, host, connect); err != nil && op.Flags&nsfile.Quiet == 0 {
			m.close()
			shown := nsfile.Op{Verb: op.Verb, Args: op.Args}
			return nil, &nsfile.Error{File: op.File, Line: op.Line, Op: shown.String(), Err: err}
		}
	}
	return m, nil
}

// connector connects to a host.
type connector func(ctx context.Context, host string) (*client.Conn, error)

// add connects to a host and opens a stream to its files.
func (m *imports) add(ctx context.Context, host string, connect connector) error {
	c, err := connect(ctx, host)
	if err != nil {
		return err
	}
	files, err := c.Open(ctx, "exportfs")
	if err != nil {
		c.Close()
		return err
	}
	m.conns = append(m.conns, c)
	m.streams[nsfile.ImportService(host)] = files
	return nil
}
