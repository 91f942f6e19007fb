package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"

	"cpu/cpu/client"
)

// signals are those that this process gets: before the session runs each ends it, after that they are notes to the command.
type signals struct {
	caught chan os.Signal
	done   chan struct{}
	wg     sync.WaitGroup

	mu  sync.Mutex
	to  *client.Cmd // nil: nothing runs yet
	ctx context.Context
}

func catchSignals(cancel context.CancelCauseFunc) *signals {
	s := &signals{caught: make(chan os.Signal, 16), done: make(chan struct{})}
	signal.Notify(s.caught, noteSignals()...)
	s.wg.Go(func() {
		for {
			select {
			case sig := <-s.caught:
				s.mu.Lock()
				to, ctx := s.to, s.ctx
				s.mu.Unlock()
				if to == nil {
					cancel(fmt.Errorf("%v", sig))
				} else {
					to.Note(ctx, notes[sig]) // a command that has ended meanwhile needs none
				}
			case <-s.done:
				return
			}
		}
	})
	return s
}

// deliver sends what comes from now on to c.
func (s *signals) deliver(ctx context.Context, c *client.Cmd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to, s.ctx = c, ctx
}

func (s *signals) stop() {
	signal.Stop(s.caught)
	close(s.done)
	s.wg.Wait()
}

func noteSignals() []os.Signal {
	var all []os.Signal
	for sig := range notes {
		all = append(all, sig)
	}
	return all
}
