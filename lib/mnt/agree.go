//go:build linux

package mnt

import (
	"errors"
	"fmt"
	"os"

	"github.com/hugelgupf/p9/linux"
	"golang.org/x/sys/unix"
)

// agree settles with the kernel how to go on.
func (r *request) agree() error {
	major, minor := r.in.u32(), r.in.u32()
	readahead, flags := r.in.u32(), uint64(r.in.u32())
	if len(r.in.b) >= 4 {
		flags |= uint64(r.in.u32()) << 32
	}
	if major < fuseMajor || major == fuseMajor && minor < fuseMinMinor {
		r.answer(linux.EPROTO)
		return fmt.Errorf("FUSE protocol %d.%d of the kernel: %w", major, minor, unix.EPROTO)
	}
	flags &= initAsyncRead | initPosixLocks | initAtomicTrunc | initBigWrites | initFlockLocks | initAutoInvalData | initReaddirplus |
		initAsyncDIO | initParallelDirops | initMaxPages | initCacheSymlinks | initKillprivV2 | initExt | initDirectAllowMmap
	e := &r.out
	e.u32(fuseMajor)
	e.u32(min(minor, fuseMinor))
	e.u32(readahead)
	e.u32(uint32(flags))
	e.u16(128) // requests in the background: readahead and the like
	e.u16(96)
	e.u32(maxWrite)
	e.u32(1) // ns
	e.u16(uint16(maxWrite / os.Getpagesize()))
	e.u16(0)
	e.u32(uint32(flags >> 32))
	e.zero(28)
	err := r.answer(nil)
	recycle(r.buf)
	if errors.Is(err, os.ErrClosed) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
