//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"

	"cpu/cpud/boot"
)

// openLog opens the log that the flags ask for: standard error, the kernel's, or syslog.
func openLog(f *flags, level slog.Leveler) (*slog.Logger, error) {
	var out io.Writer = os.Stderr
	switch {
	case f.syslog:
		h, err := newSyslog(level)
		if err != nil {
			return nil, fmt.Errorf("-syslog: %w", err)
		}
		return slog.New(h), nil
	case f.klog:
		var err error
		if out, err = boot.KernelLog(); err != nil {
			return nil, err
		}
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level})), nil
}

// A syslogHandler writes to syslog(3), each record with its severity. It has a handler for each, for these are what turns a record into a line.
type syslogHandler struct{ debug, info, warn, err slog.Handler }

// newSyslog connects to the machine's syslog, as cpud, with the facility that sshd has.
func newSyslog(level slog.Leveler) (slog.Handler, error) {
	w, err := syslog.New(syslog.LOG_AUTH|syslog.LOG_INFO, "cpud")
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{} // syslog has its own
		}
		return a
	}}
	handler := func(write func(string) error) slog.Handler { return slog.NewTextHandler(lines(write), options) }
	return &syslogHandler{handler(w.Debug), handler(w.Info), handler(w.Warning), handler(w.Err)}, nil
}

// lines is a Writer of whole lines.
type lines func(string) error

func (l lines) Write(p []byte) (int, error) {
	if err := l(string(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (h *syslogHandler) of(l slog.Level) slog.Handler {
	switch {
	case l < slog.LevelInfo:
		return h.debug
	case l < slog.LevelWarn:
		return h.info
	case l < slog.LevelError:
		return h.warn
	}
	return h.err
}

func (h *syslogHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return h.of(l).Enabled(ctx, l)
}

func (h *syslogHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.of(r.Level).Handle(ctx, r)
}

func (h *syslogHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return &syslogHandler{h.debug.WithAttrs(a), h.info.WithAttrs(a), h.warn.WithAttrs(a), h.err.WithAttrs(a)}
}

func (h *syslogHandler) WithGroup(name string) slog.Handler {
	return &syslogHandler{h.debug.WithGroup(name), h.info.WithGroup(name), h.warn.WithGroup(name), h.err.WithGroup(name)}
}
