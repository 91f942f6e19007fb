package dial

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// files are the configuration files that there are, the one that counts first.
func (c *Config) files() ([]string, error) {
	switch c.ConfigFile {
	case "none":
		return nil, nil
	case "":
		var all []string
		for _, f := range []string{filepath.Join(c.Home, ".ssh", "config"), "/etc/ssh/ssh_config"} {
			if _, err := os.Stat(f); err == nil {
				all = append(all, f)
			}
		}
		return all, nil
	}
	if _, err := os.Stat(c.ConfigFile); err != nil {
		return nil, err
	}
	return []string{c.ConfigFile}, nil
}

// settings asks whoever knows best.
func (c *Config) settings(ctx context.Context, name, user string) (settings, error) {
	files, err := c.files()
	if err != nil {
		return nil, err
	}
	program, err := exec.LookPath("ssh")
	if err != nil {
		return c.askLibrary(files, name)
	}
	return c.askSSH(ctx, program, files, name, user)
}

// askSSH asks `ssh -G`. What that reads is a file that includes the user's and the system's and ends in our defaults: so 22, OpenSSH's own,
// is only said where it is configured, and the home is the one given, not that of passwd(5).
func (c *Config) askSSH(ctx context.Context, program string, files []string, name, user string) (settings, error) {
	var text strings.Builder
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&text, "Match all\nInclude \"%s\"\n", literal.Replace(filepath.ToSlash(abs)))
	}
	known := filepath.ToSlash(filepath.Join(c.Home, ".ssh", "known_hosts"))
	fmt.Fprintf(&text, "Match all\nPort %s\nControlMaster auto\nControlPath %s\nUserKnownHostsFile \"%s\" \"%s2\"\n", c.defaultPort(), unsetPath, known, known)
	file, err := os.CreateTemp("", "cpu-ssh-config-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(text.String())
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	args := []string{"-G", "-F", file.Name()}
	for flag, value := range map[string]string{"-l": user, "-p": c.Port} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	for _, f := range c.IdentityFiles {
		args = append(args, "-i", f)
	}
	for _, o := range c.Options {
		args = append(args, "-o", o)
	}
	cmd := exec.CommandContext(ctx, program, append(args, "--", name)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		if said := strings.TrimSpace(errs.String()); said != "" {
			return nil, fmt.Errorf("ssh -G: %s", strings.Join(strings.FieldsFunc(said, func(r rune) bool { return r == '\r' || r == '\n' }), "; "))
		}
		return nil, fmt.Errorf("ssh -G: %w", err)
	}
	s := settings{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		keyword, value, _ := strings.Cut(lines.Text(), " ")
		s[keyword] = append(s[keyword], value)
	}
	return s, nil
}

// unsetPath stands for a ControlPath that nobody has set; what ssh says of `none` is nothing.
const unsetPath = "/cpu/unset"

// literal makes the name of a file one that Include, which takes glob(7) patterns, takes as it is.
var literal = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]")

// keywords are those that are looked for in a configuration without ssh's help.
var keywords = []string{"HostName", "Port", "User", "IdentityFile", "IdentitiesOnly", "IdentityAgent", "UserKnownHostsFile", "GlobalKnownHostsFile",
	"HashKnownHosts", "StrictHostKeyChecking", "HostKeyAlias", "ConnectTimeout", "AddressFamily", "ProxyCommand", "ProxyJump",
	"ControlMaster", "ControlPath", "ControlPersist", "ServerAliveInterval", "ServerAliveCountMax",
	"ForwardAgent", "LocalForward", "RemoteForward", "DynamicForward", "ExitOnForwardFailure", "ClearAllForwardings", "GatewayPorts"}

// defaults are ssh's, for what it does not say itself.
var defaults = settings{
	"identityfile":         {"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk"},
	"userknownhostsfile":   {"~/.ssh/known_hosts ~/.ssh/known_hosts2"},
	"controlpath":          {unsetPath},
	"globalknownhostsfile": {"/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"},
}

// askLibrary reads the files with the library.
func (c *Config) askLibrary(files []string, name string) (settings, error) {
	s := settings{}
	add := func(keyword, value string) {
		keyword = strings.ToLower(keyword)
		if len(s[keyword]) == 0 || keyword == "identityfile" || strings.HasSuffix(keyword, "forward") {
			s[keyword] = append(s[keyword], value)
		}
	}
	for _, f := range c.IdentityFiles {
		add("IdentityFile", f)
	}
	for _, o := range c.Options {
		i := strings.IndexAny(o, "= \t")
		if i <= 0 {
			return nil, fmt.Errorf("-o %s: want option=value", o)
		}
		add(o[:i], strings.Trim(strings.TrimLeft(o[i:], "= \t"), `"`))
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		config, err := ssh_config.Decode(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, k := range keywords {
			values, err := config.GetAll(name, k)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			for _, v := range values {
				add(k, v)
			}
		}
	}
	for k, v := range defaults {
		if len(s[k]) == 0 {
			s[k] = v
		}
	}
	return s, nil
}
