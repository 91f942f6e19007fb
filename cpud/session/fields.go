//go:build linux

package session

import (
	"maps"
	"slices"
	"time"

	"cpu/cpud/wire"
)

// Fields is a message as it goes over the socket, without its files.
func (m *message) Fields(c *wire.Coder) {
	c.Text((*string)(&m.Kind))
	wire.Optional(c, &m.Setup)
	c.Text(&m.Name)
	c.Text(&m.Spec)
	wire.Number(c, &m.Tree)
	wire.Optional(c, &m.Err)
	wire.Number(c, &m.Note)
	c.Flag(&m.Group)
	wire.Number(c, &m.PID)
	c.Text(&m.Text)
	wire.Optional(c, &m.Exit)
}

func (s *setup) Fields(c *wire.Coder) {
	c.Text(&s.Name)
	wire.Number(c, &s.UID)
	wire.Number(c, &s.GID)
	wire.Many(c, &s.Groups, wire.Number[uint32])
	c.Text(&s.Home)
	c.Text(&s.Shell)
	c.Flag(&s.Become)
	wire.Many(c, &s.Args, (*wire.Coder).Text)
	wire.Many(c, &s.Env, (*wire.Coder).Text)
	c.Text(&s.Dir)
	c.Text(&s.Namespace)
	names := slices.Sorted(maps.Keys(s.Vars))
	wire.Many(c, &names, (*wire.Coder).Text)
	if c.Reading() {
		s.Vars = make(map[string]string, len(names))
	}
	for _, name := range names {
		value := s.Vars[name]
		c.Text(&value)
		s.Vars[name] = value
	}
	c.Flag(&s.TTY)
	c.Text(&s.Term)
	wire.Number(c, &s.Rows)
	wire.Number(c, &s.Cols)
	wire.Many(c, &s.Services, (*wire.Coder).Text)
	c.Flag(&s.FUSE)
}

func (x *exit) Fields(c *wire.Coder) {
	wire.Number(c, &x.Signal)
	wire.Number(c, &x.Code)
	for _, d := range []*time.Duration{&x.User, &x.Sys, &x.Since} {
		wire.Number(c, d)
	}
}

func (f *failure) Fields(c *wire.Coder) {
	wire.Number(c, &f.Errno)
	c.Text(&f.Text)
	wire.Number(c, &f.Status)
}
