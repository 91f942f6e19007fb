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

// keys are the user's for one login, in the order in which they are offered: those of the agent that an identity file names, the agent's
// other ones, those of files, and last those of files that are encrypted.
type keys struct {
	ctx    context.Context
	config *Config
	host   *Host
	agent  net.Conn // nil: not connected
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
	if k.agent != nil {
		k.stop()
		k.agent.Close()
	}
}

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
	for len(k.queue) > 0 {
		o := k.queue[0]
		k.queue = k.queue[1:]
		s, err := o.signer()
		if err != nil {
			k.pass(o.name, err)
			continue
		}
		k.config.log().Debug("key offered", "key", o.name, "fingerprint", ssh.FingerprintSHA256(s.PublicKey()))
		k.passed = append(k.passed, o.name)
		return ssh.PublicKeys(s), nil
	}
	k.err = errors.New("no more keys")
	return nil, k.err
}

// pass notes why a key cannot be used.
func (k *keys) pass(name string, err error) {
	k.passed = append(k.passed, fmt.Sprintf("%s (%v)", name, err))
}

// gather fills the queue.
func (k *keys) gather() {
	files, named := k.fromFiles()
	for _, o := range k.fromAgent(named) {
		k.queue = append(k.queue, o)
		files = slices.DeleteFunc(files, func(f offer) bool { return f.public != nil && equal(f.public, o.public) })
	}
	k.queue = append(k.queue, files...)
}

func equal(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// fromAgent gives the agent's keys: with IdentitiesOnly those alone that a file names.
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
	k.agent = conn
	k.stop = context.AfterFunc(k.ctx, func() { conn.Close() })
	signers, err := agent.NewClient(conn).Signers()
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
		if slices.ContainsFunc(named, func(p ssh.PublicKey) bool { return equal(p, o.public) }) {
			first = append(first, o)
		} else {
			rest = append(rest, o)
		}
	}
	if k.host.IdentitiesOnly {
		return first
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
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			k.pass(file, errors.Unwrap(err))
			continue
		}
		s, err := ssh.ParsePrivateKey(text)
		var missing *ssh.PassphraseMissingError
		switch {
		case err == nil:
			all = append(all, offer{file, s.PublicKey(), func() (ssh.Signer, error) { return s, nil }})
			named = append(named, s.PublicKey())
		case errors.As(err, &missing):
			if missing.PublicKey != nil {
				public = missing.PublicKey
				named = append(named, public)
			}
			encrypted = append(encrypted, k.encrypted(file, text, public))
		default:
			if public = parsePublic(text); public == nil { // a public key stands for one of the agent's
				k.pass(file, err)
				continue
			}
			named = append(named, public)
		}
	}
	return append(all, encrypted...), named
}

// readPublic reads a file of a public key; nil is none.
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

// denied says what was tried in vain; err is why the handshake ended.
func (k *keys) denied(err error) error {
	tried := "there is no key to try"
	if len(k.passed) > 0 {
		tried = "tried " + strings.Join(k.passed, ", ")
	}
	if k.err == nil && err != nil {
		tried += fmt.Sprintf(" (%v)", err)
	} else if len(k.queue) > 0 {
		tried = k.err.Error()
	}
	return fmt.Errorf("permission denied for %s: %s", k.host.User, tried)
}
