//go:build linux

package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"cpu/cpud/dialer"
	"cpu/cpud/session"
	"cpu/ctlfs"
	"cpu/lib/alive"

	"golang.org/x/crypto/ssh"
)

// Config says what a server is to be.
type Config struct {
	HostKeys         []ssh.Signer       // at least one
	HostCertificates []*ssh.Certificate // each of one of them, and shown besides it

	// AuthorizedKeys is a file of keys for all users, in place of each user's own ~/.ssh/authorized_keys; "" is none.
	AuthorizedKeys string
	// Keys, where there are any, are the only keys let in, and no file is read.
	Keys []ssh.PublicKey
	// RevokedKeys is a file of keys that are not let in whatever lists them, nor their certificates, nor those that they signed; "" is none.
	RevokedKeys string

	Table *session.Table // the caller closes it when the server is done
	Log   *slog.Logger   // a line for each login, failure and end; nil: none

	LoginGrace  time.Duration // how long a client may take to log in; 0 is two minutes
	MaxTries    int           // keys that a client may try; 0 is six
	Startups    Startups      // of connections that have not logged in; zero is DefaultStartups
	Penalties   Penalties     // of those who do not; zero is none
	Exempt      string        // addresses that have none, a pattern list as in from= of sshd(8)
	MaxChannels int           // open at once on one connection; 0 is DefaultMaxChannels
	Alive       time.Duration // how often a client is asked whether it is there; 0 is never
	Idle        time.Duration // after which a connection ends over whose channels nothing moves; 0 is never

	// GatewayPorts lets clients have the server listen at other addresses than the loopback's.
	GatewayPorts bool
}

// DefaultMaxChannels is more than MaxSessions of sshd, which is 10: all cpu commands of a terminal share one connection, and each has several
// channels.
const DefaultMaxChannels = 512

const (
	defaultLoginGrace = 2 * time.Minute
	defaultMaxTries   = 6
	aliveCount        = 3 // questions in a row that a client may leave unanswered
)

// version is the server's name on the wire. Its beginning makes stock ssh say when nobody reads its output any more (the request
// eow@openssh.com), which it says to servers of that name only; without it `ssh host yes | head -1` would never end.
const version = "SSH-2.0-OpenSSH-cpud"

// A Server lets users in and gives them their streams. It may serve any number of connections at once.
type Server struct {
	Config
	ssh       ssh.ServerConfig // of every connection
	uid       int              // that cpud runs as
	startups  startups
	penalties penalties
	refusals  *refusals
	failures  failures
}

// New makes a server. It fails if there is no table, no host key or one of a kind that is not used any more, or a list of revoked keys that
// cannot be read.
func New(c Config) (*Server, error) {
	if len(c.HostKeys) == 0 || c.Table == nil {
		return nil, errors.New("a server wants a host key and a table of sessions")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.LoginGrace = cmp.Or(c.LoginGrace, defaultLoginGrace)
	c.MaxTries = cmp.Or(c.MaxTries, defaultMaxTries)
	c.MaxChannels = cmp.Or(c.MaxChannels, DefaultMaxChannels)
	s := &Server{Config: c, uid: os.Getuid(), startups: startups{limits: cmp.Or(c.Startups, DefaultStartups)},
		penalties: penalties{Penalties: c.Penalties, exempt: c.Exempt, now: time.Now}, refusals: newRefusals()}
	if c.RevokedKeys != "" {
		if _, err := readRevoked(c.RevokedKeys, uint32(s.uid)); err != nil {
			return nil, err
		}
	}
	s.ssh = ssh.ServerConfig{
		Config:                  ssh.Config{Ciphers: ciphers, KeyExchanges: keyExchanges, MACs: macs},
		MaxAuthTries:            c.MaxTries,
		PublicKeyAuthAlgorithms: userSignatures,
		ServerVersion:           version,
	}
	var keys []ssh.Signer
	for _, k := range c.HostKeys {
		modern, err := modernHostKey(k)
		if err != nil {
			return nil, err
		}
		keys = append(keys, modern)
	}
	for _, cert := range c.HostCertificates {
		signer, err := certifiedHostKey(cert, keys)
		if err != nil {
			return nil, err
		}
		keys = append(keys, signer)
	}
	for _, k := range keys {
		s.ssh.AddHostKey(k)
	}
	return s, nil
}

// Serve accepts connections from l until ctx is done, then ends all of them, waits for that, and returns nil. It closes l. An error is l's;
// where descriptors or memory are short it tries again.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	connCtx, cancel := context.WithCancel(ctx)
	var served sync.WaitGroup
	defer served.Wait()
	defer cancel()
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if scarce(err) {
				s.Log.Warn("accept", "on", l.Addr().String(), "err", err)
				select {
				case <-ctx.Done():
				case <-time.After(acceptPause):
				}
				continue
			}
			l.Close()
			return fmt.Errorf("%s: %w", l.Addr(), err)
		}
		if s.penalties.refuses(c.RemoteAddr()) {
			if s.Log.Enabled(ctx, slog.LevelDebug) {
				served.Go(func() {
					s.failures.say(connCtx, s.Log, func() { s.Log.Debug("refused", "from", c.RemoteAddr().String()) })
				})
			}
			io.WriteString(c, notNow) // a new connection has room for it
			c.Close()
			continue
		}
		s.startups.begin(c) // here, so that they stand in the order in which they came
		served.Go(func() { s.ServeConn(connCtx, c) })
	}
}

// notNow is what sshd says in place of its version to somebody with a penalty.
const notNow = "Not allowed at this time\r\n"

// acceptPause is how long Serve leaves the queue of connections alone when the machine has no room for one more.
const acceptPause = time.Second

// scarce says whether err is a want of descriptors or memory, which passes: whoever opens connections enough must not end those there are.
func scarce(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ENOBUFS) || errors.Is(err, syscall.ENOMEM)
}

// ServeConn serves one connection, which it owns, until it ends or ctx is done, and waits for all that it started. What went wrong is in
// the log.
func (s *Server) ServeConn(ctx context.Context, c net.Conn) {
	log := s.Log.With("from", from(c))
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	s.Table.Connections.Add(1)
	conn, channels, requests, login, err := s.logIn(ctx, c)
	if stayed := s.startups.end(c); err != nil {
		c.Close()
		if !stayed {
			err = errGaveWay
		}
		s.Table.Failures.Add(1)
		var until time.Time
		refused := false
		if stayed && ctx.Err() == nil {
			until, refused = s.penalties.add(c.RemoteAddr(), login.penalty(s.Penalties, err))
		}
		s.failures.say(ctx, s.Log, func() {
			log.Info("no login", login.about(err)...)
			if refused {
				log.Warn("no more logins from there", "until", until)
			}
		})
		return
	}
	log = log.With(login.won()...)
	s.Table.Logins.Add(1)
	log.Info("login")
	connCtx, cancel := context.WithCancel(ctx)
	l := &link{server: s, conn: conn, login: login, host: login.rights.host(s.Table), log: log, ctx: connCtx,
		open: make(chan struct{}, s.MaxChannels), listeners: map[endpoint][]net.Listener{}}
	if s.Alive > 0 {
		l.running.Go(func() { alive.Watch(connCtx, conn, s.Alive, aliveCount) })
	}
	still := &idle{began: time.Now()}
	l.idle = still
	l.running.Go(func() { l.answer(requests) })
	if s.Idle > 0 {
		l.running.Go(func() {
			if still.wait(connCtx, s.Idle) {
				log.Info("idle", "for", s.Idle)
				conn.Close()
			}
		})
	}
	for ch := range channels {
		ch = still.watch(ch)
		serve := channelTypes[ch.ChannelType()]
		if serve == nil {
			ch.Reject(ssh.UnknownChannelType, "not a type of channel that there is")
			continue
		}
		select {
		case l.open <- struct{}{}:
			l.running.Go(func() {
				serve(l, ch)
				<-l.open
			})
		default:
			ch.Reject(ssh.ResourceShortage, "too many channels")
		}
	}
	cancel()
	l.running.Wait()
	l.endNetwork()
	conn.Close()
	log.Info("end of connection")
}

// errGaveWay is why a connection that has not logged in has ended for another: see Startups.
var errGaveWay = errors.New("gave way to a new connection")

// A link is a connection whose user is known.
type link struct {
	server  *Server
	conn    *ssh.ServerConn
	login   *login
	host    ctlfs.Host // the table, as the login's key lets it be used
	log     *slog.Logger
	ctx     context.Context // ends with the connection
	running sync.WaitGroup
	open    chan struct{} // has a value for each channel that is open
	idle    *idle

	mu        sync.Mutex
	dialer    *dialer.Dialer              // nil: not wanted so far
	listeners map[endpoint][]net.Listener // for what clients forward to themselves
}

func (l *link) user() ctlfs.User { return l.login.user }
