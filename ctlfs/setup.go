package ctlfs

import (
	"context"
	"slices"
	"strings"

	"cpu/lib/ninep"
	"cpu/lib/rcquote"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// openSetup opens a file that says how a session is to start. What is written through one open is one text, however many writes it
// takes; it replaces what was there, or with add, is put after it unless the open truncated the file.
func openSetup(content string, mode p9.OpenFlags, add bool, apply func(text string) error) (handle, error) {
	g := &gathered{apply: apply}
	if add && !truncates(mode) {
		base := content
		g.apply = func(text string) error { return apply(base + text) }
	}
	h := &text{content: content, written: g.written, emptied: func() error {
		g.apply = apply
		return g.emptied()
	}}
	if truncates(mode) {
		if err := h.truncate(); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func openArgs(_ context.Context, f *file, mode p9.OpenFlags) (handle, error) {
	s := f.node().session
	return openSetup(ended(rcquote.Join(s.Args())), mode, false, func(text string) error {
		words, err := rcquote.Split(text)
		if err != nil {
			return &ninep.Error{Errno: linux.EINVAL, Text: "args: " + err.Error()}
		}
		return s.SetArgs(words)
	})
}

func openDir(_ context.Context, f *file, mode p9.OpenFlags) (handle, error) {
	s := f.node().session
	return openSetup(ended(s.Dir()), mode, false, func(text string) error {
		return s.SetDir(strings.TrimSuffix(text, "\n"))
	})
}

func openNamespace(_ context.Context, f *file, mode p9.OpenFlags) (handle, error) {
	s := f.node().session
	content := ""
	if mode.Mode() != p9.WriteOnly || !truncates(mode) {
		var err error
		if content, err = s.Namespace(); err != nil {
			return nil, err
		}
	}
	return openSetup(content, mode, mode&appendFlag != 0, s.SetNamespace)
}

// openEnv: text that is added to the environment replaces what it names. A last line that has no newline yet, and makes no sense
// yet, waits for the rest.
func openEnv(_ context.Context, f *file, mode p9.OpenFlags) (handle, error) {
	s := f.node().session
	return openSetup(envText(s.Env()), mode, true, func(text string) error {
		env, err := parseEnv(text)
		if err != nil {
			return err
		}
		return s.SetEnv(env)
	})
}

// envText is an environment as env has it: NAME=value a line, the value quoted where it needs to be.
func envText(env []string) string {
	var b strings.Builder
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		b.WriteString(name + "=")
		if value != "" {
			b.WriteString(rcquote.Quote(value))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// parseEnv is envText's inverse. A later line for a name takes the place of an earlier one.
func parseEnv(text string) ([]string, error) {
	words, err := rcquote.Split(text)
	if err != nil { // a quoted value goes on in the next write
		if i := strings.LastIndexByte(text, '\n'); i >= 0 {
			if whole, err := rcquote.Split(text[:i]); err == nil {
				words = whole
			}
		}
	} else if n := len(words); n > 0 && !strings.HasSuffix(text, "\n") && !strings.Contains(words[n-1], "=") {
		words = words[:n-1]
	}
	var env []string
	at := map[string]int{}
	for _, w := range words {
		name, _, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return nil, &ninep.Error{Errno: linux.EINVAL, Text: "env: " + rcquote.Quote(w) + ": not NAME=value"}
		}
		if i, ok := at[name]; ok {
			env[i] = w
			continue
		}
		at[name] = len(env)
		env = append(env, w)
	}
	return slices.Clip(env), nil
}
