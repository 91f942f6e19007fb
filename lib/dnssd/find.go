package dnssd

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// A Finder finds hosts. Its zero value asks on the links.
type Finder struct {
	Server  string        // a name server, host or host:port, to be asked over TCP in place of the links
	Timeout time.Duration // how long answers are waited for; 0 is DefaultTimeout
}

// DefaultTimeout is how long a Finder waits.
const DefaultTimeout = time.Second

const (
	// answersTake is within what time those who are asked by multicast answer: section 6 of RFC 6762 has each wait for 20 to 120 ms, so
	// that who answers first is chance, and not the best.
	answersTake = 120 * time.Millisecond
	// silence is how long nobody new has answered, when the answer is taken to be complete.
	silence = 50 * time.Millisecond
)

// Find returns the hosts that q wants, the best first. It returns once there are n of them and nobody else answers, or there is the one
// instance that is asked for; otherwise, and always where n is 0, when the time is over. One host at least is returned, else the error is a
// *NoMatchError.
func (f *Finder) Find(ctx context.Context, q *Query, n int) ([]Host, error) {
	all, err := f.found(ctx, q, n, untold)
	if err != nil {
		return nil, err
	}
	wanted, others := q.choose(all)
	if len(wanted) == 0 {
		return nil, &NoMatchError{q, others}
	}
	return wanted, nil
}

// choose tells the hosts that are wanted, the best first, from the others.
func (q *Query) choose(all map[string]Host) (wanted, others []Host) {
	for _, h := range all {
		if q.wants(h) {
			wanted = append(wanted, h)
		} else {
			others = append(others, h)
		}
	}
	q.Sort(wanted)
	q.Sort(others)
	return wanted, others
}

func (q *Query) wants(h Host) bool {
	return (q.Name.Instance == "" || strings.EqualFold(q.Name.Instance, h.Name.Instance)) && len(q.Match(h.Text)) == 0
}

func (f *Finder) timeout() time.Duration {
	if f.Timeout > 0 {
		return f.Timeout
	}
	return DefaultTimeout
}

// found is all hosts of the service, wanted or not, by name. On the links each sighting is told as it happens.
func (f *Finder) found(ctx context.Context, q *Query, n int, tell func(sighting) error) (map[string]Host, error) {
	if f.Server != "" {
		ctx, cancel := context.WithTimeoutCause(ctx, f.timeout(), fmt.Errorf("no answer in %v", f.timeout()))
		defer cancel()
		return askServer(ctx, f.Server, q.Name)
	}
	return f.heard(ctx, q, n, tell)
}

// heard asks the links, and again after half the time if that has not been enough: a packet may be lost.
func (f *Finder) heard(ctx context.Context, q *Query, n int, tell func(sighting) error) (map[string]Host, error) {
	if err := q.Name.onLink(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var browsing sync.WaitGroup
	defer browsing.Wait()
	defer cancel()
	seen, failed := make(chan sighting), make(chan error, 2)
	ask := func() {
		browsing.Go(func() {
			if err := browse(ctx, q.Name, seen); err != nil {
				failed <- err
			}
		})
	}
	ask()
	all := map[string]Host{}
	over, again := time.NewTimer(f.timeout()), time.NewTimer(f.timeout()/2)
	earliest := time.Now().Add(answersTake)
	var quiet <-chan time.Time
	for {
		select {
		case s := <-seen:
			keep(all, s)
			if err := tell(s); err != nil {
				return nil, err
			}
			wanted, _ := q.choose(all)
			switch {
			case n == 0 || len(wanted) < n:
				quiet = nil
			case q.Name.Instance != "":
				return all, nil
			default:
				quiet = time.After(max(0, time.Until(earliest)) + silence)
			}
		case <-quiet:
			return all, nil
		case <-again.C:
			if quiet == nil {
				ask()
			}
		case <-over.C:
			return all, nil
		case err := <-failed:
			return nil, err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// keep enters what was seen.
func keep(all map[string]Host, s sighting) {
	key := strings.ToLower(s.Name.String())
	if s.gone {
		delete(all, key)
		return
	}
	h := all[key]
	h.merge(s.Host)
	all[key] = h
}

// onLink says what is wrong with a name that is to be found on the links.
func (n Name) onLink() error {
	if err := n.check(); err != nil {
		return err
	}
	if strings.Contains(n.Domain, ".") {
		return fmt.Errorf("domain %s: it is not on the link, and no name server is given", n.Domain)
	}
	return nil
}

// watchMisses is in how many rounds a host may be missing before Watch takes it to be gone. One that says goodbye is gone at once.
const watchMisses = 3

// Watch calls show with the hosts that q wants, the best first, each time the Finder's Timeout has passed, and when one says goodbye, until
// ctx is done, which is nil, or show fails. There may be none.
func (f *Finder) Watch(ctx context.Context, q *Query, show func([]Host) error) error {
	all := map[string]Host{}
	missed := map[string]int{}
	tell := func() error {
		wanted, _ := q.choose(all)
		return show(wanted)
	}
	for {
		over := time.NewTimer(f.timeout())
		now, err := f.found(ctx, q, 0, func(s sighting) error {
			if !s.gone {
				return nil
			}
			keep(all, s)
			return tell()
		})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for key := range all {
			if missed[key]++; missed[key] >= watchMisses {
				delete(all, key)
			}
		}
		for key, h := range now {
			all[key], missed[key] = h, 0
		}
		if err := tell(); err != nil {
			return err
		}
		select {
		case <-over.C: // a name server answers at once
		case <-ctx.Done():
			return nil
		}
	}
}

func untold(sighting) error { return nil }
