//go:build linux

package session

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxMessage bounds a message in bytes. The largest is setup: a namespace file of 1 MiB, and the command's arguments and environment.
const maxMessage = 64 << 20

// maxFiles is how many descriptors go with a message.
const maxFiles = 3

// wire is one end of the socket between cpud and a helper. Sends may come from many goroutines; receives come from one.
type wire struct {
	conn *net.UnixConn
	send sync.Mutex
}

// newPair makes both ends. The second is a plain file, to be inherited.
func newPair() (*wire, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "helper")
	w, err := newWire(os.NewFile(uintptr(fds[0]), "cpud"))
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return w, theirs, nil
}

// newWire takes over f, a connected Unix socket.
func newWire(f *os.File) (*wire, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("%s: not a Unix socket", f.Name())
	}
	return &wire{conn: u}, nil
}

func (w *wire) close() { w.conn.Close() }

// put sends a message and the files with it, which stay the caller's.
func (w *wire) put(m *message, files ...*os.File) error {
	var b bytes.Buffer
	b.Write(make([]byte, 4))
	if err := gob.NewEncoder(&b).Encode(m); err != nil {
		return err
	}
	if b.Len() > maxMessage {
		return fmt.Errorf("%s message of %d bytes: too long", m.Kind, b.Len())
	}
	binary.LittleEndian.PutUint32(b.Bytes(), uint32(b.Len()-4))
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	w.send.Lock()
	defer w.send.Unlock()
	// The descriptors go with the length, which is short enough to be sent whole.
	if _, _, err := w.conn.WriteMsgUnix(b.Next(4), rights, nil); err != nil {
		return err
	}
	_, err := w.conn.Write(b.Bytes())
	return err
}

// get receives a message. Its files are the caller's to close. The error is io.EOF when the other end is gone.
func (w *wire) get() (*message, error) {
	head := make([]byte, 4)
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	n, nrights, _, _, err := w.conn.ReadMsgUnix(head, oob)
	if err != nil {
		return nil, err
	}
	files, err := rightsOf(oob[:nrights])
	m := &message{}
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err == nil {
		_, err = io.ReadFull(w.conn, head[n:])
	}
	size := binary.LittleEndian.Uint32(head)
	if err == nil && size > maxMessage {
		err = fmt.Errorf("message of %d bytes: too long", size)
	}
	if err == nil {
		b := make([]byte, size)
		if _, err = io.ReadFull(w.conn, b); err == nil {
			err = gob.NewDecoder(bytes.NewReader(b)).Decode(m)
		}
	}
	if err != nil {
		closeAll(files)
		return nil, err
	}
	m.files = files
	return m, nil
}

// rightsOf makes files of the descriptors that came with a message. They are closed on exec already.
func rightsOf(oob []byte) (files []*os.File, err error) {
	if len(oob) == 0 {
		return nil, nil
	}
	list, err := unix.ParseSocketControlMessage(oob)
	for i := range list {
		fds, perr := unix.ParseUnixRights(&list[i])
		if perr != nil {
			err = perr
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, err
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
