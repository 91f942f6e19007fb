package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"

	"cpu/cpu/client"
)

// signals are those that this process gets: before all its sessions run each ends it, after that they are notes to their commands. Those that
// were ignored when the process began, as with nohup(1), stay so.
type signals struct {
	caught chan os.Signal
	done   chan struct{}
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	starting int             // sessions that do not run yet
	running  []chan<- string // notes to those that do, in order
}

// maxNotes is how many notes may wait for the server to take them. The user who sends yet another one wants to get away.
const maxNotes = 2

var errNoAnswer = errors.New("the server does not answer")

// catchSignals calls cancel when the process is to end.
func catchSignals(cancel context.CancelCauseFunc) *signals {
	s := &signals{caught: make(chan os.Signal, 16), done: make(chan struct{}), cancel: cancel}
	for sig := range notes {
		if !signal.Ignored(sig) {
			signal.Notify(s.caught, sig)
		}
	}
	s.wg.Go(func() {
		for {
			select {
			case sig := <-s.caught:
				s.take(sig)
			case <-s.done:
				return
			}
		}
	})
	return s
}

func (s *signals) take(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.starting > 0 || len(s.running) == 0 {
		s.cancel(fmt.Errorf("%v", sig))
		return
	}
	for _, r := range s.running {
		select {
		case r <- notes[sig]:
		default:
			s.cancel(errNoAnswer)
		}
	}
}

// expect says that n sessions are about to be started; each is delivered to, or given up. One alone need not be expected.
func (s *signals) expect(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting = n
}

// giveUp says that a session does not start.
func (s *signals) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting = max(0, s.starting-1)
}

// deliver sends what comes from now on to c as well, until the function it returns is called, for its command has ended; each note for as
// long as ctx lasts. With no command left signals end the process again.
func (s *signals) deliver(ctx context.Context, c *client.Cmd) (stop func()) {
	to, ended := make(chan string, maxNotes), make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starting = max(0, s.starting-1)
	s.running = append(s.running, to)
	s.wg.Go(func() {
		for {
			select {
			case name := <-to:
				c.Note(ctx, name) // a command that has ended meanwhile needs none
			case <-ended:
				return
			}
		}
	})
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running = slices.DeleteFunc(s.running, func(r chan<- string) bool { return r == (chan<- string)(to) })
		close(ended)
	}
}

func (s *signals) stop() {
	signal.Stop(s.caught)
	close(s.done)
	s.wg.Wait()
}
