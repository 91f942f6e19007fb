//go:build linux

package server

import (
	"context"
	"testing"
	"time"
)

// TestRefusals: a name's refusal takes the same time whatever work it is, as long as that is little, and never less than the work.
func TestRefusals(t *testing.T) {
	r, other := newRefusals(), newRefusals()
	differ := false
	for _, name := range []string{"", "root", "maria", "no-such-user"} {
		d := r.after(name, 0)
		if d < minRefusal || d >= 2*minRefusal {
			t.Errorf("%q: %v", name, d)
		}
		for _, spent := range []time.Duration{time.Microsecond, time.Millisecond, minRefusal} {
			if got := r.after(name, spent); got != d {
				t.Errorf("%q: %v after %v, %v after none", name, got, spent, d)
			}
		}
		if got := r.after(name, time.Second); got < time.Second || got%d != 0 {
			t.Errorf("%q: %v after a second", name, got)
		}
		differ = differ || other.after(name, 0) != d
	}
	if !differ {
		t.Error("two servers have the same times")
	}
	began := time.Now()
	if r.wait(t.Context(), "maria", began); time.Since(began) < minRefusal {
		t.Errorf("a refusal took %v", time.Since(began))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.wait(ctx, "maria", began.Add(time.Hour)) // returns
}
