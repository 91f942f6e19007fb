package ninep

import (
	"fmt"
	"io"

	"github.com/hugelgupf/p9/linux"
)

// window is how many parts of one long transfer are under way together.
const window = 16

// ReadAt reads from a file that is open. Fewer bytes than asked for come at the end of the file and, from files whose qid has version 0,
// at any time: they are streams, from which one message is read. None is io.EOF.
func (f *File) ReadAt(p []byte, offset int64) (int, error) {
	o, err := f.data(offset)
	if err != nil {
		return 0, err
	}
	defer o.unuse()
	if len(p) <= o.unit || !o.parallel {
		p = p[:min(len(p), o.unit)]
		cl, err := f.startRead(o, p, offset)
		if err != nil {
			return 0, err
		}
		n, err := f.c.finishData(f.ctx, cl)
		if n == 0 && len(p) > 0 && err == nil {
			err = io.EOF
		}
		return n, err
	}
	for total := 0; ; {
		n, more, err := f.transfer(o, p[total:], offset+int64(total), f.startRead)
		switch total += n; {
		case total == len(p), total > 0 && (err != nil || !more):
			return total, nil
		case err != nil:
			return 0, err
		case !more:
			return 0, io.EOF
		}
	}
}

// WriteAt writes to a file that is open. It stops at what the server does not take, and says then how far it came and why.
func (f *File) WriteAt(p []byte, offset int64) (int, error) {
	o, err := f.data(offset)
	if err != nil {
		return 0, err
	}
	defer o.unuse()
	if o.appending != nil {
		return f.appendAt(o, p)
	}
	return f.writeAll(o, p, offset)
}

// writeAll is WriteAt of what is open as o.
func (f *File) writeAll(o *openFile, p []byte, offset int64) (n int, err error) {
	total := 0
	for {
		part := p[total:]
		var n int
		if len(part) <= o.unit || !o.parallel {
			part = part[:min(len(part), o.unit)]
			n, err = f.write(o, part, offset+int64(total))
		} else {
			n, _, err = f.transfer(o, part, offset+int64(total), f.startWrite)
		}
		total += n
		switch {
		case err != nil || total == len(p):
			return total, err
		case n < len(part):
			return total, &Error{linux.EIO, fmt.Sprintf("the server took %d of %d bytes", total, len(p))}
		}
	}
}

// write writes what one message takes.
func (f *File) write(o *openFile, p []byte, offset int64) (int, error) {
	cl, err := f.startWrite(o, p, offset)
	if err != nil {
		return 0, err
	}
	n, err := f.c.finishData(f.ctx, cl)
	if n > len(p) {
		return 0, f.c.overdone(n, len(p))
	}
	return n, err
}

// overdone ends a connection whose server says it did more than it was to do.
func (c *Client) overdone(got, size int) error {
	c.fail(fmt.Errorf("%w: %d bytes done of %d", errFrame, got, size))
	return errDead
}

func (f *File) startRead(o *openFile, p []byte, offset int64) (*call, error) {
	cl := newCall()
	cl.dst = p
	cl.tread = tread{fid: o.number, offset: uint64(offset), count: uint32(len(p))}
	return cl, f.c.start(f.ctx, cl, &cl.tread)
}

func (f *File) startWrite(o *openFile, p []byte, offset int64) (*call, error) {
	cl := newCall()
	cl.reply = &cl.rwrite
	cl.twrite = twrite{fid: o.number, offset: uint64(offset), data: p}
	return cl, f.c.start(f.ctx, cl, &cl.twrite)
}

// transfer reads or writes p in parts of the file's unit, with a window of them under way. It gives the bytes done without a gap, the
// error that the first part missing met, if any, and whether there was more behind a gap.
func (f *File) transfer(o *openFile, p []byte, offset int64, start func(*openFile, []byte, int64) (*call, error)) (n int, more bool, err error) {
	type part struct {
		*call
		size int
	}
	var parts [window]part
	begun, ended, at := 0, 0, 0
	sending, whole := true, true
	var unsent error
	for {
		sending = sending && (at < len(p) || begun == 0) // nothing is a transfer too
		switch {
		case sending && begun-ended < window:
			size := min(len(p)-at, o.unit)
			cl, err := start(o, p[at:at+size], offset+int64(at))
			if err != nil {
				sending, unsent = false, err
				continue
			}
			parts[begun%window] = part{cl, size}
			begun++
			at += size
		case ended < begun:
			q := parts[ended%window]
			ended++
			got, e := f.c.finishData(f.ctx, q.call)
			if got > q.size {
				got, e = 0, f.c.overdone(got, q.size)
			}
			if whole {
				n += got
				err = e
				whole = got == q.size && e == nil
				sending = sending && whole
			} else if got > 0 {
				more = true
			}
		default:
			if whole && err == nil {
				err = unsent
			}
			return n, more, err
		}
	}
}
