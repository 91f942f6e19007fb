package dial

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cpu/lib/krl"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// known verifies one host's key. The lists are read here and not by golang.org/x/crypto/ssh/knownhosts, which takes no list with a line
// it does not know, and does not say which keys a host has.
type known struct {
	ctx     context.Context
	config  *Config
	host    *Host
	entries []hostEntry   // what the lists say of the host
	timer   *time.Timer   // runs until the host has shown its key; nil: it has as long as it likes
	key     ssh.PublicKey // that was accepted; nil: none yet
	err     error         // why the key was not accepted
}

// knownHosts reads what the lists say of a host.
func (c *Config) knownHosts(ctx context.Context, h *Host) (*known, error) {
	k := &known{ctx: ctx, config: c, host: h}
	for _, file := range slices.Concat(h.UserKnownHosts, h.KnownHosts) {
		entries, err := readHostList(file, k.name())
		if err != nil {
			return nil, fmt.Errorf("known hosts: %w", err)
		}
		k.entries = append(k.entries, entries...)
	}
	return k, k.consult(forOrder, nil)
}

// limit cancels the connection if the host has not shown its key in time; 0 is any time.
func (k *known) limit(t time.Duration, cancel context.CancelCauseFunc) {
	if t > 0 {
		k.timer = time.AfterFunc(t, func() { cancel(errors.New("connection timed out")) })
	}
}

// name is the host as the lists have it: with its port, unless that is SSH's own, or an alias was given.
func (k *known) name() string {
	if k.host.Alias != "" {
		return k.host.Alias
	}
	return knownhosts.Normalize(net.JoinHostPort(k.host.HostName, k.host.Port))
}

// withoutPort looks for the key under the host's name alone, which ssh does for a port that is not known: the key of the machine's sshd
// may be that of its cpud as well.
func (k *known) withoutPort(key ssh.PublicKey) bool {
	if k.host.Alias != "" || k.name() == k.host.HostName {
		return false
	}
	found := false
	for _, file := range slices.Concat(k.host.UserKnownHosts, k.host.KnownHosts) {
		entries, err := readHostList(file, k.host.HostName)
		if err != nil {
			return false
		}
		for _, e := range entries {
			if equal(e.key, key) {
				if e.marker == markerRevoked {
					return false
				}
				found = found || e.marker == ""
			}
		}
	}
	return found
}

const (
	markerAuthority = "cert-authority"
	markerRevoked   = "revoked"
)

// algorithms are those that are configured, or all. Of them those of keys that are known count, so that the server shows one that can be
// verified; of a host of which no such key is known, all do.
func (k *known) algorithms() []string {
	all := k.host.HostKeyAlgorithms
	if all == nil {
		all = slices.Concat(certAlgorithms, keyAlgorithms)
	}
	authority := slices.ContainsFunc(k.entries, func(e hostEntry) bool { return e.marker == markerAuthority })
	known := slices.DeleteFunc(slices.Clone(all), func(a string) bool {
		if strings.Contains(a, "-cert-v01@") {
			return !authority
		}
		return !k.hasType(keyType(a))
	})
	plain := func(a string) bool { return !strings.Contains(a, "-cert-v01@") }
	switch {
	case slices.ContainsFunc(known, plain):
		return known
	case len(known) > 0: // an authority's; its host may also show a plain key that is not known yet
		return slices.Concat(known, slices.DeleteFunc(slices.Clone(all), func(a string) bool { return !plain(a) }))
	case k.host.HostKeyAlgorithms != nil:
		return all
	}
	return keyAlgorithms
}

// keyType is the type of the keys that an algorithm signs with.
func keyType(algorithm string) string {
	switch algorithm {
	case ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512:
		return ssh.KeyAlgoRSA
	}
	return algorithm
}

// hasType says whether a key of a type is known.
func (k *known) hasType(t string) bool {
	return slices.ContainsFunc(k.entries, func(e hostEntry) bool { return e.marker == "" && e.key.Type() == t })
}

// otherTypes is the error for a host that offers no key of the types that are known of it.
func (k *known) otherTypes(offered []string) error {
	e := k.entries[0]
	return fmt.Errorf("the host key has changed: %s:%d has %s for %s, which offers only %s", e.file, e.line, e.key.Type(), k.name(),
		strings.Join(offered, ", "))
}

// check accepts a key that is known, and one of a host that is not known where the user wants it so; see ssh.HostKeyCallback. It is called
// again whenever keys are exchanged anew (section 9 of RFC 4253): then the key is to be the same, and nobody is asked.
func (k *known) check(_ string, remote net.Addr, key ssh.PublicKey) error {
	if k.timer != nil {
		k.timer.Stop()
	}
	switch {
	case k.key == nil:
		if k.err = k.announced(key); k.err == nil {
			k.err = k.accept(remote, key)
		}
		if k.err == nil {
			k.key = key
		}
	case !equal(k.key, key):
		k.err = fmt.Errorf("the host key has changed while connected: %s is now %s %s", k.name(), key.Type(), ssh.FingerprintSHA256(key))
	}
	return k.err
}

func (k *known) accept(remote net.Addr, key ssh.PublicKey) error {
	if err := k.host.checkSize(key); err != nil {
		return fmt.Errorf("the host key: %w", err)
	}
	if err := k.consult(forHost, key); err != nil {
		return err
	}
	if err := k.revoked(key); err != nil {
		return err
	}
	if cert, ok := key.(*ssh.Certificate); ok {
		if k.has(markerAuthority, cert.SignatureKey) {
			if signed := cert.Signature.Format; !k.signs(signed) {
				return fmt.Errorf("the certificate of %s is signed with %s, which is not among CASignatureAlgorithms", k.name(), signed)
			}
			name := k.host.HostName
			if k.host.Alias != "" {
				name = k.host.Alias
			}
			checker := ssh.CertChecker{IsHostAuthority: func(auth ssh.PublicKey, _ string) bool { return k.has(markerAuthority, auth) }}
			return checker.CheckHostKey(net.JoinHostPort(name, k.host.Port), remote, key)
		}
		key = cert.Key // of an authority that is not known, it is a key like any other
	}
	if k.has("", key) {
		return nil
	}
	fingerprint := ssh.FingerprintSHA256(key)
	for _, e := range k.entries {
		// A key of another type is shown only if its algorithm was asked for.
		if e.marker == "" && (e.key.Type() == key.Type() || k.host.HostKeyAlgorithms == nil) {
			return fmt.Errorf("the host key has changed: %s is now %s %s, and another one in %s:%d", k.name(), key.Type(), fingerprint, e.file, e.line)
		}
	}
	if k.withoutPort(key) {
		return nil
	}
	switch k.host.Strict {
	case "yes":
		return fmt.Errorf("unknown host key %s: %s is not in %s", fingerprint, k.name(), k.lists())
	case "ask":
		if err := k.ask(key, fingerprint); err != nil {
			return err
		}
	}
	return k.remember(key)
}

// signs says whether authorities may sign with an algorithm.
func (k *known) signs(algorithm string) bool {
	if k.host.CASignatures != nil {
		return slices.Contains(k.host.CASignatures, algorithm)
	}
	return slices.Contains(caSignatures, algorithm)
}

// has says whether the lists have the key under a marker.
func (k *known) has(marker string, key ssh.PublicKey) bool {
	return slices.ContainsFunc(k.entries, func(e hostEntry) bool { return e.marker == marker && equal(e.key, key) })
}

// revoked fails if a key is revoked, by a line of the lists or a file of RevokedHostKeys; of a certificate, if its key is, or its authority's.
func (k *known) revoked(key ssh.PublicKey) error {
	for _, file := range k.host.RevokedHostKeys {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("revoked host keys: %w", err)
		}
		revoked, err := krl.Parse(text)
		if err != nil {
			return fmt.Errorf("revoked host keys: %s: %w", file, err)
		}
		if revoked.Revokes(key) {
			return fmt.Errorf("the host key %s is revoked: %s", ssh.FingerprintSHA256(key), file)
		}
	}
	keys := []ssh.PublicKey{key}
	if cert, ok := key.(*ssh.Certificate); ok {
		keys = []ssh.PublicKey{cert.SignatureKey, cert.Key}
	}
	for _, e := range k.entries {
		for _, key := range keys {
			if e.marker == markerRevoked && equal(e.key, key) {
				return fmt.Errorf("the host key %s is revoked: %s:%d", ssh.FingerprintSHA256(key), e.file, e.line)
			}
		}
	}
	return nil
}

// ask lets the user decide. He may also type the fingerprint, as he has it from elsewhere.
func (k *known) ask(key ssh.PublicKey, fingerprint string) error {
	if k.config.Prompt == nil || k.host.BatchMode {
		return fmt.Errorf("unknown host key %s: %s is not in %s, and there is nobody to ask", fingerprint, k.name(), k.lists())
	}
	answer, err := k.config.Prompt(k.ctx, fmt.Sprintf("The key of %s is not known.\n%s %s\nConnect, and remember it (yes/no/fingerprint)? ",
		k.name(), key.Type(), fingerprint), false)
	if err != nil {
		return err
	}
	if a := strings.TrimSpace(answer); a != "yes" && a != fingerprint {
		return fmt.Errorf("unknown host key %s: not accepted", fingerprint)
	}
	return nil
}

func (k *known) lists() string {
	all := slices.Concat(k.host.UserKnownHosts, k.host.KnownHosts)
	if k.host.KnownHostsCommand != "" {
		all = append(all, "KnownHostsCommand")
	}
	if len(all) == 0 {
		return "any list"
	}
	return strings.Join(all, " ")
}

// remember adds a key to the first of the user's lists.
func (k *known) remember(key ssh.PublicKey) error {
	if len(k.host.UserKnownHosts) == 0 || k.host.UserKnownHosts[0] == os.DevNull {
		return nil
	}
	file := k.host.UserKnownHosts[0]
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	name := k.name()
	if k.host.HashKnownHosts {
		name = knownhosts.HashHostname(name)
	}
	line := name + " " + string(ssh.MarshalAuthorizedKey(key))
	if !endsLine(f) {
		line = "\n" + line
	}
	_, err = f.WriteString(line)
	return errors.Join(err, f.Close())
}

// endsLine says whether a file is empty or ends in a newline.
func endsLine(f *os.File) bool {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return true
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, size-1)
	return err != nil || last[0] == '\n'
}
