package ninep

// flush does a Tflush as flush(9P) says. The request is cancelled. If it is answered nevertheless, Rflush comes after the answer;
// otherwise instead of it. Several Tflushes of one request are answered in order, and a Tflush can be flushed as well.
func (c *conn) flush(r *request, m *tflush) error {
	c.mu.Lock()
	old := c.tags[m.oldtag] // looked for first: a Tflush of itself finds nothing
	ended := c.flushed[m.oldtag]
	if err := c.register(r); err != nil {
		c.mu.Unlock()
		return err
	}
	switch {
	case old != nil:
		old.interrupt()
		if !old.waiting {
			old.flushes = append(old.flushes, r)
			c.mu.Unlock()
			return nil
		}
		c.held.take(old)
		delete(c.tags, old.tag)
		c.stats.Pending.Add(-1)
	case ended != nil:
		ended.flushes = append(ended.flushes, r)
		c.mu.Unlock()
		return nil
	}
	c.mu.Unlock()
	if old != nil {
		c.recycle(old)
	}
	c.answerFlush(r)
	return nil
}

// answerFlush sends the Rflush that r waits for, and those which wait for that.
func (c *conn) answerFlush(r *request) {
	c.mu.Lock()
	silent := r.aborted
	c.mu.Unlock()
	if !silent {
		r.reply(nil)
	}
	c.answerFlushes(r)
	c.recycle(r)
}

// answerFlushes answers the Tflushes of r, whose tag is free, in order; those too that come meanwhile.
func (c *conn) answerFlushes(r *request) {
	for n := 0; ; n++ {
		c.mu.Lock()
		if n == len(r.flushes) {
			if c.flushed[r.tag] == r {
				delete(c.flushed, r.tag)
			}
			c.mu.Unlock()
			return
		}
		f := r.flushes[n]
		c.mu.Unlock()
		c.answerFlush(f)
	}
}

// freeTag frees a tag. Where there are Tflushes of its request to be answered, others that come wait for those. It is called with mu held.
func (c *conn) freeTag(tag uint16) {
	if r := c.tags[tag]; r != nil && len(r.flushes) > 0 {
		c.flushed[tag] = r
	}
	delete(c.tags, tag)
}
