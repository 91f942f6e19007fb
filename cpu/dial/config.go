package dial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"cpu/lib/transport"
)

// Host is what is known of a host before it is dialled.
type Host struct {
	Name           string // as the user gave it, without user@
	HostName, Port string
	User           string
	Alias          string   // HostKeyAlias: the name in known_hosts, without a port; "" is none
	IdentityFiles  []string // that may be missing
	IdentitiesOnly bool     // keys of the agent that no identity file names are not tried
	Agent          string   // socket; "" is none
	UserKnownHosts []string // the first is where new hosts are remembered
	KnownHosts     []string // the global ones
	HashKnownHosts bool
	Strict         string // StrictHostKeyChecking: yes, ask, accept-new, no
	ProxyCommand   string // for the shell; "" is none
	ProxyJump      []string
	ConnectTimeout time.Duration // until the host has proven its key; 0: the system's

	AliveInterval time.Duration // how often the server is asked whether it is there; 0 is never
	AliveCount    int           // how many questions it may leave unanswered

	ControlMaster  bool          // the connection may be shared with others to the same host
	ControlPath    string        // the socket for that; "" is for the caller to choose, NoControlPath is none
	ControlPersist time.Duration // how long an unused connection is kept for others: 0 not at all, ForEver

	// What is to be forwarded, each as -L, -R and -D of ssh(1) take it. The package forwards nothing itself.
	LocalForwards, RemoteForwards, DynamicForwards []string

	ForwardAgent         string // socket of the agent that the host may use; "" is none
	ExitOnForwardFailure bool
	GatewayPorts         bool // local forwards without a bind address listen on every address

	network string // tcp, tcp4, tcp6
}

// NoControlPath is a ControlPath of `none`.
const NoControlPath = "none"

// ForEver is a ControlPersist of `yes`, or 0.
const ForEver time.Duration = -1

// settings are what a configuration says: the values of each keyword, in lower case, the one that counts first.
type settings map[string][]string

// first is the value that counts, "" where there is none or it is `none`.
func (s settings) first(keyword string) string {
	if v := s[keyword]; len(v) > 0 && v[0] != "none" {
		return v[0]
	}
	return ""
}

// Resolve says what the configuration, the options and the caller's own words make of a host. Nothing is dialled.
func (c *Config) Resolve(ctx context.Context, host string) (*Host, error) {
	user, name := cut(host)
	name, err := transport.Join(c.Network, unbracket(name))
	if err != nil {
		return nil, err
	}
	user = cmp.Or(c.User, user)
	if name == "" || name[0] == '-' || strings.ContainsAny(name, " \t\r\n\x00") {
		return nil, errors.New("not the name of a host")
	}
	for _, f := range c.IdentityFiles {
		if _, err := os.Stat(f); err != nil {
			return nil, fmt.Errorf("identity: %w", err)
		}
	}
	if c.Port != "" {
		if err := checkPort(c.Port); err != nil {
			return nil, err
		}
	}
	s, err := c.settings(ctx, name, user)
	if err != nil {
		return nil, err
	}
	return c.host(name, user, s)
}

// cut takes user@ off a host.
func cut(host string) (user, name string) {
	i := strings.LastIndexByte(host, '@')
	if i < 0 {
		return "", host
	}
	return host[:i], host[i+1:]
}

// unbracket takes the brackets off an address.
func unbracket(name string) string {
	if inner, ok := strings.CutPrefix(name, "["); ok {
		return strings.TrimSuffix(inner, "]")
	}
	return name
}

func checkPort(port string) error {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("port %s: not a port", port)
	}
	return nil
}

// host makes a Host of settings.
func (c *Config) host(name, user string, s settings) (*Host, error) {
	h := &Host{Name: name, User: cmp.Or(user, s.first("user"), c.LocalUser), Port: cmp.Or(c.Port, s.first("port"), c.defaultPort()),
		Alias: s.first("hostkeyalias"), IdentitiesOnly: s.first("identitiesonly") == "yes", HashKnownHosts: s.first("hashknownhosts") == "yes"}
	if err := checkPort(h.Port); err != nil {
		return nil, err
	}
	h.HostName = unbracket(strings.NewReplacer("%%", "%", "%h", name).Replace(cmp.Or(s.first("hostname"), name)))
	if strings.EqualFold(h.HostName, name) {
		h.HostName = name // ssh makes it lower case, which a path is not to be
	}
	if j := s.first("proxyjump"); j != "" {
		h.ProxyJump = strings.Split(j, ",")
	}

	tokens := c.tokens(h)
	for _, f := range s["identityfile"] {
		if f != "none" {
			h.IdentityFiles = append(h.IdentityFiles, c.path(tokens, f))
		}
	}
	switch agent := s["identityagent"]; {
	case len(agent) == 0 || agent[0] == "SSH_AUTH_SOCK":
		h.Agent = c.getenv("SSH_AUTH_SOCK")
	case agent[0] == "none":
	case agent[0][0] == '$':
		h.Agent = c.getenv(strings.Trim(agent[0], "${}"))
	default:
		h.Agent = c.path(tokens, agent[0])
	}
	for keyword, list := range map[string]*[]string{"userknownhostsfile": &h.UserKnownHosts, "globalknownhostsfile": &h.KnownHosts} {
		for _, f := range strings.Fields(s.first(keyword)) {
			*list = append(*list, c.path(tokens, f))
		}
	}
	if p := s.first("proxycommand"); p != "" {
		h.ProxyCommand, h.ProxyJump = tokens.Replace(p), nil
	}
	switch s.first("addressfamily") {
	case "inet":
		h.network = "tcp4"
	case "inet6":
		h.network = "tcp6"
	default:
		h.network = "tcp"
	}
	h.forwards(c, tokens, s)
	var err error
	if h.ConnectTimeout, err = seconds(s, "connecttimeout", "0"); err != nil {
		return nil, err
	}
	if h.AliveInterval, err = seconds(s, "serveraliveinterval", "0"); err != nil {
		return nil, err
	}
	if h.AliveCount, err = strconv.Atoi(cmp.Or(s.first("serveralivecountmax"), "3")); err != nil {
		return nil, fmt.Errorf("ServerAliveCountMax=%s: not a number", s.first("serveralivecountmax"))
	}
	if err := h.control(c, tokens, s); err != nil {
		return nil, err
	}
	switch strict := s.first("stricthostkeychecking"); strict {
	case "", "ask":
		h.Strict = "ask"
	case "yes", "true":
		h.Strict = "yes"
	case "no", "off", "false":
		h.Strict = "no"
	case "accept-new":
		h.Strict = strict
	default:
		return nil, fmt.Errorf("StrictHostKeyChecking=%s: want yes, ask, accept-new or no", strict)
	}
	return h, nil
}

// control sets what is said of shared connections. Those that ask before they are used are not shared.
func (h *Host) control(c *Config, tokens *strings.Replacer, s settings) error {
	switch s.first("controlmaster") {
	case "", "auto", "yes", "true":
		h.ControlMaster = true
	}
	switch p := s.first("controlpath"); p {
	case "":
		h.ControlPath = NoControlPath
	case unsetPath:
	default:
		h.ControlPath = c.path(tokens, p)
	}
	switch p := s.first("controlpersist"); p {
	case "", "no", "false":
	case "yes", "true", "0":
		h.ControlPersist = ForEver
	default:
		d, err := parseTime(p)
		if err != nil {
			return fmt.Errorf("ControlPersist=%s: not a time", p)
		}
		h.ControlPersist = d
	}
	return nil
}

// forwards sets what is said of forwarding.
func (h *Host) forwards(c *Config, tokens *strings.Replacer, s settings) {
	switch agent := s.first("forwardagent"); {
	case agent == "", agent == "no", agent == "false":
	case agent == "yes", agent == "true":
		h.ForwardAgent = h.Agent
	case agent[0] == '$' && !strings.HasPrefix(agent, "${"):
		h.ForwardAgent = c.getenv(agent[1:])
	default:
		h.ForwardAgent = c.path(tokens, agent)
	}
	h.ExitOnForwardFailure, h.GatewayPorts = s.first("exitonforwardfailure") == "yes", s.first("gatewayports") == "yes"
	if s.first("clearallforwardings") == "yes" {
		return
	}
	for keyword, list := range map[string]*[]string{"localforward": &h.LocalForwards, "remoteforward": &h.RemoteForwards, "dynamicforward": &h.DynamicForwards} {
		for _, v := range s[keyword] {
			*list = append(*list, strings.Join(strings.Fields(strings.TrimSuffix(v, " [socks]:0")), ":"))
		}
	}
}

// parseTime reads a time as sshd_config(5) has it: seconds, or numbers with units.
func parseTime(s string) (d time.Duration, err error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	for s != "" {
		i := 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		n, err := strconv.Atoi(s[:i])
		if err != nil {
			return 0, err
		}
		unit := time.Second
		if s = s[i:]; s != "" {
			var ok bool
			if unit, ok = units[s[0]|0x20]; !ok {
				return 0, strconv.ErrSyntax
			}
			s = s[1:]
		}
		d += time.Duration(n) * unit
	}
	return d, nil
}

// seconds is a keyword's number of seconds.
func seconds(s settings, keyword, otherwise string) (time.Duration, error) {
	v := cmp.Or(s.first(keyword), otherwise)
	d, err := parseTime(v)
	if err != nil {
		return 0, fmt.Errorf("%s=%s: not a number of seconds", keyword, v)
	}
	return d, nil
}
