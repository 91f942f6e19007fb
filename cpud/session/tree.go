//go:build linux

package session

import (
	"context"
	"os"
	"strconv"

	"cpu/lib/mnt"
	"cpu/lib/ninep"
	"cpu/lib/resume"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// tree is a tree that the helper has asked for and is about to mount.
type tree struct {
	root   p9.File
	attach func(context.Context) (p9.File, error) // attaches to the same tree once more
	client *ninep.Client                          // the conversation that is this tree's alone; nil: a posted service's
	ids    []mnt.IDMap
}

func (t *tree) close() {
	t.root.Close()
	t.hangUp()
}

func (t *tree) hangUp() {
	if t.client != nil {
		t.client.Close()
	}
}

// attachTree attaches to a posted service, or to what is at the other end of conn where there is one, and numbers the tree.
func (s *Session) attachTree(name, spec string, conn *os.File) (int, error) {
	t := &tree{}
	if conn != nil {
		c, err := s.dialled(conn)
		if err != nil {
			return 0, err
		}
		t.client = c
		t.attach = func(ctx context.Context) (p9.File, error) { return attachAs(ctx, c.Attacher(), s.owner, spec) }
	} else {
		s.mu.Lock()
		svc := s.services[name]
		if name != controlService {
			t.ids = s.terminalIDs()
		}
		s.mu.Unlock()
		if svc == nil {
			return 0, linux.ENOENT
		}
		t.attach = func(ctx context.Context) (p9.File, error) { return svc.attach(ctx, s.owner, spec) }
		if name != controlService {
			root, err := s.rootOf(s.ctx, svc, spec)
			if err != nil {
				return 0, err
			}
			lasting := resume.New(s.ctx, root, func(ctx context.Context) (resume.Root, error) { return s.rejoin(ctx, name, spec) })
			t.attach = lasting.Root
		}
	}
	var err error
	if t.root, err = t.attach(s.ctx); err != nil {
		t.hangUp()
		return 0, err
	}
	return s.keepTree(t), nil
}

// rootOf attaches to a service, once its stream is there.
func (s *Session) rootOf(ctx context.Context, svc *service, spec string) (resume.Root, error) {
	f, err := svc.attach(ctx, s.owner, spec)
	return resume.Root{File: f, Dead: svc.dead}, err
}

// rejoin attaches to the tree of a service whose stream was lost. Where the session is kept it waits for the service to be posted again.
func (s *Session) rejoin(ctx context.Context, name, spec string) (resume.Root, error) {
	var lost *service // whose stream has ended, though it is there still
	for {
		s.mu.Lock()
		svc, keep, posts := s.services[name], s.keep, s.posts
		s.mu.Unlock()
		if svc != nil && svc != lost {
			root, err := s.rootOf(ctx, svc, spec)
			if err == nil || ctx.Err() != nil || svc.alive() {
				return root, err
			}
			lost = svc
			continue
		}
		if !keep {
			return resume.Root{}, linux.EIO
		}
		select {
		case <-posts:
		case <-ctx.Done():
			return resume.Root{}, ctx.Err()
		case <-s.ctx.Done():
			return resume.Root{}, linux.EIO
		}
	}
}

// dialled begins a 9P conversation over a socket of the session's. It owns conn.
func (s *Session) dialled(conn *os.File) (*ninep.Client, error) {
	w, err := newSocket(conn)
	if err != nil {
		return nil, err
	}
	return ninep.NewClient(s.ctx, w.UnixConn, ninep.ClientConfig{Stats: &s.nine})
}

// terminalIDs maps the ids of the user at the terminal to the session's user's. In a user namespace, which has no number but his, all
// others become his too: the kernel would refuse to write in a directory whose owner has no number there, whatever the terminal allows.
// So do all files of a terminal that has no such numbers.
// The session's mu is held.
func (s *Session) terminalIDs() (ids []mnt.IDMap) {
	for _, id := range []struct {
		name  string
		near  uint32
		group bool
	}{{"termuid", s.owner.UID, false}, {"termgid", s.owner.GID, true}} {
		far, err := strconv.ParseUint(s.vars[id.name], 10, 32)
		if err == nil && (uint32(far) != id.near || !s.table.root) {
			ids = append(ids, mnt.IDMap{Far: uint32(far), Near: id.near, Group: id.group})
		}
		if err != nil || !s.table.root {
			ids = append(ids, mnt.IDMap{Far: mnt.AnyID, Near: id.near, Group: id.group})
		}
	}
	return ids
}

// keepTree gives the tree a number until takeTree.
func (s *Session) keepTree(t *tree) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastTree++
	s.trees[s.lastTree] = t
	return s.lastTree
}

func (s *Session) takeTree(n int) *tree {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trees[n]
	delete(s.trees, n)
	return t
}

// serveFUSE serves the tree to the mount that dev is for, until that is gone or the session is over.
func (s *Session) serveFUSE(n int, name string, dev *os.File) error {
	if dev == nil {
		return linux.EBADF
	}
	t := s.takeTree(n)
	if t == nil {
		dev.Close()
		return linux.ENOENT
	}
	s.work.Go(func() {
		defer t.hangUp()
		if err := mnt.ServeFUSE(s.ctx, dev, t.root, mnt.Options{FSName: name, IDs: t.ids, Stats: &s.table.mounts}); err != nil && s.ctx.Err() == nil {
			s.table.log.Warn("mount", "session", s.number, "err", err)
		}
	})
	return nil
}

// serveV9FS speaks 9P with the kernel, which holds the other end of conn, until the mount is gone or the session is over.
func (s *Session) serveV9FS(n int, conn *os.File) error {
	if conn == nil {
		return linux.EBADF
	}
	t := s.takeTree(n)
	if t == nil {
		conn.Close()
		return linux.ENOENT
	}
	w, err := newSocket(conn)
	if err != nil {
		t.close()
		return err
	}
	t.root.Close()
	server := &ninep.Server{Attacher: t, Versions: []string{ninep.Version9P2000L}, Log: s.table.log, Stats: &s.table.server}
	s.work.Go(func() {
		defer t.hangUp()
		server.Serve(s.ctx, w.UnixConn)
	})
	return nil
}

// AttachAs gives the tree to the kernel. Who and what was settled when the helper asked for it.
func (t *tree) AttachAs(ctx context.Context, a ninep.Attach) (p9.File, error) { return t.attach(ctx) }

// Attach is AttachAs without a context.
func (t *tree) Attach() (p9.File, error) { return t.attach(context.Background()) }
