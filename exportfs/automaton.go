package exportfs

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// automaton runs regular expressions, any one of which is to match, over a path piece by piece. That is more than package regexp
// offers: names of a directory are matched without beginning each time at the root, and the states which two paths lead to can be
// compared. It is the program of regexp/syntax, its sets of threads memorized as they are met.
type automaton struct {
	prog  *syntax.Prog
	start *state

	mu     sync.Mutex
	states map[string]*state
}

// maxStates bounds what is memorized; beyond it states are made and forgotten.
const maxStates = 1 << 10

// state is what an automaton knows after some text.
type state struct {
	a       *automaton
	threads []uint32 // instructions to go on with, in order; assertions between characters are not yet tried
	prev    rune     // stands for the last character as far as assertions care: -1 none, or '\n', 'a', '/'
	found   bool     // a match lies behind; nothing can change that
	matches bool     // the text matches if it ends here
	next    [utf8.RuneSelf]atomic.Pointer[state]
}

func newAutomaton(alternatives ...*syntax.Regexp) (*automaton, error) {
	re := &syntax.Regexp{Op: syntax.OpAlternate, Sub: alternatives}
	if len(alternatives) == 1 {
		re = alternatives[0]
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	a := &automaton{prog: prog, states: map[string]*state{}}
	a.start = a.state([]uint32{uint32(prog.Start)}, -1, false)
	return a, nil
}

// state finds or makes a state.
func (a *automaton) state(threads []uint32, prev rune, found bool) *state {
	if found {
		threads, prev = nil, -1
	}
	slices.Sort(threads)
	threads = slices.Compact(threads)
	key := binary.AppendVarint(nil, int64(prev))
	if found {
		key = append(key, 1)
	} else {
		key = append(key, 0)
	}
	for _, pc := range threads {
		key = binary.AppendUvarint(key, uint64(pc))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s := a.states[string(key)]; s != nil {
		return s
	}
	s := &state{a: a, threads: threads, prev: prev, found: found}
	_, atEnd := s.closure(-1)
	s.matches = found || atEnd
	if len(a.states) < maxStates {
		a.states[string(key)] = s
	}
	return s
}

// run is the state after text as well.
func (s *state) run(text string) *state {
	for _, r := range text {
		if s.found {
			break
		}
		s = s.step(r)
	}
	return s
}

func (s *state) step(r rune) *state {
	if r < utf8.RuneSelf {
		if n := s.next[r].Load(); n != nil {
			return n
		}
	}
	at, found := s.closure(r)
	threads := []uint32{uint32(s.a.prog.Start)} // a match may begin anywhere
	for _, pc := range at {
		if i := &s.a.prog.Inst[pc]; i.MatchRune(r) {
			threads = append(threads, i.Out)
		}
	}
	prev := '/'
	switch {
	case r == '\n':
		prev = r
	case syntax.IsWordChar(r):
		prev = 'a'
	}
	n := s.a.state(threads, prev, found)
	if r < utf8.RuneSelf {
		s.next[r].Store(n)
	}
	return n
}

// closure finds the instructions that wait for a character when the next one is r, -1 for the end, and whether there is a match here.
func (s *state) closure(r rune) (wait []uint32, match bool) {
	holds := syntax.EmptyOpContext(s.prev, r)
	seen := make([]bool, len(s.a.prog.Inst))
	todo := slices.Clone(s.threads)
	for len(todo) > 0 {
		pc := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		i := &s.a.prog.Inst[pc]
		switch i.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, i.Out, i.Arg)
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, i.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(i.Arg)&^holds == 0 {
				todo = append(todo, i.Out)
			}
		case syntax.InstMatch:
			match = true
		case syntax.InstFail:
		default:
			wait = append(wait, pc)
		}
	}
	return wait, match
}

// within says that whatever text follows, where s comes to a match t does so too. Both must have been reached by texts that end in
// the same character.
func (s *state) within(t *state) bool {
	if t.found {
		return true
	}
	if s.found || s.prev != t.prev {
		return false
	}
	for _, pc := range s.threads {
		if _, ok := slices.BinarySearch(t.threads, pc); !ok {
			return false
		}
	}
	return true
}
