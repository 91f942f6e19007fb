package dial

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// known verifies one host's key.
type known struct {
	ctx    context.Context
	config *Config
	host   *Host
	verify ssh.HostKeyCallback // nil: there are no lists
	files  []string            // that are there
	err    error               // why the key was not accepted
}

// knownHosts reads the lists of a host's keys.
func (c *Config) knownHosts(ctx context.Context, h *Host) (*known, error) {
	k := &known{ctx: ctx, config: c, host: h}
	for _, f := range h.KnownHosts {
		if exists(f) {
			k.files = append(k.files, f)
		}
	}
	if len(k.files) > 0 {
		var err error
		if k.verify, err = knownhosts.New(k.files...); err != nil {
			return nil, fmt.Errorf("known hosts: %w", err)
		}
	}
	return k, nil
}

// name is the host as the lists have it: with its port, unless that is SSH's own, or an alias was given.
func (k *known) name() string {
	if k.host.Alias != "" {
		return net.JoinHostPort(k.host.Alias, "22")
	}
	return net.JoinHostPort(k.host.HostName, k.host.Port)
}

func (k *known) lookup(remote net.Addr, key ssh.PublicKey) error {
	if k.verify == nil {
		return &knownhosts.KeyError{}
	}
	return k.verify(k.name(), remote, key)
}

// algorithms are those of the keys that are known, so that the server shows one that can be verified; nil, the library's choice, where
// none is.
func (k *known) algorithms() []string {
	public, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil
	}
	var keyErr *knownhosts.KeyError
	if !errors.As(k.lookup(&net.TCPAddr{IP: net.IPv4zero}, public), &keyErr) {
		return nil
	}
	var all []string
	for _, w := range keyErr.Want {
		switch t := w.Key.Type(); t {
		case ssh.KeyAlgoRSA:
			all = append(all, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512)
		default:
			all = append(all, t)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// check accepts a key that is known, and one of a host that is not known where the user wants it so.
func (k *known) check(_ string, remote net.Addr, key ssh.PublicKey) error {
	k.err = k.accept(remote, key)
	return k.err
}

func (k *known) accept(remote net.Addr, key ssh.PublicKey) error {
	err := k.lookup(remote, key)
	var keyErr *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	fingerprint := ssh.FingerprintSHA256(key)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &revoked):
		return fmt.Errorf("the host key %s is revoked: %s:%d", fingerprint, revoked.Revoked.Filename, revoked.Revoked.Line)
	case !errors.As(err, &keyErr):
		return err
	case len(keyErr.Want) > 0:
		w := keyErr.Want[0]
		return fmt.Errorf("the host key has changed: it is %s now, and another one in %s:%d", fingerprint, w.Filename, w.Line)
	}
	name := knownhosts.Normalize(k.name())
	switch k.host.Strict {
	case "yes":
		return fmt.Errorf("unknown host key %s: %s is not in %s", fingerprint, name, k.lists())
	case "ask":
		if k.config.Prompt == nil {
			return fmt.Errorf("unknown host key %s: %s is not in %s, and there is nobody to ask", fingerprint, name, k.lists())
		}
		answer, err := k.config.Prompt(k.ctx, fmt.Sprintf("The key of %s is not known.\n%s %s\nConnect, and remember it (yes/no)? ",
			name, key.Type(), fingerprint), false)
		if err != nil {
			return err
		}
		if a := strings.TrimSpace(answer); a != "yes" && a != fingerprint {
			return fmt.Errorf("unknown host key %s: not accepted", fingerprint)
		}
	}
	return k.remember(name, key)
}

func (k *known) lists() string {
	if len(k.host.KnownHosts) == 0 {
		return "any list"
	}
	return strings.Join(k.host.KnownHosts, " ")
}

// remember adds a key to the first of the user's lists.
func (k *known) remember(name string, key ssh.PublicKey) error {
	if len(k.host.UserKnownHosts) == 0 {
		return nil
	}
	file := k.host.UserKnownHosts[0]
	if file == os.DevNull {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(knownhosts.Line([]string{name}, key) + "\n")
	return errors.Join(err, f.Close())
}
