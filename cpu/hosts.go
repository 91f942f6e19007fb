package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// runOnHosts runs the command on several hosts at once, with no input. The error is the worst that becomes of it anywhere.
func (s *setup) runOnHosts(ctx context.Context) error {
	conns, err := s.network.connectFound(ctx, s.flags, s.flags.hosts, true)
	if err != nil {
		return interrupted(ctx, err)
	}
	stdout, stderr := newOutputs(os.Stdout, os.Stderr)
	statuses := make([]int, len(conns))
	s.signals.expect(len(conns))
	var running sync.WaitGroup
	for i, c := range conns {
		running.Go(func() {
			defer c.Close()
			out, errs := stdout.of(c.name), stderr.of(c.name)
			one := *s
			one.stdin, one.stdout, one.stderr, one.env = nil, out, errs, c.environment(i)
			err := one.run(ctx, c)
			out.end()
			errs.end()
			statuses[i] = report(err)
			c.Linger(ctx, func() {})
		})
	}
	running.Wait()
	worst := 0
	for _, status := range statuses {
		worst = max(worst, status)
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return reported(worst)
}

// outputs is where the lines of several hosts go, each of them whole.
type outputs struct {
	to    io.Writer
	named bool        // each line begins with its host
	turn  *sync.Mutex // of what is written to the same terminal
}

// newOutputs names the host of each line on a terminal, where somebody reads it.
func newOutputs(stdout, stderr *os.File) (out, errs outputs) {
	turn := new(sync.Mutex)
	named := func(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
	return outputs{stdout, named(stdout), turn}, outputs{stderr, named(stderr), turn}
}

// of is where one host's output goes.
func (o outputs) of(host string) *hostOutput {
	h := &hostOutput{outputs: o}
	if o.named {
		h.prefix = host + ": "
	}
	return h
}

// A hostOutput is the output of one host. end has to be called, for the last line may have no newline.
type hostOutput struct {
	outputs
	prefix string
	line   []byte // that is not complete
}

// maxLine is how much of a line is kept back.
const maxLine = 64 << 10

func (h *hostOutput) Write(p []byte) (int, error) {
	h.line = append(h.line, p...)
	end := bytes.LastIndexByte(h.line, '\n') + 1
	if end == 0 && len(h.line) < maxLine {
		return len(p), nil
	}
	if end == 0 {
		end = len(h.line)
	}
	err := h.write(h.line[:end])
	h.line = append(h.line[:0], h.line[end:]...)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (h *hostOutput) end() {
	if len(h.line) > 0 {
		h.write(append(h.line, '\n')) // a failure was told when it came first, or is of no matter any more
		h.line = nil
	}
}

// write writes lines.
func (h *hostOutput) write(lines []byte) error {
	var out []byte
	if h.prefix == "" {
		out = lines
	} else {
		for line := range bytes.Lines(lines) {
			out = append(append(out, h.prefix...), line...)
		}
	}
	h.turn.Lock()
	defer h.turn.Unlock()
	_, err := h.to.Write(out)
	return err
}
