//go:build linux

package mnt

import (
	"context"
	"sync"

	"github.com/hugelgupf/p9/p9"
)

// maxClunks is how many files are closed at once. A close may take a round trip, and nobody waits for it.
const maxClunks = 64

// clunks are files on their way to be closed.
type clunks struct {
	ctx     context.Context // done: nobody waits for answers any more
	mu      sync.Mutex
	queue   []p9.File
	workers int
	all     sync.WaitGroup
}

// clunk closes f without waiting for it.
func (s *server) clunk(f p9.File) {
	c := &s.clunks
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = append(c.queue, f)
	if c.workers < maxClunks {
		c.workers++
		c.all.Add(1)
		go c.work()
	}
}

func (c *clunks) work() {
	defer c.all.Done()
	c.mu.Lock()
	for len(c.queue) > 0 {
		f := c.queue[0]
		c.queue = c.queue[1:]
		c.mu.Unlock()
		view(f, c.ctx).Close()
		c.mu.Lock()
	}
	c.workers--
	c.mu.Unlock()
}

func (c *clunks) wait() { c.all.Wait() }
