//go:build linux

package session

import (
	"runtime"
	"runtime/debug"
)

// hoard is how many bytes of memory that nothing uses cpud may keep for sessions to come, when it has none.
const hoard = 12 << 20

// release gives memory back to the system when the last session has gone: what many at once have needed is not to be missed by others on a
// small machine. The runtime would get around to it in some minutes.
func release() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.Sys-m.HeapReleased < hoard {
		return
	}
	// What is pooled survives one collection.
	debug.FreeOSMemory()
	debug.FreeOSMemory()
}
