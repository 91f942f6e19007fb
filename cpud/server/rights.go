//go:build linux

package server

import (
	"context"
	"slices"
	"strings"

	"cpu/ctlfs"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
)

// host is h as far as the key's options go: sessions have the key's environment, and no terminal where it says so.
func (r *keyRights) host(h ctlfs.Host) ctlfs.Host {
	if r.env == nil && !r.noTTY {
		return h
	}
	return limitedHost{h, r}
}

type limitedHost struct {
	ctlfs.Host
	rights *keyRights
}

func (h limitedHost) New(u ctlfs.User) (ctlfs.Session, error) {
	s, err := h.Host.New(u)
	if err != nil {
		return nil, err
	}
	if err := s.SetEnv(h.rights.env); err != nil {
		s.Hold()
		s.Release() // nobody else will ever let it go
		return nil, err
	}
	return limitedSession{s, h.rights}, nil
}

func (h limitedHost) Session(u ctlfs.User, n int) (ctlfs.Session, error) {
	s, err := h.Host.Session(u, n)
	if err != nil {
		return nil, err
	}
	return limitedSession{s, h.rights}, nil
}

func (h limitedHost) Sessions(u ctlfs.User) []ctlfs.Session {
	all := h.Host.Sessions(u)
	for i, s := range all {
		all[i] = limitedSession{s, h.rights}
	}
	return all
}

// limitedSession is equal to another one of the same connection and session, as the tree wants it.
type limitedSession struct {
	ctlfs.Session
	rights *keyRights
}

// Ctl refuses a terminal.
func (s limitedSession) Ctl(ctx context.Context, words []string) error {
	if s.rights.noTTY && len(words) > 0 && words[0] == "tty" {
		return s.Fail(&ninep.Error{Errno: linux.EPERM, Text: "tty: the key that was used gives no terminal"})
	}
	return s.Session.Ctl(ctx, words)
}

// SetEnv sets the key's environment too, which counts more.
func (s limitedSession) SetEnv(env []string) error {
	env = slices.Clone(env)
	for _, e := range s.rights.env {
		name, _, _ := strings.Cut(e, "=")
		env = slices.DeleteFunc(env, func(old string) bool { return strings.HasPrefix(old, name+"=") })
	}
	return s.Session.SetEnv(append(env, s.rights.env...))
}
