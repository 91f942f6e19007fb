//go:build linux

package session

import (
	"runtime/debug"
	"time"
)

// quiet is for how long there has been no session when memory is given back to the system: what many at once have needed is not to be
// missed by others on a small machine. The runtime would get around to it in some minutes, and keep a part.
const quiet = 2 * time.Second

// rest gives memory back, unless there are sessions again. The timer that remove sets calls it.
func (t *Table) rest() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(t.sessions) > 0 {
		return
	}
	t.work.Go(func() {
		// What is pooled survives one collection.
		debug.FreeOSMemory()
		debug.FreeOSMemory()
	})
}
