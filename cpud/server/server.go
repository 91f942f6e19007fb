//go:build linux

package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"cpu/cpud/session"
	"cpu/ctlfs"
	"cpu/lib/alive"

	"golang.org/x/crypto/ssh"
)

// Config says what a server is to be.
type Config struct {
	HostKeys []ssh.Signer // at least one

	// AuthorizedKeys is a file of keys for all users, in place of each user's own ~/.ssh/authorized_keys; "" is none.
	AuthorizedKeys string
	// Keys, where there are any, are the only keys let in, and no file is read.
	Keys []ssh.PublicKey

	Table *session.Table // the caller closes it when the server is done
	Log   *slog.Logger   // a line for each login, failure and end; nil: none

	LoginGrace  time.Duration // how long a client may take to log in; 0 is two minutes
	MaxStartups int           // connections that have not logged in; 0 is 100
	Alive       time.Duration // how often a client is asked whether it is there; 0 is never
}

const (
	defaultLoginGrace  = 2 * time.Minute
	defaultMaxStartups = 100
	maxAuthTries       = 6
	aliveCount         = 3   // questions in a row that a client may leave unanswered
	maxChannels        = 512 // open at once on one connection; cpu needs one for all its sessions, and one for each service it posts
)

// version is the server's name on the wire. Its beginning makes stock ssh say when nobody reads its output any more (the request
// eow@openssh.com), which it says to servers of that name only; without it `ssh host yes | head -1` would never end.
const version = "SSH-2.0-OpenSSH-cpud"

// A Server lets users in and gives them their streams. It may serve any number of connections at once.
type Server struct {
	Config
	ssh      ssh.ServerConfig // of every connection
	uid      int              // that cpud runs as
	startups startups
}

// New makes a server. It fails if there is no host key, or no table.
func New(c Config) (*Server, error) {
	if len(c.HostKeys) == 0 || c.Table == nil {
		return nil, errors.New("a server wants a host key and a table of sessions")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.LoginGrace = cmp.Or(c.LoginGrace, defaultLoginGrace)
	s := &Server{Config: c, uid: os.Getuid(), startups: startups{max: cmp.Or(c.MaxStartups, defaultMaxStartups)}}
	s.ssh = ssh.ServerConfig{
		Config:                  ssh.Config{Ciphers: ciphers, KeyExchanges: keyExchanges, MACs: macs},
		MaxAuthTries:            maxAuthTries,
		PublicKeyAuthAlgorithms: keyAlgorithms,
		ServerVersion:           version,
	}
	for _, k := range c.HostKeys {
		s.ssh.AddHostKey(k)
	}
	return s, nil
}

// The algorithms, best first: those that OpenSSH calls modern, with AES-GCM first, for it is the fastest where processors have AES.
var (
	ciphers      = []string{"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr"}
	keyExchanges = []string{"mlkem768x25519-sha256", "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
		"ecdh-sha2-nistp521"}
	macs          = []string{"hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512"}
	keyAlgorithms = []string{"ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
		"sk-ecdsa-sha2-nistp256@openssh.com", "rsa-sha2-256", "rsa-sha2-512"}
)

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
		s.startups.begin(c) // here, so that they stand in the order in which they came
		served.Go(func() { s.ServeConn(connCtx, c) })
	}
}

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
	conn, channels, requests, login, err := s.logIn(c)
	s.startups.end(c)
	if err != nil {
		c.Close()
		s.Table.Failures.Add(1)
		log.Info("no login", login.about(err)...)
		return
	}
	log = log.With("user", login.user.Name)
	s.Table.Logins.Add(1)
	log.Info("login", "key", login.fingerprint)
	connCtx, cancel := context.WithCancel(ctx)
	l := &link{server: s, conn: conn, login: login, host: login.rights.host(s.Table), log: log, ctx: connCtx}
	l.running.Go(func() { answer(requests) })
	if s.Alive > 0 {
		l.running.Go(func() { alive.Watch(connCtx, conn, s.Alive, aliveCount) })
	}
	open := make(chan struct{}, maxChannels)
	for ch := range channels {
		if ch.ChannelType() != "session" {
			ch.Reject(ssh.UnknownChannelType, "only sessions")
			continue
		}
		select {
		case open <- struct{}{}:
			l.running.Go(func() {
				l.channel(ch)
				<-open
			})
		default:
			ch.Reject(ssh.ResourceShortage, "too many channels")
		}
	}
	cancel()
	l.running.Wait()
	conn.Close()
	log.Info("end of connection")
}

// answer answers the requests of a whole connection: none is known here, but keepalives want to hear just that.
func answer(requests <-chan *ssh.Request) {
	for r := range requests {
		if r.WantReply {
			r.Reply(r.Type == "keepalive@openssh.com", nil)
		}
	}
}

// A link is a connection whose user is known.
type link struct {
	server  *Server
	conn    *ssh.ServerConn
	login   *login
	host    ctlfs.Host // the table, as the login's key lets it be used
	log     *slog.Logger
	ctx     context.Context // ends with the connection
	running sync.WaitGroup
}

func (l *link) user() ctlfs.User { return l.login.user }
