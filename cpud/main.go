//go:build linux

// Cpud is the daemon of a cpu server: it lets users in by SSH and gives them sessions. See cpud(8).
//
// The package is flags, listening and the end; the rest is cpud/server's and cpud/session's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"os/user"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"cpu/cpud/boot"
	"cpu/cpud/server"
	"cpu/cpud/session"
	"cpu/ctlfs"
	"cpu/lib/mnt"
	"cpu/lib/transport"

	"golang.org/x/crypto/ssh"
)

const usage = `usage: cpud [flags]

  -a addr       listen there, repeatable (default :17010): host:port, unix/path, vsock/:port, vsock-mux/path:port
  -net name     the network of addresses that name none: tcp, unix, vsock, unix-vsock
  -i            serve one connection, on standard input and output
  -hk file      host key, made where there is none (default /etc/cpud/hostkey, for users ~/.cpud/hostkey)
  -ak file      the keys that may come in (default ~user/.ssh/authorized_keys)
  -revoked file    keys, and authorities, that may not
  -mount how    auto, fuse or v9fs
  -m dir        mount the control tree there
  -alive d      ask clients every d whether they are there (default never)
  -idle d       end connections over which nothing has moved for d (default never)
  -grace d      how long a login may take (default 2m)
  -tries n      how many keys a client may try (default 6)
  -startups s:r:f   connections that have not logged in: from s on, one gives way to each r in 100 that come, at f to all (default 10:30:100)
  -penalties p  for how long a source of failed logins is refused, or no (default authfail:5s,noauth:1s,grace-exceeded:10s,min:15s,max:10m)
  -exempt list  addresses that are never refused for that
  -channels n   channels at once on one connection (default 512)
  -gateway      let -R listen at other addresses than the loopback's
  -max n        sessions at once (default any number)
  -dnssd        announce the server by DNS-SD (decpud does)
  -txt k=v,...  announce that of it as well
  -instance name -service name -domain name    announce it as that
  -interface name  announce it there, repeatable (default everywhere)
  -ttl d        how long others may remember it
  -relay addr   be a name server for what is announced here
  -init         be process 1: make a system around it, and keep it running
  -hostname name   with -init: the machine's name (default what /etc/hostname says)
  -modules file    with -init: kernel modules to load, a path a line
  -dhcp iface      with -init: configure that interface by DHCP, or those whose names match a pattern such as 'eth*'
  -register addr   tell a controller there that cpud listens: connect and write "ok"
  -registerTO d    give up registering after d (default 5s)
  -klog -syslog    log to the kernel's log, or to syslog
  -d -V         debug, version
`

func main() {
	server.Main()
	args := os.Args[1:]
	if os.Getpid() == 1 && filepath.Base(os.Args[0]) == "init" { // the kernel has started it by that name
		args = append([]string{"-init"}, args...)
	}
	if filepath.Base(os.Args[0]) == "decpud" {
		args = append([]string{"-dnssd"}, args...)
	}
	err := run(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cpud:", err)
		os.Exit(1)
	}
}

// addresses is a flag that may be repeated.
type addresses []string

func (a *addresses) String() string { return "" }

func (a *addresses) Set(v string) error {
	*a = append(*a, v)
	return nil
}

type flags struct {
	addresses   addresses
	network     string
	byDefault   bool // nobody said where to listen
	stdio       bool
	hostKey     string
	keys, mount string
	controlDir  string
	revoked     string
	max         int
	startups    server.Startups
	penalties   server.Penalties
	exempt      string
	grace       time.Duration
	alive, idle time.Duration
	tries       int
	channels    int
	gateway     bool
	dnssd       announcing
	init        bool
	child       bool // of process 1, which turns the machine off when it is told to. Not for users
	hostname    string
	modules     string
	dhcp        string
	register    string
	registerTO  time.Duration
	klog        bool
	syslog      bool
	debug       bool
	version     bool
}

func parseFlags(args []string) (*flags, error) {
	f := &flags{startups: server.DefaultStartups, penalties: server.DefaultPenalties}
	set := flag.NewFlagSet("cpud", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Var(&f.addresses, "a", "")
	set.StringVar(&f.network, "net", "", "")
	set.BoolVar(&f.stdio, "i", false, "")
	set.StringVar(&f.hostKey, "hk", defaultHostKey(), "")
	set.StringVar(&f.keys, "ak", "", "")
	set.StringVar(&f.mount, "mount", "auto", "")
	set.StringVar(&f.controlDir, "m", "", "")
	set.StringVar(&f.revoked, "revoked", "", "")
	set.Func("startups", "", func(v string) (err error) {
		f.startups, err = server.ParseStartups(v)
		return err
	})
	set.Func("penalties", "", func(v string) (err error) {
		f.penalties, err = server.ParsePenalties(v)
		return err
	})
	set.StringVar(&f.exempt, "exempt", "", "")
	set.DurationVar(&f.grace, "grace", 2*time.Minute, "")
	set.DurationVar(&f.alive, "alive", 0, "")
	set.DurationVar(&f.idle, "idle", 0, "")
	set.IntVar(&f.tries, "tries", 6, "")
	set.IntVar(&f.channels, "channels", server.DefaultMaxChannels, "")
	set.IntVar(&f.max, "max", 0, "")
	set.BoolVar(&f.gateway, "gateway", false, "")
	f.dnssd.flags(set)
	set.BoolVar(&f.init, "init", false, "")
	set.BoolVar(&f.child, "child", false, "")
	set.StringVar(&f.hostname, "hostname", "", "")
	set.StringVar(&f.modules, "modules", "", "")
	set.StringVar(&f.dhcp, "dhcp", "", "")
	set.StringVar(&f.register, "register", "", "")
	set.DurationVar(&f.registerTO, "registerTO", 5*time.Second, "")
	set.BoolVar(&f.klog, "klog", false, "")
	set.BoolVar(&f.syslog, "syslog", false, "")
	set.BoolVar(&f.debug, "d", false, "")
	set.BoolVar(&f.version, "V", false, "")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case set.NArg() > 0:
		return nil, fmt.Errorf("%s: no arguments are wanted", set.Arg(0))
	case f.mount != "auto" && f.mount != "fuse" && f.mount != "v9fs":
		return nil, fmt.Errorf("-mount %s: want auto, fuse or v9fs", f.mount)
	case f.grace <= 0:
		return nil, fmt.Errorf("-grace %v: want a time", f.grace)
	case f.idle < 0:
		return nil, fmt.Errorf("-idle %v: want a time", f.idle)
	case f.tries < 1:
		return nil, fmt.Errorf("-tries %d: want a number of keys", f.tries)
	case f.channels < 1:
		return nil, fmt.Errorf("-channels %d: want a number of channels", f.channels)
	case f.alive < 0:
		return nil, fmt.Errorf("-alive %v: want a time", f.alive)
	case f.max < 0:
		return nil, fmt.Errorf("-max %d: want a number of sessions", f.max)
	}
	if f.klog && f.syslog {
		return nil, errors.New("-klog and -syslog do not go together")
	}
	if f.stdio && (f.dnssd.on || f.dnssd.relay != "") {
		return nil, errors.New("-dnssd and -i do not go together")
	}
	if _, err := path.Match(f.dhcp, ""); err != nil {
		return nil, fmt.Errorf("-dhcp %s: %w", f.dhcp, err)
	}
	if f.registerTO <= 0 {
		return nil, fmt.Errorf("-registerTO %v: want a time", f.registerTO)
	}
	if f.stdio && f.register != "" {
		return nil, errors.New("-register and -i do not go together")
	}
	if f.stdio && f.init {
		return nil, errors.New("-init and -i do not go together")
	}
	if f.stdio && f.addresses != nil {
		return nil, errors.New("-a and -i do not go together")
	}
	if f.addresses == nil && f.network == transport.Unix {
		return nil, errors.New("-net unix: want -a path")
	}
	if f.addresses == nil && !f.stdio {
		f.addresses = addresses{":17010"}
		f.byDefault = true
	}
	for i, a := range f.addresses {
		joined, err := transport.Join(f.network, a)
		if err != nil {
			return nil, fmt.Errorf("-net %w", err)
		}
		f.addresses[i] = joined
	}
	return f, nil
}

func defaultHostKey() string {
	if os.Getuid() == 0 {
		return "/etc/cpud/hostkey"
	}
	return filepath.Join(os.Getenv("HOME"), ".cpud", "hostkey")
}

func run(args []string) error {
	f, err := parseFlags(args)
	if err != nil {
		return err
	}
	if f.version {
		fmt.Println("cpud", version())
		return nil
	}
	if f.init && !f.child { // the child logs, once there is a /dev
		return boot.Run(boot.Options{Args: daemonArgs(args), Hostname: f.hostname, Modules: f.modules, DHCP: f.dhcp, Log: os.Stderr})
	}
	// Whoever reads the log, or standard output with -i, may go: that is an error of a write, and not the end of all sessions. Ignored
	// altogether it would be ignored in them as well.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	level := new(slog.LevelVar)
	switch {
	case f.debug:
		level.Set(slog.LevelDebug)
	case f.stdio: // standard error is at somebody's terminal
		level.Set(slog.LevelWarn)
	}
	log, err := openLog(f, level)
	if err != nil {
		return err
	}
	key, err := server.HostKey(f.hostKey)
	if err != nil {
		return err
	}
	certificates, err := server.HostCertificates(f.hostKey)
	if err != nil {
		return err
	}
	var listeners []net.Listener
	if !f.stdio {
		if listeners, err = inherited(os.Getenv); err != nil {
			return err
		}
		if listeners == nil || !f.byDefault {
			more, err := listen(f.addresses)
			if err != nil {
				closeAll(listeners)
				return err
			}
			listeners = append(listeners, more...)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := f.dnssd.complete(listeners); err != nil {
		closeAll(listeners)
		return err
	}
	changed := make(chan struct{}, 1)
	table := session.NewTable(session.Config{Mount: f.mount, Max: f.max, Log: log, Level: level, Version: version(), Power: power(f),
		Changed: func() {
			select {
			case changed <- struct{}{}:
			default: // it is known that something has changed
			}
		}})
	if f.controlDir != "" {
		m, err := mnt.MountTree(ctx, f.controlDir, f.mount, ctlfs.New(table, self()), mnt.Options{FSName: "cpu"})
		if err != nil {
			return errors.Join(err, table.Close())
		}
		defer m.Close()
	}
	srv, err := server.New(server.Config{HostKeys: []ssh.Signer{key}, HostCertificates: certificates, AuthorizedKeys: f.keys, RevokedKeys: f.revoked,
		Table: table, Log: log, LoginGrace: f.grace, MaxTries: f.tries, Startups: f.startups, Penalties: f.penalties, Exempt: f.exempt,
		MaxChannels: f.channels, Alive: f.alive, Idle: f.idle, GatewayPorts: f.gateway})
	if err != nil {
		return err
	}
	if f.stdio {
		conn, err := stdio()
		if err == nil {
			srv.ServeConn(ctx, conn)
		}
		return errors.Join(err, table.Close())
	}
	if f.register != "" {
		if err := register(ctx, f.register, f.registerTO); err != nil {
			closeAll(listeners)
			return errors.Join(err, table.Close())
		}
	}
	withdraw, err := f.dnssd.start(ctx, table, changed, key.PublicKey(), log)
	if err != nil {
		closeAll(listeners)
		return errors.Join(err, table.Close())
	}
	err = serve(ctx, srv, listeners, log)
	withdraw()
	return errors.Join(err, table.Close())
}

// daemonArgs are the arguments for the daemon that process 1 keeps running.
func daemonArgs(args []string) []string {
	return append(slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "-init" || a == "--init" }), "-child")
}

// self is the user that cpud runs as, whose tree -m mounts: root sees all sessions.
func self() ctlfs.User {
	u := ctlfs.User{UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), Root: os.Getuid() == 0, Home: "/"}
	if known, err := user.Current(); err == nil {
		u.Name, u.Home = known.Username, known.HomeDir
	} else {
		u.Name = strconv.Itoa(os.Getuid())
	}
	return u
}

// power turns the machine off, if it is ours.
func power(f *flags) func(word string) bool {
	if !f.child || os.Getppid() != 1 {
		return nil
	}
	return func(word string) bool {
		s, ok := boot.Signal(word)
		return ok && syscall.Kill(1, s) == nil
	}
}

// listen listens at all addresses, or at none.
func listen(addresses []string) (all []net.Listener, err error) {
	for _, a := range addresses {
		l, err := transport.Listen(a)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// serve serves all listeners until ctx is done or one of them fails.
func serve(ctx context.Context, srv *server.Server, listeners []net.Listener, log *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		log.Info("listening", "on", l.Addr().String())
		wg.Go(func() {
			if err := srv.Serve(ctx, l); err != nil {
				failed <- err
				cancel(err)
			}
		})
	}
	wg.Wait()
	close(failed)
	return <-failed
}

// version is that of the module, or of the commit, that the program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12] + " " + info.GoVersion
		}
	}
	return info.Main.Version + " " + info.GoVersion
}
