package main

import (
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"cpu/cpu/dial/sshconfig"
)

// left are the variables that are about this terminal, and would mislead on another machine; those that end in _ are the beginnings
// of names. The list is in cpu(1).
var left = []string{"SSH_", "DBUS_", "XDG_RUNTIME_DIR", "XDG_SESSION_", "XDG_SEAT", "XDG_VTNR", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY",
	"SESSION_MANAGER", "WINDOWID", "GPG_AGENT_INFO", "INVOCATION_ID", "JOURNAL_STREAM", "NOTIFY_SOCKET", "LISTEN_", "PWD", "OLDPWD", "SHLVL", "_"}

// unlike says that the terminal's system is no Unix: its variables, and the paths in them, mean nothing to a command there.
const unlike = runtime.GOOS == "windows" || runtime.GOOS == "plan9"

// environment is what the command gets: the terminal's, with what SendEnv and SetEnv say, or none with -E, and what -e adds; -e NAME alone
// takes the terminal's value. Patterns in send name what is not left out.
func environment(all []string, f *flags, send, set []string) []string {
	var env []string
	if !f.noEnv {
		for _, e := range all {
			name, _, ok := strings.Cut(e, "=")
			sent := slices.ContainsFunc(send, func(p string) bool { return sshconfig.Matches(p, name) })
			if ok && name != "" && (sent || !unlike && !slices.ContainsFunc(left, func(l string) bool {
				return l == name || len(l) > 1 && strings.HasSuffix(l, "_") && strings.HasPrefix(name, l)
			})) {
				env = append(env, e)
			}
		}
		for _, e := range set {
			name, _, _ := strings.Cut(e, "=")
			env = slices.DeleteFunc(env, func(a string) bool { return strings.HasPrefix(a, name+"=") })
			env = append(env, e)
		}
	}
	for _, e := range f.env {
		name, _, ok := strings.Cut(e, "=")
		if !ok {
			i := slices.IndexFunc(all, func(a string) bool { return strings.HasPrefix(a, name+"=") })
			if i < 0 {
				continue
			}
			e = all[i]
		}
		env = slices.DeleteFunc(env, func(a string) bool { return strings.HasPrefix(a, name+"=") })
		env = append(env, e)
	}
	return env
}

// terminal is what a namespace file may know of this machine and its user, and where the user's sockets are.
type terminal struct{ user, home, dir, name, sockets string }

func localTerminal() terminal {
	t := terminal{home: os.Getenv("HOME"), user: os.Getenv("USER")}
	if u, err := user.Current(); err == nil {
		t.user = u.Username
		if t.home == "" {
			t.home = u.HomeDir
		}
	}
	t.dir, _ = os.Getwd() // without one there is no $dir, which is for the namespace file to complain about
	t.name, _ = os.Hostname()
	if run := os.Getenv("XDG_RUNTIME_DIR"); run != "" {
		t.sockets = filepath.Join(run, "cpu")
	} else if t.home != "" {
		t.sockets = filepath.Join(t.home, ".cpu")
	}
	return t
}

// vars are the variables of namespace(6) that the terminal knows. Names of files are those that the export of root has.
func (t terminal) vars(root string) map[string]string {
	vars := map[string]string{"user": t.user, "home": beneath(root, t.home), "dir": beneath(root, t.dir), "termname": t.name, "termtype": termtype}
	if id := os.Getuid(); id >= 0 {
		vars["termuid"] = strconv.Itoa(id)
		vars["termgid"] = strconv.Itoa(os.Getgid())
	}
	for name, v := range vars {
		if v == "" {
			delete(vars, name)
		}
	}
	return vars
}

// beneath is the name that path has in the export of root: / for what is not in it.
func beneath(root, path string) string {
	if path == "" {
		return ""
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return filepath.ToSlash(path)
	}
	rel, err := filepath.Rel(abs, path)
	if err != nil || !filepath.IsLocal(rel) {
		return "/"
	}
	return filepath.ToSlash(filepath.Join("/", rel))
}
