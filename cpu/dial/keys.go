package dial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// keys are the user's for one login, in the order in which they are offered: his certificates, the keys of the agent that an identity file
// names, the agent's other ones, those of files, and last those of files that are encrypted.
type keys struct {
	ctx    context.Context
	config *Config
	host   *Host
	line   *line
	agent  agent.ExtendedAgent // nil: not connected
	conn   net.Conn            // to the agent
	stop   func() bool
	begun  bool
	queue  []offer
	passed []string // what was offered in vain, or why it was not; for the error
	err    error    // why nothing more is offered
}

// An offer is a key that may be tried.
type offer struct {
	name   string // for the user
	public ssh.PublicKey
	// signer is called when the key's turn has come, and may ask for a passphrase.
	signer func() (ssh.Signer, error)
}

func (k *keys) close() {
	if k.conn != nil {
		k.stop()
		k.conn.Close()
	}
}

// errHungUp is why no more keys are offered to a host that has not refused any.
var errHungUp = errors.New("the host closed the connection")

// next gives the next key to be tried; see ssh.ClientAuthCallback.
func (k *keys) next(server *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	if !k.begun {
		k.begun = true
		k.gather()
	}
	if !slices.Contains(server.AllowedMethods, "publickey") {
		k.err = fmt.Errorf("the host wants %s, not a public key", strings.Join(server.AllowedMethods, " or "))
		return nil, k.err
	}
	if k.line.ended.Load() {
		k.err = errHungUp
		return nil, k.err
	}
	for len(k.queue) > 0 {
		o := k.queue[0]
		k.queue = k.queue[1:]
		s, err := o.signer()
		if err == nil {
			s, err = k.accepted(s)
		}
		if err != nil {
			k.pass(o.name, err)
			continue
		}
		k.config.log().Debug("key offered", "key", o.name, "type", s.PublicKey().Type(), "fingerprint", ssh.FingerprintSHA256(s.PublicKey()))
		k.passed = append(k.passed, o.name)
		return ssh.PublicKeys(s), nil
	}
	k.err = errors.New("no more keys")
	return nil, k.err
}

// accepted makes a signer keep to PubkeyAcceptedAlgorithms and RequiredRSASize.
func (k *keys) accepted(s ssh.Signer) (ssh.Signer, error) {
	if err := k.host.checkSize(s.PublicKey()); err != nil {
		return nil, err
	}
	if k.host.PubkeyAlgorithms == nil {
		return s, nil
	}
	t := s.PublicKey().Type()
	var algorithms []string // of signatures
	for _, a := range k.host.PubkeyAlgorithms {
		plain := strings.Replace(a, "-cert-v01@openssh.com", "", 1)
		certificate := plain != a
		if strings.HasPrefix(plain, "sk-") {
			plain = strings.TrimSuffix(plain, "@openssh.com") + "@openssh.com"
		}
		of := keyType(plain)
		if certificate {
			of = certificateType(of)
		}
		if of == t {
			algorithms = append(algorithms, plain)
		}
	}
	if len(algorithms) == 0 {
		return nil, fmt.Errorf("%s is not among PubkeyAcceptedAlgorithms", t)
	}
	as, ok := s.(ssh.AlgorithmSigner)
	if !ok || keyType(algorithms[0]) != ssh.KeyAlgoRSA {
		return s, nil
	}
	return ssh.NewSignerWithAlgorithms(as, algorithms)
}

// certificateType is the type of a certificate of a key.
func certificateType(key string) string {
	if sk, ok := strings.CutSuffix(key, "@openssh.com"); ok {
		key = sk
	}
	return key + "-cert-v01@openssh.com"
}

// pass notes why a key cannot be used.
func (k *keys) pass(name string, err error) {
	k.passed = append(k.passed, fmt.Sprintf("%s (%v)", name, err))
}

// gather fills the queue.
func (k *keys) gather() {
	files, named := k.fromFiles()
	agents := k.fromAgent(named)
	k.queue = k.certified(slices.Concat(agents, files))
	if k.host.IdentitiesOnly {
		agents = slices.DeleteFunc(agents, func(o offer) bool { return !contains(named, o.public) })
	}
	for _, o := range agents {
		k.queue = append(k.queue, o)
		files = slices.DeleteFunc(files, func(f offer) bool { return f.public != nil && equal(f.public, o.public) })
	}
	k.queue = append(k.queue, files...)
}

func equal(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

func contains(all []ssh.PublicKey, key ssh.PublicKey) bool {
	return slices.ContainsFunc(all, func(p ssh.PublicKey) bool { return equal(p, key) })
}

// fromAgent gives the agent's keys, those first that a file names.
func (k *keys) fromAgent(named []ssh.PublicKey) []offer {
	if k.host.Agent == "" {
		return nil
	}
	var d net.Dialer
	conn, err := d.DialContext(k.ctx, "unix", k.host.Agent)
	if err != nil {
		k.config.log().Info("no agent", "err", err)
		return nil
	}
	k.conn, k.agent = conn, agent.NewClient(conn)
	k.stop = context.AfterFunc(k.ctx, func() { conn.Close() })
	signers, err := k.agent.Signers()
	if err != nil {
		k.config.log().Info("no keys of the agent", "err", err)
		return nil
	}
	var first, rest []offer
	for _, s := range signers {
		name := "a key of the agent"
		if a, ok := s.PublicKey().(*agent.Key); ok && a.Comment != "" {
			name = "the agent's " + a.Comment
		}
		o := offer{name, s.PublicKey(), func() (ssh.Signer, error) { return s, nil }}
		if contains(named, o.public) {
			first = append(first, o)
		} else {
			rest = append(rest, o)
		}
	}
	return append(first, rest...)
}

// fromFiles gives the keys of the identity files, and what public keys they and the files beside them name.
func (k *keys) fromFiles() (all []offer, named []ssh.PublicKey) {
	var encrypted []offer
	for _, file := range k.host.IdentityFiles {
		public := readPublic(file + ".pub")
		if public != nil {
			named = append(named, public)
		}
		if cert := readPublic(file + "-cert.pub"); cert != nil && len(k.host.CertificateFiles) == 0 {
			named = append(named, cert)
		}
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			k.pass(file, errors.Unwrap(err))
			continue
		}
		i := &identity{keys: k, file: file, text: text, public: public}
		i.key, err = ssh.ParseRawPrivateKey(text)
		var missing *ssh.PassphraseMissingError
		switch {
		case err == nil:
			s, err := ssh.NewSignerFromKey(i.key)
			if err != nil {
				k.pass(file, err)
				continue
			}
			i.public = s.PublicKey()
			named = append(named, i.public)
			all = append(all, i.offer())
		case errors.As(err, &missing):
			if missing.PublicKey != nil {
				i.public = missing.PublicKey
				named = append(named, i.public)
			}
			encrypted = append(encrypted, i.offer())
		default:
			if public = parsePublic(text); public != nil { // a public key stands for one of the agent's
				named = append(named, public)
				continue
			}
			if i.public != nil && strings.HasPrefix(i.public.Type(), "sk-") {
				err = errors.New("of a security key, which the agent can use: ssh-add")
			}
			k.pass(file, err)
		}
	}
	return append(all, encrypted...), named
}

// certified gives the user's certificates for keys that are at hand: those that are configured, or else those beside the identity files.
func (k *keys) certified(at []offer) []offer {
	files := k.host.CertificateFiles
	if len(files) == 0 {
		for _, f := range k.host.IdentityFiles {
			files = append(files, f+"-cert.pub")
		}
	}
	var all []offer
	for _, file := range files {
		cert, ok := readPublic(file).(*ssh.Certificate)
		if !ok || cert.CertType != ssh.UserCert {
			if len(k.host.CertificateFiles) > 0 {
				k.config.log().Info("no certificate of a user", "file", file)
			}
			continue
		}
		i := slices.IndexFunc(at, func(o offer) bool { return o.public != nil && equal(o.public, cert.Key) })
		if i < 0 {
			k.config.log().Info("a certificate without its key", "file", file)
			continue
		}
		key := at[i]
		all = append(all, offer{file, cert, func() (ssh.Signer, error) {
			s, err := key.signer()
			if err != nil {
				return nil, err
			}
			return ssh.NewCertSigner(cert, s)
		}})
	}
	return all
}

// readPublic reads a file of a public key or a certificate; nil is none.
func readPublic(file string) ssh.PublicKey {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return parsePublic(text)
}

func parsePublic(text []byte) ssh.PublicKey {
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return public
}

// tried says what was offered in vain.
func (k *keys) tried() string {
	if len(k.passed) == 0 {
		return "there is no key to try"
	}
	return "tried " + strings.Join(k.passed, ", ")
}

// denied is the error of a login that the host refuses; err is why the handshake ended.
func (k *keys) denied(err error) error {
	why := k.tried()
	if k.err == nil && err != nil {
		why += fmt.Sprintf(" (%v)", err)
	} else if len(k.queue) > 0 {
		why = k.err.Error()
	}
	return fmt.Errorf("permission denied for %s: %s", k.host.User, why)
}
