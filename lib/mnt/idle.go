//go:build linux

package mnt

import "sync"

// maxIdle is how many nodes keep a fid. The kernel knows more files than a far side has fids for.
const maxIdle = 16 << 10

// idle is the nodes that have got a fid, in that order. One may be there more than once, or have none any more.
type idle struct {
	mu    sync.Mutex
	queue []*node
}

// add enters n, and takes the fid from those that have not used theirs for longest.
func (q *idle) add(s *server, n *node) {
	q.mu.Lock()
	q.queue = append(q.queue, n)
	var old []*fid
	for tries := 0; len(q.queue) > maxIdle && tries < maxIdle; tries++ {
		m := q.queue[0]
		q.queue[0] = nil
		q.queue = q.queue[1:]
		if f, used := s.idleFid(m); used {
			q.queue = append(q.queue, m)
		} else if f != nil {
			old = append(old, f)
		}
	}
	q.mu.Unlock()
	for _, f := range old {
		s.drop(f)
	}
}

// idleFid takes n's fid, unless it is in use or was since this was asked last.
func (s *server) idleFid(n *node) (f *fid, used bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fid == nil || n.id == rootID {
		return nil, false
	}
	s.refs.Lock()
	defer s.refs.Unlock()
	if n.used || n.fid.refs > 1 {
		n.used = false
		return nil, true
	}
	f, n.fid = n.fid, nil
	return f, false
}
