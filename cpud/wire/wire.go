//go:build linux

// Package wire carries messages, and open files with them, between cpud and a helper process over a Unix socket that each has an end of.
//
// Cpud/session calls it for the helpers of sessions, cpud/dialer for those that connect and listen. A message is a length and
// fields that the two have agreed on; what they say the package does not know.
package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxFiles is how many descriptors go with a message.
const maxFiles = 3

// A Conn is one end. Puts may come from many goroutines; Gets come from one.
type Conn struct {
	*net.UnixConn
	max  int
	send sync.Mutex
}

// Pair makes both ends, for messages of up to max bytes. The second is a plain file, to be inherited. The caller closes them.
func Pair(max int) (*Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "helper")
	w, err := New(os.NewFile(uintptr(fds[0]), "cpud"), max)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return w, theirs, nil
}

// New takes over f, a connected Unix socket.
func New(f *os.File, max int) (*Conn, error) {
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
	return &Conn{UnixConn: u, max: max}, nil
}

// Put sends a message and the files with it, at most three, which stay the caller's.
func (c *Conn) Put(m Message, files ...*os.File) error {
	b := encode(m)
	if len(b) > c.max {
		return fmt.Errorf("message of %d bytes: too long", len(b))
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(b)))
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	c.send.Lock()
	defer c.send.Unlock()
	// The descriptors go with the length, which is short enough to be sent whole.
	if _, _, err := c.WriteMsgUnix(head, rights, nil); err != nil {
		return err
	}
	_, err := c.Write(b)
	return err
}

// Get receives a message into m. The files that came with it are the caller's to close. The error is io.EOF when the other end is
// gone.
func (c *Conn) Get(m Message) ([]*os.File, error) {
	head := make([]byte, 4)
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	n, nrights, _, _, err := c.ReadMsgUnix(head, oob)
	if err != nil {
		return nil, err
	}
	files, err := rightsOf(oob[:nrights])
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err == nil {
		_, err = io.ReadFull(c, head[n:])
	}
	size := binary.LittleEndian.Uint32(head)
	if err == nil && int64(size) > int64(c.max) {
		err = fmt.Errorf("message of %d bytes: too long", size)
	}
	if err == nil {
		b := make([]byte, size)
		if _, err = io.ReadFull(c, b); err == nil {
			err = decode(b, m)
		}
	}
	if err != nil {
		CloseAll(files)
		return nil, err
	}
	return files, nil
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

// CloseAll closes files.
func CloseAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
