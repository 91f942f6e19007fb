package ninep

// flush does a Tflush as flush(9P) says. The request is cancelled. If it is answered nevertheless, Rflush comes after the answer;
// otherwise instead of it. Several Tflushes of one request are answered in order, and a Tflush can be flushed as well.
func (c *conn) flush(r *request, m *tflush) error {
	c.mu.Lock()
	old := c.tags[m.oldtag] // looked for first: a Tflush of itself finds nothing
	if err := c.register(r); err != nil {
		c.mu.Unlock()
		return err
	}
	if old != nil {
		old.interrupt()
		if !old.waiting {
			old.flushes = append(old.flushes, r)
			c.mu.Unlock()
			return nil
		}
		c.held.take(old)
		delete(c.tags, old.tag)
		c.stats.Pending.Add(-1)
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
	for _, f := range r.flushes {
		c.answerFlush(f)
	}
	c.recycle(r)
}
