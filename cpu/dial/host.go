package dial

import (
	"time"

	"cpu/cpu/dial/sshconfig"
)

// Host is what is known of a host before it is dialled.
type Host struct {
	Name           string // as the user gave it, without user@
	HostName, Port string
	User           string
	Alias          string // HostKeyAlias: the name in known_hosts, without a port; "" is none

	IdentityFiles    []string // that may be missing
	CertificateFiles []string // of the user; without any, those beside the identity files are looked for
	IdentitiesOnly   bool     // keys of the agent that no identity file names are not tried
	Agent            string   // socket; "" is none
	AddKeys          string   // whether keys that have been used are handed to the agent: no, yes, ask, confirm
	AddKeysTime      time.Duration
	BatchMode        bool // nobody is to be asked anything

	UserKnownHosts    []string // the first is where new hosts are remembered
	KnownHosts        []string // the global ones
	KnownHostsCommand string   // whose output is one more; it has tokens still; "" is none
	RevokedHostKeys   []string // lists that lib/krl reads
	HashKnownHosts    bool
	Strict            string // StrictHostKeyChecking: yes, ask, accept-new, no

	// Names of algorithms, best first; nil is the default.
	HostKeyAlgorithms, CASignatures, PubkeyAlgorithms, Ciphers, KeyExchanges, MACs []string

	RSASize int // RequiredRSASize: the bits of RSA keys, the host's and the user's; less than 1024 is 1024

	ProxyCommand   string // for the shell; "" is none
	ProxyJump      []string
	BindAddress    string        // of this machine; "" is any
	Attempts       int           // how often a connection is tried, a second apart
	ConnectTimeout time.Duration // until the host has proven its key; 0: the system's

	AliveInterval time.Duration // how often the server is asked whether it is there; 0 is never
	AliveCount    int           // how many questions it may leave unanswered

	ControlMaster  bool          // the connection may be shared with others to the same host
	ControlPath    string        // the socket for that; "" is for the caller to choose, NoControlPath is none
	ControlPersist time.Duration // how long an unused connection is kept for others: 0 not at all, ForEver

	// What is to be forwarded, each as -L, -R and -D of ssh(1) take it. The package forwards nothing itself.
	LocalForwards, RemoteForwards, DynamicForwards []string

	PermitRemoteOpen     []string // where clients of RemoteForwards without an end may be connected: host:port each, with * for any; nil is anywhere
	ForwardAgent         string   // socket of the agent that the host may use; "" is none
	ExitOnForwardFailure bool
	GatewayPorts         bool // local forwards without a bind address listen on every address

	// What the session is to have. The package does nothing with it.
	RequestTTY string   // "", yes, no, force or auto
	EscapeChar byte     // 0 is none
	SendEnv    []string // patterns of names
	SetEnv     []string // name=value each
	LogLevel   string   // QUIET to DEBUG3; "" is not said

	// A host that was found, and not named. Addresses are dialled in place of HostName, by which its key is known all the same. Fingerprint, as
	// ssh-keygen -l has it, is that of the key which it has to show besides.
	Addresses   []string
	Fingerprint string

	network string // tcp, tcp4, tcp6
}

// NoControlPath is a ControlPath of `none`.
const NoControlPath = "none"

// ForEver is a ControlPersist of `yes`, or 0.
const ForEver time.Duration = -1

// tokens are what those of ssh_config(5) stand for.
func (c *Config) tokens(h *Host) *sshconfig.Tokens {
	return &sshconfig.Tokens{Host: h.HostName, Port: h.Port, User: h.User, Original: h.Name, KeyAlias: h.Alias, Jump: sshconfig.JumpHost(h.ProxyJump),
		LocalUser: c.LocalUser, Home: c.Home, UID: uid(), LocalHost: localHost(), Getenv: c.Getenv}
}
