//go:build linux

package boot

import (
	"bytes"
	"io"
	"os"
)

// KernelLog is the kernel's log, where a machine without a disk keeps what was said. Each Write is a line; its end is cut off. The caller need not
// close it.
func KernelLog() (io.Writer, error) {
	f, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return kernelLog{f}, nil
}

type kernelLog struct{ w io.Writer }

// maxLine is about what the kernel takes in one line.
const maxLine = 900

func (k kernelLog) Write(p []byte) (int, error) {
	line := bytes.TrimRight(p, "\n")
	// A line of the kernel's for each of ours: priority info, facility daemon.
	if _, err := k.w.Write(append([]byte("<30>cpud: "), line[:min(len(line), maxLine)]...)); err != nil {
		return 0, err
	}
	return len(p), nil
}
