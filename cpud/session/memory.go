//go:build linux

package session

import (
	"runtime/debug"
	"runtime/metrics"
)

// hoard is how many bytes of memory that nothing uses cpud may keep for sessions to come, when it has none.
const hoard = 12 << 20

// release gives memory back to the system when the last session has gone: what many at once have needed is not to be missed by others on a
// small machine. The runtime would get around to it in some minutes.
func release() {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	if s[0].Value.Uint64()-s[1].Value.Uint64() < hoard {
		return
	}
	// What is pooled survives one collection.
	debug.FreeOSMemory()
	debug.FreeOSMemory()
}
