package ninep

import (
	"context"
	"sync"
	"time"

	"github.com/hugelgupf/p9/p9"
)

// A requestContext is the context of a request. It costs little as long as nobody waits for it: then the next request can use it again.
type requestContext struct {
	parent context.Context // for values only; what ends it cancels all requests
	mu     sync.Mutex
	done   chan struct{} // made when it is first asked for
	err    error
}

func (c *requestContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *requestContext) Value(key any) any { return c.parent.Value(key) }

func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *requestContext) cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = context.Canceled
		if c.done != nil {
			close(c.done)
		}
	}
}

// used says that the context cannot be used for another request.
func (c *requestContext) used() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.done != nil || c.err != nil
}

// context is done when r is flushed or its connection ends, and also once r is answered.
func (r *request) context() context.Context {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if r.ctx == nil {
		r.ctx = &requestContext{parent: r.c.ctx}
	}
	if r.stopped {
		r.ctx.cancel()
	}
	return r.ctx
}

// interrupt makes r's context done. It is called with mu held.
func (r *request) interrupt() {
	r.stopped = true
	if r.ctx != nil {
		r.ctx.cancel()
	}
	r.c.ended.Broadcast() // it may be waiting in reserve
}

// release ends r's context, unless it can be used again. It is called with mu held.
func (r *request) release() {
	if r.ctx != nil && r.ctx.used() {
		r.ctx.cancel()
		r.ctx, r.viewed, r.view = nil, nil, nil
	}
}

// view is f's file for r: one whose operations end when r is flushed.
func (f *fid) view(r *request) p9.File {
	if f.ctx == nil {
		return f.file
	}
	ctx := r.context()
	if r.viewed != f { // reads of one file come one after the other
		r.viewed, r.view = f, f.ctx.WithContext(ctx)
	}
	return r.view
}

// bind is a view of file for r.
func bind(r *request, file p9.File) p9.File {
	if f, ok := file.(ContextFile); ok {
		return f.WithContext(r.context())
	}
	return file
}
