package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"

	"cpu/cpu/client"
)

// signals are those that this process gets: before the session runs each ends it, after that they are notes to the command. Those that
// were ignored when the process began, as with nohup(1), stay so.
type signals struct {
	caught chan os.Signal
	done   chan struct{}
	notes  chan string // to the command, in order
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	running bool
}

// maxNotes is how many notes may wait for the server to take them. The user who sends yet another one wants to get away.
const maxNotes = 2

var errNoAnswer = errors.New("the server does not answer")

// catchSignals calls cancel when the process is to end.
func catchSignals(cancel context.CancelCauseFunc) *signals {
	s := &signals{caught: make(chan os.Signal, 16), done: make(chan struct{}), notes: make(chan string, maxNotes), cancel: cancel}
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
	running := s.running
	s.mu.Unlock()
	if !running {
		s.cancel(fmt.Errorf("%v", sig))
		return
	}
	select {
	case s.notes <- notes[sig]:
	default:
		s.cancel(errNoAnswer)
	}
}

// deliver sends what comes from now on to c, until stop; each note for as long as ctx lasts.
func (s *signals) deliver(ctx context.Context, c *client.Cmd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = true
	s.wg.Go(func() {
		for {
			select {
			case name := <-s.notes:
				c.Note(ctx, name) // a command that has ended meanwhile needs none
			case <-s.done:
				return
			}
		}
	})
}

// undeliver has signals end the process again: the command has ended.
func (s *signals) undeliver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
}

func (s *signals) stop() {
	signal.Stop(s.caught)
	close(s.done)
	s.wg.Wait()
}
