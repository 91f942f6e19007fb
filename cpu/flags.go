package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"cpu/cpu/forward"
	"cpu/lib/dnssd"
)

const usage = `usage: cpu [flags] [host [cmd [arg ...]]]
       cpu -self [flags] [cmd [arg ...]]
       cpu -top [flags] host
       cpu -ctl [flags] host ls|read|write|stat|rm|dial path
       cpu -hosts n|all [flags] dnssd://... cmd [arg ...]
       cpu -list [-watch] [-json] [flags] [dnssd://...]

host is a name, user@name, an alias of ssh_config, unix/path, vsock/cid or vsock-mux/path; or
dnssd://[instance._service._proto.domain]/?key=value&key=<n&key=>n&key=!v&key=*&sort=[<>=!]key, found by DNS-SD, or . for the least
loaded. The default is $cpu, and without it .; decpu is cpu without $cpu.

  -n file      namespace file, repeatable; - for standard input, none for no mounts
  -r dir       export this directory as the terminal's root (default /)
  -P file      patterns of what is exported; none for no patterns
  -ro          export read only
  -srv name=addr   post another 9P service as /srv/name
  -p port -l user -i keyfile -F config -o option=value -J jump    as ssh
  -net name    tcp, unix, vsock, unix-vsock
  -ssh         through the host's own sshd
  -G           show what the configuration says of the host, as ssh
  -L spec      forward a port or a socket here to the host's side, repeatable
  -R spec      forward one at the host to here, repeatable
  -D spec      forward to where a SOCKS client asks for at the host's side, repeatable
  -A -a        forward the agent, do not
  -N           no command: forward only
  -t -T        a terminal always, never
  -e name[=value] -E    environment: add, none
  -attach n    take up session n, which was kept
  -m dir       mount the server's control tree; without cmd, that only
  -ctl         work on the control tree
  -top         the server's sessions, live
  -hosts n     on the n best that are found, or all
  -list -watch -json   what is found; on and on; for programs
  -timeout d   wait so long for answers (default 1s)
  -dns server  ask a name server, in place of the link
  -mount how   auto, fuse or v9fs
  -self        a cpu server in this process; no host
  -9 file      trace 9P; - for standard error
  -d -v -V     debug, progress, version
`

var errHelp = errors.New("help")

// flags is the command line.
type flags struct {
	namespaces []string
	root       string
	patterns   string
	services   []posting
	readOnly   bool

	port, user, config  string
	network, jump       string
	ssh                 bool
	identities, options []string
	configuration       bool // is shown, and nothing else done

	local, remote []forward.Spec
	noCommand     bool

	tty, noTTY bool
	env        []string
	noEnv      bool

	controlDir, mount string
	control, top      bool
	attach            int // the session to be taken up; 0: none

	query             *dnssd.Query // which host to find; nil: host is its name
	hosts             int          // how many of them; 0: one, and no more is to be said of it
	list, watch, json bool
	timeout           time.Duration
	nameServer        string

	self                    bool
	trace                   string
	debug, verbose, version bool

	host    string
	command []string
}

// list is a flag that may be repeated.
type list struct{ values *[]string }

func (l list) String() string { return "" }

func (l list) Set(v string) error {
	*l.values = append(*l.values, v)
	return nil
}

// allHosts is as many hosts as there are.
const allHosts = -1

// parseFlags reads the command line. What comes after the host is the command's, whatever it looks like.
func parseFlags(args []string, getenv func(string) string) (*flags, error) {
	f := &flags{}
	set := flag.NewFlagSet("cpu", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Var(list{&f.namespaces}, "n", "")
	set.StringVar(&f.root, "r", "/", "")
	set.StringVar(&f.patterns, "P", "", "")
	set.BoolVar(&f.readOnly, "ro", false, "")
	set.Func("srv", "", func(v string) error {
		p, err := parsePosting(v)
		f.services = append(f.services, p)
		return err
	})
	set.StringVar(&f.port, "p", "", "")
	set.StringVar(&f.user, "l", "", "")
	set.StringVar(&f.config, "F", "", "")
	set.Var(list{&f.identities}, "i", "")
	set.Var(list{&f.options}, "o", "")
	set.StringVar(&f.jump, "J", "", "")
	set.StringVar(&f.network, "net", "", "")
	set.BoolVar(&f.ssh, "ssh", false, "")
	set.BoolVar(&f.configuration, "G", false, "")
	set.Func("L", "", func(v string) error {
		s, err := forward.ParseLocal(v)
		f.local = append(f.local, s)
		return err
	})
	set.Func("D", "", func(v string) error {
		s, err := forward.ParseDynamic(v)
		f.local = append(f.local, s)
		return err
	})
	set.Func("R", "", func(v string) error {
		s, err := forward.ParseRemote(v)
		f.remote = append(f.remote, s)
		return err
	})
	var agent string
	set.BoolFunc("A", "", func(string) error { agent = "ForwardAgent=yes"; return nil })
	set.BoolFunc("a", "", func(string) error { agent = "ForwardAgent=no"; return nil })
	set.BoolVar(&f.noCommand, "N", false, "")
	set.BoolVar(&f.tty, "t", false, "")
	set.BoolVar(&f.noTTY, "T", false, "")
	set.Var(list{&f.env}, "e", "")
	set.BoolVar(&f.noEnv, "E", false, "")
	set.StringVar(&f.controlDir, "m", "", "")
	set.StringVar(&f.mount, "mount", "auto", "")
	set.BoolVar(&f.top, "top", false, "")
	set.IntVar(&f.attach, "attach", 0, "")
	set.BoolVar(&f.control, "ctl", false, "")
	set.Func("hosts", "", func(v string) (err error) {
		if v == "all" {
			f.hosts = allHosts
		} else if f.hosts, err = strconv.Atoi(v); err != nil || f.hosts < 1 {
			return errors.New("want a number of hosts, or all")
		}
		return nil
	})
	set.BoolVar(&f.list, "list", false, "")
	set.BoolVar(&f.watch, "watch", false, "")
	set.BoolVar(&f.json, "json", false, "")
	set.DurationVar(&f.timeout, "timeout", dnssd.DefaultTimeout, "")
	set.StringVar(&f.nameServer, "dns", "", "")
	set.BoolVar(&f.self, "self", false, "")
	set.StringVar(&f.trace, "9", "", "")
	set.BoolVar(&f.debug, "d", false, "")
	set.BoolVar(&f.verbose, "v", false, "")
	set.BoolVar(&f.version, "V", false, "")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, errHelp
		}
		return nil, err
	}
	if agent != "" {
		f.options = append([]string{agent}, f.options...)
	}
	if f.jump != "" && !f.ssh {
		f.options = append(f.options, "ProxyJump="+f.jump)
	}
	rest := set.Args()
	switch {
	case f.version:
	case f.self:
		f.command = rest
	case len(rest) > 0:
		f.host, f.command = rest[0], rest[1:]
		if len(f.command) > 0 && f.command[0] == "--" {
			f.command = shellLine(f.command[1:])
		}
	case getenv("cpu") != "" && !f.list && f.hosts == 0:
		f.host = getenv("cpu")
	default:
		f.host = anyHost
	}
	if err := f.parseQuery(); err != nil {
		return nil, err
	}
	switch {
	case f.mount != "auto" && f.mount != "fuse" && f.mount != "v9fs":
		return nil, fmt.Errorf("-mount %s: want auto, fuse or v9fs", f.mount)
	case f.configuration && (f.self || f.query != nil):
		return nil, errors.New("-G: want the name of a host")
	case f.attach < 0:
		return nil, fmt.Errorf("-attach %d: want the number of a session", f.attach)
	case f.attach > 0 && len(f.command) > 0:
		return nil, errors.New("-attach: the session has a command already")
	case f.ssh && (f.network != "" || f.self):
		return nil, errors.New("-ssh, -net and -self do not go together")
	case f.self && (len(f.local)+len(f.remote) > 0 || f.noCommand):
		return nil, errors.New("-self: there is no other side to forward to")
	case f.noCommand && (len(f.command) > 0 || f.attach > 0):
		return nil, errors.New("-N: there is to be no command")
	case f.control && f.controlDir != "", f.control && f.top, f.top && f.controlDir != "":
		return nil, errors.New("-ctl, -m and -top do not go together")
	}
	if f.tty && f.noTTY {
		return nil, errors.New("-t and -T do not go together")
	}
	return f, nil
}

// noFiles says that the session is to see none of the terminal's files, so that none are exported.
func (f *flags) noFiles() bool {
	return len(f.namespaces) > 0 && !slices.ContainsFunc(f.namespaces, func(n string) bool { return n != "none" })
}

// shellLine is a command of words that were meant for ssh, which makes one line of them for the shell. None is a shell.
func shellLine(words []string) []string {
	if len(words) == 0 {
		return nil
	}
	return []string{"/bin/sh", "-c", strings.Join(words, " ")}
}

// shellCharacters are those for which one argument alone is taken to be a line for the shell.
const shellCharacters = " \t\n|&;<>()$`\\\"'*?[]#~=%{}!"

// notInNames are characters that no program has in its name: a command that begins with such a word was meant for ssh, as those are of
// launchers that count on its shell, for their quotes or to set variables first.
const notInNames = "\n|&;<>`\"'"

// command is what is run: the words as they are; or the shell, on one word alone that only a shell can read, or on all of them where the
// first can be no program's name.
func command(words []string) []string {
	switch {
	case len(words) == 1 && strings.ContainsAny(words[0], shellCharacters),
		len(words) > 1 && (strings.ContainsAny(words[0], notInNames) || strings.HasPrefix(words[0], " ")):
		return shellLine(words)
	}
	return words
}
