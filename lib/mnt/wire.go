//go:build linux

package mnt

import (
	"encoding/binary"
	"strings"
)

// The FUSE protocol as linux/fuse.h lays it out, major version 7. Numbers are in the machine's own byte order.

const (
	fuseMajor    = 7
	fuseMinor    = 36 // the newest minor version whose messages are known here
	fuseMinMinor = 23 // Linux 3.15: RENAME2, and INIT in the form used here
	inHeaderSize = 40
	outHeader    = 16
	rootID       = 1

	maxWrite   = 1 << 20             // bytes of data in one READ or WRITE
	messageCap = maxWrite + 4096 + 8 // room for any request
)

type opcode uint32

const (
	opLookup      opcode = 1
	opForget      opcode = 2
	opGetattr     opcode = 3
	opSetattr     opcode = 4
	opReadlink    opcode = 5
	opSymlink     opcode = 6
	opMknod       opcode = 8
	opMkdir       opcode = 9
	opUnlink      opcode = 10
	opRmdir       opcode = 11
	opRename      opcode = 12
	opLink        opcode = 13
	opOpen        opcode = 14
	opRead        opcode = 15
	opWrite       opcode = 16
	opStatfs      opcode = 17
	opRelease     opcode = 18
	opFsync       opcode = 20
	opSetxattr    opcode = 21
	opGetxattr    opcode = 22
	opListxattr   opcode = 23
	opRemovexattr opcode = 24
	opFlush       opcode = 25
	opInit        opcode = 26
	opOpendir     opcode = 27
	opReaddir     opcode = 28
	opReleasedir  opcode = 29
	opFsyncdir    opcode = 30
	opGetlk       opcode = 31
	opSetlk       opcode = 32
	opSetlkw      opcode = 33
	opAccess      opcode = 34
	opCreate      opcode = 35
	opInterrupt   opcode = 36
	opDestroy     opcode = 38
	opIoctl       opcode = 39
	opNotifyReply opcode = 41
	opBatchForget opcode = 42
	opReaddirplus opcode = 44
	opRename2     opcode = 45

	notifyInvalInode = 2 // sent as the error of a message with unique 0
)

// Flags of INIT.
const (
	initAsyncRead       = 1 << 0
	initPosixLocks      = 1 << 1
	initAtomicTrunc     = 1 << 3
	initBigWrites       = 1 << 5
	initFlockLocks      = 1 << 10
	initAutoInvalData   = 1 << 12
	initReaddirplus     = 1 << 13
	initAsyncDIO        = 1 << 15
	initParallelDirops  = 1 << 18
	initMaxPages        = 1 << 22
	initCacheSymlinks   = 1 << 23
	initKillprivV2      = 1 << 28
	initExt             = 1 << 30
	initDirectAllowMmap = 1 << 36
)

// Flags of an open's reply.
const (
	openDirectIO  = 1 << 0
	openKeepCache = 1 << 1
	openNoFlush   = 1 << 5
)

const (
	getattrFH     = 1 << 0
	lockFlock     = 1 << 0
	releaseFlock  = 1 << 1
	fattrMode     = 1 << 0
	fattrUID      = 1 << 1
	fattrGID      = 1 << 2
	fattrSize     = 1 << 3
	fattrAtime    = 1 << 4
	fattrMtime    = 1 << 5
	fattrFH       = 1 << 6
	fattrAtimeNow = 1 << 7
	fattrMtimeNow = 1 << 8
)

// decoder takes a request's fields one after the other. Past the end it gives zeros and short is set.
type decoder struct {
	b     []byte
	short bool
}

func (d *decoder) take(n int) []byte {
	if len(d.b) < n {
		d.short, d.b = true, nil
		return make([]byte, n)
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) u32() uint32 { return binary.NativeEndian.Uint32(d.take(4)) }
func (d *decoder) u64() uint64 { return binary.NativeEndian.Uint64(d.take(8)) }
func (d *decoder) skip(n int)  { d.take(n) }

// name takes a string that ends with a zero byte.
func (d *decoder) name() string {
	for i, c := range d.b {
		if c == 0 {
			s := string(d.b[:i])
			d.b = d.b[i+1:]
			return s
		}
	}
	d.short, d.b = true, nil
	return ""
}

// encoder appends a reply's fields.
type encoder []byte

func (e *encoder) u16(v uint16) { *e = binary.NativeEndian.AppendUint16(*e, v) }
func (e *encoder) u32(v uint32) { *e = binary.NativeEndian.AppendUint32(*e, v) }
func (e *encoder) u64(v uint64) { *e = binary.NativeEndian.AppendUint64(*e, v) }

func (e *encoder) zero(n int) {
	for ; n > 0; n-- {
		*e = append(*e, 0)
	}
}

// dirent appends a struct fuse_dirent with its name, padded to eight bytes.
func (e *encoder) dirent(ino, off uint64, typ uint32, name string) {
	e.u64(ino)
	e.u64(off)
	e.u32(uint32(len(name)))
	e.u32(typ)
	*e = append(*e, name...)
	e.zero(direntSize(name) - 24 - len(name))
}

func direntSize(name string) int { return (24 + len(name) + 7) &^ 7 }

// validName reports whether a name from the far side may stand in a directory.
func validName(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= 255 && !strings.ContainsAny(s, "/\x00")
}

// A device number as FUSE carries it, in 32 bits.
func encodeDev(major, minor uint32) uint32 {
	return minor&0xff | major<<8 | minor&^0xff<<12
}

func decodeDev(d uint32) (major, minor uint32) {
	return d >> 8 & 0xfff, d&0xff | d>>12&^0xff
}
