package ctlfs

import (
	"context"
	"strings"

	"cpu/lib/rcquote"

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
	h := &text{content: content, written: g.written, emptied: func() error { return g.emptied(apply) }}
	if truncates(mode) {
		if err := h.truncate(); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// openArgs: text that ends within quotes is incomplete.
func openArgs(_ context.Context, f *file, mode p9.OpenFlags) (handle, error) {
	s := f.node().session
	return openSetup(ended(rcquote.Join(s.Args())), mode, false, func(text string) error {
		words, err := rcquote.Split(text)
		if err != nil {
			err = invalid("args: %v", err)
		}
		if err := s.SetArgs(words); err != nil {
			return err
		}
		s.Incomplete("args", err)
		return nil
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
// yet, is incomplete.
func openEnv(_ context.Context, f *file, mode p9.OpenFlags) (handle, error) {
	s := f.node().session
	return openSetup(envText(s.Env()), mode, true, func(text string) error {
		env, incomplete, err := parseEnv(text)
		if err != nil {
			return s.Fail(err)
		}
		if err := s.SetEnv(env); err != nil {
			return err
		}
		s.Incomplete("env", incomplete)
		return nil
	})
}

// envText is an environment as env has it: NAME=value a line, either side quoted where it needs to be.
func envText(env []string) string {
	var b strings.Builder
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		b.WriteString(rcquote.Quote(name) + "=")
		if value != "" {
			b.WriteString(rcquote.Quote(value))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// parseEnv is envText's inverse. A later line for a name takes the place of an earlier one. Incomplete says what is wrong with a last line
// that may go on in the next write.
func parseEnv(text string) (env []string, incomplete, err error) {
	words, err := rcquote.Split(text)
	if err != nil { // within a quoted value, which nothing after it can be told from
		return nil, invalid("env: %v", err), nil
	}
	at := map[string]int{}
	for i, w := range words {
		name, _, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			err := invalid("env: %s: not NAME=value", rcquote.Quote(w))
			if i == len(words)-1 && !strings.HasSuffix(text, "\n") {
				return env, err, nil
			}
			return nil, nil, err
		}
		if i, ok := at[name]; ok {
			env[i] = w
			continue
		}
		at[name] = len(env)
		env = append(env, w)
	}
	return env, nil, nil
}
