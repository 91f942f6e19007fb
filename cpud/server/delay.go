//go:build linux

package server

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// minRefusal is the least time that a refusal takes.
const minRefusal = 5 * time.Millisecond

// refusals gives refusals their time, so that it does not tell a user who is there from one who is not, and a long list of keys from none.
// It is a few milliseconds, always the same for the same name, and twice as long, or four times, where the work has taken longer. Other
// names have other times, which nobody can know beforehand, so that a name's own is no news either.
type refusals struct{ secret [sha256.Size]byte }

func newRefusals() *refusals {
	r := &refusals{}
	rand.Read(r.secret[:]) // never fails
	return r
}

// after is how long after its beginning a refusal is given that has taken spent so far.
func (r *refusals) after(name string, spent time.Duration) time.Duration {
	sum := sha256.Sum256(append(r.secret[:], name...))
	d := minRefusal + time.Duration(binary.BigEndian.Uint64(sum[:8])%uint64(minRefusal))
	for d < spent {
		d *= 2
	}
	return d
}

// wait waits until the refusal that began at a time may be given, or ctx is done.
func (r *refusals) wait(ctx context.Context, name string, began time.Time) {
	t := time.NewTimer(time.Until(began.Add(r.after(name, time.Since(began)))))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
