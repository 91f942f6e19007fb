package dial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"cpu/cpu/dial/sshconfig"
	"cpu/lib/transport"
)

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
	s, err := sshconfig.Resolve(ctx, c.query(name, user))
	if err != nil {
		return nil, err
	}
	return c.host(name, user, s)
}

// query asks what the configuration says of a host.
func (c *Config) query(name, user string) *sshconfig.Query {
	q := &sshconfig.Query{Host: name, User: user, Port: c.Port, Identities: c.IdentityFiles, Options: c.Options, Command: c.Command, DefaultPort: c.defaultPort(),
		UserDir: filepath.Join(c.Home, ".ssh"), SystemDir: systemDir,
		Home: c.Home, LocalUser: c.LocalUser, UID: uid(), LocalHost: localHost(), Getenv: c.Getenv, Lookup: net.DefaultResolver.LookupCNAME, Log: c.log()}
	switch c.ConfigFile {
	case "none":
	case "":
		if c.Home != "" {
			q.UserFile = filepath.Join(q.UserDir, "config")
		}
		q.SystemFile = filepath.Join(q.SystemDir, "ssh_config")
	default:
		q.File = c.ConfigFile
	}
	return q
}

// systemDir is where the system's configuration is.
const systemDir = "/etc/ssh"

func uid() string { return strconv.Itoa(os.Getuid()) }

// localHost is the name of this machine; without one it is "".
func localHost() string {
	name, _ := os.Hostname()
	return name
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

// defaultIdentities are the keys of a user who has configured none.
var defaultIdentities = []string{"~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk"}

// host makes a Host of settings.
func (c *Config) host(name, user string, s sshconfig.Settings) (*Host, error) {
	h := &Host{Name: name, HostName: unbracket(s.First("hostname")), Port: cmp.Or(s.First("port"), c.defaultPort()),
		User: cmp.Or(user, c.LocalUser), Alias: strings.ToLower(s.First("hostkeyalias")),
		IdentitiesOnly: s.Yes("identitiesonly"), BatchMode: s.Yes("batchmode"), AddKeys: cmp.Or(s.First("addkeystoagent"), "no"),
		HashKnownHosts: s.Yes("hashknownhosts"), Strict: cmp.Or(s.First("stricthostkeychecking"), "ask"),
		BindAddress: s.First("bindaddress"), Attempts: 1, AliveCount: 3, RSASize: minRSASize,
		RequestTTY: s.First("requesttty"), SendEnv: s["sendenv"], LogLevel: s.First("loglevel")}
	if jump := s["proxyjump"]; s.Word("proxyjump") != "" {
		h.ProxyJump = jump
	}
	e := &expansion{tokens: c.tokens(h)}
	if configured := s.First("user"); user == "" && configured != "" {
		h.User = e.env(configured)
		e.tokens = c.tokens(h)
	}
	h.files(s, e)
	h.agents(s, e)
	h.control(s, e)
	h.forwards(s, e)
	h.algorithms(c, s, e)
	h.session(s, e)
	if p := s.Word("proxycommand"); p != "" {
		h.ProxyCommand = e.command(p)
	}
	h.network = map[string]string{"inet": "tcp4", "inet6": "tcp6"}[s.First("addressfamily")]
	h.network = cmp.Or(h.network, "tcp")
	h.ConnectTimeout, h.AliveInterval = seconds(s.Word("connecttimeout")), seconds(s.Word("serveraliveinterval"))
	for keyword, number := range map[string]*int{"connectionattempts": &h.Attempts, "serveralivecountmax": &h.AliveCount,
		"requiredrsasize": &h.RSASize} {
		if n, err := strconv.Atoi(s.First(keyword)); err == nil {
			*number = n
		}
	}
	if h.Attempts < 1 {
		e.fail(fmt.Errorf("ConnectionAttempts=%d: want at least one", h.Attempts))
	}
	return h, e.err
}

// An expansion replaces tokens, and keeps the first error.
type expansion struct {
	tokens *sshconfig.Tokens
	err    error
}

func (e *expansion) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *expansion) do(expand func(string) (string, error), s string) string {
	s, err := expand(s)
	if err != nil {
		e.fail(err)
	}
	return s
}

func (e *expansion) path(s string) string    { return e.do(e.tokens.Path, s) }
func (e *expansion) env(s string) string     { return e.do(e.tokens.ExpandEnv, s) }
func (e *expansion) command(s string) string { return e.do(e.tokens.Expand, s) }

// paths are those of a list, without `none`, each once.
func (e *expansion) paths(all []string) []string {
	var paths []string
	for _, p := range all {
		if strings.EqualFold(p, "none") {
			continue
		}
		if p = e.path(p); !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	return paths
}

// seconds is a time that sshconfig has read; "" is 0.
func seconds(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// files sets what is said of keys, certificates and lists of hosts.
func (h *Host) files(s sshconfig.Settings, e *expansion) {
	identities := s["identityfile"]
	if len(identities) == 0 {
		identities = defaultIdentities
	}
	h.IdentityFiles, h.CertificateFiles = e.paths(identities), e.paths(s["certificatefile"])
	users := s["userknownhostsfile"]
	if len(users) == 0 {
		users = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
	}
	h.UserKnownHosts, h.RevokedHostKeys = e.paths(users), e.paths(s["revokedhostkeys"])
	h.KnownHostsCommand = s.Word("knownhostscommand")
	switch global := s["globalknownhostsfile"]; {
	case len(global) == 0:
		h.KnownHosts = []string{systemDir + "/ssh_known_hosts", systemDir + "/ssh_known_hosts2"}
	case s.Word("globalknownhostsfile") != "":
		h.KnownHosts = global // which has no tokens
	}
}

// agents sets which agent is asked, what it is given, and who else may use it.
func (h *Host) agents(s sshconfig.Settings, e *expansion) {
	h.Agent = e.socket(cmp.Or(s.First("identityagent"), "SSH_AUTH_SOCK"))
	if add := s["addkeystoagent"]; len(add) > 1 {
		h.AddKeysTime = seconds(add[1])
	}
	switch agent := s.First("forwardagent"); agent {
	case "", "no":
	case "yes":
		h.ForwardAgent = h.Agent
	default:
		h.ForwardAgent = e.socket(agent)
	}
}

// socket is the path of an agent's socket, by a name of the environment or as it is.
func (e *expansion) socket(s string) string {
	name, variable := strings.CutPrefix(s, "$")
	switch {
	case strings.EqualFold(s, "none"), e.tokens.Getenv == nil && s == "SSH_AUTH_SOCK":
		return ""
	case s == "SSH_AUTH_SOCK", variable && !strings.HasPrefix(name, "{"):
		if e.tokens.Getenv == nil {
			return ""
		}
		return e.tokens.Getenv(name)
	}
	return e.path(s)
}

// control sets what is said of shared connections. Those that ask before they are used are not shared.
func (h *Host) control(s sshconfig.Settings, e *expansion) {
	switch s.First("controlmaster") {
	case "", "auto", "yes":
		h.ControlMaster = true
	}
	switch p := s.First("controlpath"); {
	case p == "":
	case strings.EqualFold(p, "none"):
		h.ControlPath = NoControlPath
	default:
		h.ControlPath = e.path(p)
	}
	switch p := s.First("controlpersist"); p {
	case "", "no":
	case "yes", "0":
		h.ControlPersist = ForEver
	default:
		h.ControlPersist = seconds(p)
	}
}

// forwards sets what is said of forwarding.
func (h *Host) forwards(s sshconfig.Settings, e *expansion) {
	h.ExitOnForwardFailure, h.GatewayPorts = s.Yes("exitonforwardfailure"), s.Yes("gatewayports")
	if s.Yes("clearallforwardings") {
		return
	}
	switch permitted := s["permitremoteopen"]; {
	case len(permitted) == 0, strings.EqualFold(permitted[0], "any"):
	case strings.EqualFold(permitted[0], "none"):
		h.PermitRemoteOpen = []string{}
	default:
		h.PermitRemoteOpen = permitted
	}
	for keyword, list := range map[string]*[]string{"localforward": &h.LocalForwards, "remoteforward": &h.RemoteForwards, "dynamicforward": &h.DynamicForwards} {
		for _, f := range s[keyword] {
			*list = append(*list, e.env(f))
		}
	}
}

// session sets what the session is to have.
func (h *Host) session(s sshconfig.Settings, e *expansion) {
	switch c := s.First("escapechar"); c {
	case "":
		h.EscapeChar = '~'
	case "none":
	default:
		h.EscapeChar = c[0]
	}
	for _, v := range s["setenv"] {
		name, value, _ := strings.Cut(v, "=")
		h.SetEnv = append(h.SetEnv, name+"="+e.env(value))
	}
}
