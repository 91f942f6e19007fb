//go:build linux

package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// What clients who have not logged in can have the log say: of a hundred of them at once, for everyday mistakes, and from then on of one a
// second, with the number of the others every minute.
const (
	failuresAtOnce = 100
	failureEvery   = time.Second
	failuresTold   = time.Minute
	failureLength  = 500 // of each thing that a client gave
)

// failures bounds what the log says of clients who have not logged in, so that nobody can fill it from outside. The zero value is ready.
type failures struct {
	mu   sync.Mutex
	full time.Time // when there is room for a hundred again; each that is said makes that later
	left int       // out since that was last told
}

// say has write write about one client, or counts it. Whoever is the first to be left out waits until the number is to be told, or ctx is
// done.
func (f *failures) say(ctx context.Context, log *slog.Logger, write func()) {
	said, first := f.room(time.Now())
	if said {
		write()
	}
	if !first {
		return
	}
	told := time.NewTimer(failuresTold)
	defer told.Stop()
	select {
	case <-ctx.Done():
	case <-told.C:
	}
	log.Warn("more without a login, which are not listed", "count", f.told())
}

// room says whether there is room for one more now; if not, whether it is the first that is left out.
func (f *failures) room(now time.Time) (said, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full.Before(now) {
		f.full = now
	}
	if f.full.Sub(now) > (failuresAtOnce-1)*failureEvery {
		f.left++
		return false, f.left == 1
	}
	f.full = f.full.Add(failureEvery)
	return true, false
}

// told is how many have been left out since it was last asked.
func (f *failures) told() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := f.left
	f.left = 0
	return left
}

// clip is as much as the log has of what a client gave.
func clip(v any) string {
	s := fmt.Sprint(v)
	if len(s) > failureLength {
		return s[:failureLength] + "..."
	}
	return s
}
