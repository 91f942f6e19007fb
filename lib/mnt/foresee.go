//go:build linux

package mnt

import (
	"context"
	"sort"
	"sync"
	"time"

	"cpu/lib/ninep"
)

const (
	foreseeNames = 32 // how many names of a directory are looked up ahead of somebody who goes through it
	foreseeDirs  = 8  // how many directories are read ahead
	foreseeSkips = 8  // names that somebody who goes through a directory may leave out at once
)

// foresight is what is expected to be asked of a directory next: whoever looks up two names that follow one another in it, in its own order
// or in that of the alphabet, goes on.
type foresight struct {
	last   string            // looked up last
	early  map[string]*early // looked up ahead
	opened time.Time         // when a directory in this one was opened last
}

// early is a name that is being looked up ahead.
type early struct {
	finding
	dir  uint64 // the directory's changes when it was looked for
	err  error
	done chan struct{}
}

// order gives names that come after name, if name is one of the next few after last.
func (l *listing) order(last, name string) []string {
	for _, names := range [][]string{l.names(), l.alphabet()} {
		i, j := l.place(names, last), l.place(names, name)
		if i >= 0 && i < j && j <= i+foreseeSkips {
			return names[j+1 : min(j+1+foreseeNames, len(names))]
		}
	}
	return nil
}

// names is all names in the directory's own order.
func (l *listing) names() []string {
	l.once.Do(l.sort)
	return l.own
}

// alphabet is all names sorted.
func (l *listing) alphabet() []string {
	l.once.Do(l.sort)
	return l.sorted
}

func (l *listing) sort() {
	l.own = make([]string, len(l.entries))
	for i := range l.entries {
		l.own[i] = l.entries[i].Name
	}
	l.sorted = append([]string(nil), l.own...)
	sort.Strings(l.sorted)
}

// place is where name is in names, which are one of the two, or -1.
func (l *listing) place(names []string, name string) int {
	i, ok := l.index[name]
	if ok && names[i] != name {
		i = sort.SearchStrings(names, name)
		ok = i < len(names) && names[i] == name
	}
	if !ok {
		return -1
	}
	return i
}

// foreseen answers a lookup with what was looked up ahead, if it was, and looks further ahead.
func (r *request) foreseen(dir *node, name string) bool {
	if dir.volatile() {
		return false
	}
	s := r.s
	dir.mu.Lock()
	f := &dir.seeing
	var next []string
	if dir.list != nil {
		next = dir.list.order(f.last, name)
	}
	f.last = name
	e := f.early[name]
	delete(f.early, name)
	local := dir.local
	s.sweep(f)
	for _, n := range next {
		if f.early == nil {
			f.early = map[string]*early{}
		}
		if f.early[n] == nil {
			e := &early{dir: local, done: make(chan struct{})}
			f.early[n] = e
			s.working.Add(1)
			go func() {
				defer s.working.Done()
				e.finding, e.err = s.look(s.ctx, dir, n)
				close(e.done)
			}()
		}
	}
	dir.mu.Unlock()
	if len(next) > 0 {
		s.seers.add(s, dir)
	}
	if e == nil {
		return false
	}
	select {
	case <-e.done:
	case <-r.ctx.Done():
		s.discard(e)
		return false
	}
	if e.err != nil {
		return false
	}
	if e.dir != local || left(e.at.Add(lifetime)) == 0 {
		s.clunk(e.file)
		return false
	}
	r.found(dir, name, e.finding)
	return true
}

// sweep discards what nobody came for in time.
func (s *server) sweep(f *foresight) {
	for n, e := range f.early {
		select {
		case <-e.done:
			if e.err != nil || left(e.at.Add(lifetime)) == 0 {
				delete(f.early, n)
				s.discard(e)
			}
		default:
		}
	}
}

// seers are directories of which names were looked up ahead, in the order of time.
type seers struct {
	mu    sync.Mutex
	queue []seer
}

type seer struct {
	dir *node
	at  time.Time
}

// add enters dir, and discards what nobody came for in others.
func (q *seers) add(s *server, dir *node) {
	now := time.Now()
	var old []*node
	q.mu.Lock()
	if k := len(q.queue); k == 0 || q.queue[k-1].dir != dir {
		q.queue = append(q.queue, seer{dir, now})
	}
	for len(q.queue) > 1 && now.Sub(q.queue[0].at) > 2*lifetime {
		old = append(old, q.queue[0].dir)
		q.queue = q.queue[1:]
	}
	q.mu.Unlock()
	for _, d := range old {
		d.mu.Lock()
		s.sweep(&d.seeing)
		d.mu.Unlock()
	}
}

// discard gives up what was looked up ahead, once it is there.
func (s *server) discard(e *early) {
	s.clunks.all.Add(1)
	go func() {
		defer s.clunks.all.Done()
		<-e.done
		if e.err == nil {
			s.clunk(e.file)
		}
	}()
}

// unsee discards everything.
func (s *server) unsee(n *node) {
	n.mu.Lock()
	all := n.seeing.early
	n.seeing.early = nil
	n.mu.Unlock()
	for _, e := range all {
		s.discard(e)
	}
}

// expectDirs reads the directories ahead that are likely to be opened after n: those that come next in its own.
func (s *server) expectDirs(n *node) {
	p := n.up()
	if p == nil || p.volatile() {
		return
	}
	p.mu.Lock()
	l := p.list
	pace := time.Since(p.seeing.opened)
	p.seeing.opened = time.Now()
	p.mu.Unlock()
	if l == nil {
		return
	}
	// Not more than will be wanted while it holds.
	most := int(min(foreseeDirs, lifetime/max(pace, time.Millisecond)+1))
	for _, names := range [][]string{l.names(), l.alphabet()} {
		i := l.place(names, n.placeName())
		if i < 0 {
			return
		}
		count := 0
		for _, name := range names[i+1:] {
			if e := &l.entries[l.index[name]]; count < most && e.Valid.Mode && e.Attr.Mode.IsDir() {
				count++
				s.expectDir(e)
			}
		}
	}
}

// expectDir reads one directory ahead, if the kernel knows it and it was not read lately.
func (s *server) expectDir(e *ninep.DirentAttr) {
	s.nodes.Lock()
	n := s.nodes.byPath[e.QID.Path]
	s.nodes.Unlock()
	if n == nil || n.volatile() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.reading != nil || n.list != nil && left(n.list.at.Add(lifetime)) > 0 {
		return
	}
	done := make(chan struct{})
	n.reading = done
	s.working.Add(1)
	go func() {
		defer s.working.Done()
		s.readAll(n)
		n.mu.Lock()
		n.reading = nil
		n.mu.Unlock()
		close(done)
	}()
}

// readAll reads a directory to its end, for its node to remember.
func (s *server) readAll(n *node) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	r := &request{s: s, ctx: ctx, cancel: cancel}
	h := &dirHandle{node: n, keep: true, at: time.Now(), was: n.localNow()}
	if r.openDir(h) != nil {
		return
	}
	defer s.drop(h.fid)
	for h.keep && (!h.have || len(h.block) > 0) {
		if r.nextBlock(h) != nil {
			return
		}
	}
}
