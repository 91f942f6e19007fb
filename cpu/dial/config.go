package dial

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kevinburke/ssh_config"
)

// Host is what is known of a host before it is dialled.
type Host struct {
	Name           string // as the user gave it, without user@
	HostName, Port string
	User           string
	Alias          string // HostKeyAlias: the name in known_hosts, without a port; "" is none
	IdentityFiles  []string
	IdentitiesOnly bool   // keys of the agent that no identity file names are not tried
	Agent          string // socket; "" is none
	UserKnownHosts []string
	KnownHosts     []string // all files, the user's first
	Strict         string   // StrictHostKeyChecking: yes, ask, accept-new, no
	ProxyCommand   string   // tokens replaced; "" is none
	ProxyJump      []string
	ConnectTimeout time.Duration // 0: the system's

	network string // tcp, tcp4, tcp6
}

// Resolve says what the configuration, the options and the caller's own words make of a host. Nothing is dialled.
func (c *Config) Resolve(ctx context.Context, host string) (*Host, error) {
	user, name, ok := cut(host)
	if !ok {
		name = host
	}
	user = cmp.Or(c.User, user)
	if name == "" || strings.HasPrefix(name, "-") {
		return nil, errors.New("not the name of a host")
	}
	settings := map[string][]string{}
	for _, o := range c.Options {
		key, value, ok := strings.Cut(strings.TrimSpace(o), "=")
		if !ok {
			key, value, ok = strings.Cut(strings.TrimSpace(o), " ")
		}
		if !ok || key == "" {
			return nil, fmt.Errorf("-o %s: want option=value", o)
		}
		add(settings, strings.TrimSpace(key), strings.Trim(strings.TrimSpace(value), `"`))
	}
	configured, err := c.configured(ctx, name, user)
	if err != nil {
		return nil, err
	}
	for key, values := range configured {
		if _, ok := settings[key]; !ok || key == "identityfile" {
			settings[key] = append(settings[key], values...)
		}
	}
	return c.host(name, user, settings)
}

// cut takes user@ off a host.
func cut(host string) (user, name string, ok bool) {
	i := strings.LastIndexByte(host, '@')
	if i < 0 {
		return "", host, false
	}
	return host[:i], host[i+1:], true
}

func add(settings map[string][]string, key, value string) {
	key = strings.ToLower(key)
	if len(settings[key]) > 0 && key != "identityfile" {
		return // the first value counts
	}
	settings[key] = append(settings[key], value)
}

// configured is what the configuration files say; keys are in lower case.
func (c *Config) configured(ctx context.Context, name, user string) (map[string][]string, error) {
	var files []string
	switch c.ConfigFile {
	case "none":
		return nil, nil
	case "":
		for _, f := range []string{filepath.Join(c.Home, ".ssh", "config"), "/etc/ssh/ssh_config"} {
			if _, err := os.Stat(f); err == nil {
				files = append(files, f)
			}
		}
	default:
		if _, err := os.Stat(c.ConfigFile); err != nil {
			return nil, err
		}
		files = []string{c.ConfigFile}
	}
	if len(files) == 0 {
		return nil, nil
	}
	if program, err := exec.LookPath("ssh"); err == nil {
		return c.askSSH(ctx, program, files, name, user)
	}
	return askLibrary(files, name)
}

// askSSH asks `ssh -G`. What it reads is a file that includes the user's and the system's, so that the defaults at its end are those of
// cpu and can be told from what is configured.
func (c *Config) askSSH(ctx context.Context, program string, files []string, name, user string) (map[string][]string, error) {
	var text strings.Builder
	for _, f := range files {
		abs, err := filepath.Abs(f)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&text, "Match all\nInclude \"%s\"\n", abs)
	}
	fmt.Fprintf(&text, "Match all\nPort %s\n", DefaultPort)
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
	if user != "" {
		args = append(args, "-l", user)
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
			return nil, fmt.Errorf("ssh -G: %s", strings.ReplaceAll(said, "\n", "; "))
		}
		return nil, fmt.Errorf("ssh -G: %w", err)
	}
	settings := map[string][]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " ")
		settings[key] = append(settings[key], value)
	}
	return settings, nil
}

// keywords are those that are looked for in a configuration without ssh's help.
var keywords = []string{"HostName", "Port", "User", "IdentityFile", "IdentitiesOnly", "IdentityAgent", "UserKnownHostsFile", "GlobalKnownHostsFile",
	"StrictHostKeyChecking", "HostKeyAlias", "ConnectTimeout", "AddressFamily", "ProxyCommand", "ProxyJump"}

func askLibrary(files []string, name string) (map[string][]string, error) {
	settings := map[string][]string{}
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
				add(settings, k, v)
			}
		}
	}
	return settings, nil
}

// defaultIdentities are tried where none is configured, in ssh's order.
var defaultIdentities = []string{"id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk"}

// host makes a Host of settings.
func (c *Config) host(name, user string, settings map[string][]string) (*Host, error) {
	get := func(key string) string {
		if v := settings[key]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	none := func(s string) string {
		if s == "none" {
			return ""
		}
		return s
	}
	h := &Host{Name: name, HostName: cmp.Or(get("hostname"), name), network: "tcp"}
	h.HostName = strings.TrimSuffix(strings.TrimPrefix(strings.ReplaceAll(h.HostName, "%h", name), "["), "]")
	h.Port = cmp.Or(c.Port, get("port"), DefaultPort)
	if _, err := strconv.ParseUint(h.Port, 10, 16); err != nil {
		return nil, fmt.Errorf("port %s: not a port", h.Port)
	}
	h.User = cmp.Or(user, get("user"), c.LocalUser)
	h.Alias = none(get("hostkeyalias"))
	expand := h.expander(c)

	h.IdentitiesOnly = get("identitiesonly") == "yes"
	h.IdentityFiles = append(h.IdentityFiles, c.IdentityFiles...)
	for _, f := range settings["identityfile"] {
		if f = none(f); f != "" {
			h.IdentityFiles = append(h.IdentityFiles, expand(f))
		}
	}
	if len(h.IdentityFiles) == 0 && len(settings["identityfile"]) == 0 {
		for _, f := range defaultIdentities {
			h.IdentityFiles = append(h.IdentityFiles, filepath.Join(c.Home, ".ssh", f))
		}
	}
	switch agent := get("identityagent"); agent {
	case "", "SSH_AUTH_SOCK":
		h.Agent = c.AgentSocket
	case "none":
	default:
		h.Agent = expand(agent)
	}
	list := func(key, fallback string) []string {
		var files []string
		for _, f := range strings.Fields(cmp.Or(get(key), fallback)) {
			if f = none(f); f != "" {
				files = append(files, expand(f))
			}
		}
		return files
	}
	h.UserKnownHosts = list("userknownhostsfile", "~/.ssh/known_hosts ~/.ssh/known_hosts2")
	h.KnownHosts = append(h.KnownHosts, h.UserKnownHosts...)
	h.KnownHosts = append(h.KnownHosts, list("globalknownhostsfile", "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2")...)
	switch s := get("stricthostkeychecking"); s {
	case "", "ask":
		h.Strict = "ask"
	case "yes", "true":
		h.Strict = "yes"
	case "no", "off", "false":
		h.Strict = "no"
	case "accept-new":
		h.Strict = s
	default:
		return nil, fmt.Errorf("StrictHostKeyChecking=%s: want yes, ask, accept-new or no", s)
	}
	switch get("addressfamily") {
	case "inet":
		h.network = "tcp4"
	case "inet6":
		h.network = "tcp6"
	}
	if t := none(get("connecttimeout")); t != "" {
		n, err := strconv.Atoi(t)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("ConnectTimeout=%s: not a number of seconds", t)
		}
		h.ConnectTimeout = time.Duration(n) * time.Second
	}
	h.ProxyCommand = none(get("proxycommand"))
	if h.ProxyCommand != "" {
		h.ProxyCommand = expand(h.ProxyCommand)
	} else if j := none(get("proxyjump")); j != "" {
		h.ProxyJump = strings.Split(j, ",")
	}
	return h, nil
}

// expander replaces ~ and the tokens of ssh_config(5).
func (h *Host) expander(c *Config) func(string) string {
	tokens := strings.NewReplacer("%%", "%", "%h", h.HostName, "%p", h.Port, "%r", h.User, "%n", h.Name, "%u", c.LocalUser, "%d", c.Home)
	return func(s string) string {
		if rest, ok := strings.CutPrefix(s, "~/"); ok {
			s = filepath.Join(c.Home, rest)
		}
		return tokens.Replace(s)
	}
}

// exists says whether a file can be looked at.
func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}
