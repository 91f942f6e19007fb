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

// keys are the user's for one login: those of the agent first, then those of files.
type keys struct {
	ctx    context.Context
	config *Config
	host   *Host
	agent  net.Conn // nil: not connected
	tried  []string // what was offered, or why it was not; for the error
	err    error    // why nothing could be offered
}

func (c *Config) newKeys(ctx context.Context, h *Host) *keys {
	return &keys{ctx: ctx, config: c, host: h}
}

func (k *keys) close() {
	if k.agent != nil {
		k.agent.Close()
	}
}

// signers are all keys, in the order in which they are to be offered. A file that is encrypted is only decrypted when the server has
// accepted its public half, where that is at hand.
func (k *keys) signers() ([]ssh.Signer, error) {
	files, public, err := k.fromFiles()
	if err != nil {
		k.err = err
		return nil, err
	}
	all, held := k.fromAgent(public)
	for _, f := range files {
		if !slices.ContainsFunc(held, func(p []byte) bool { return bytes.Equal(p, f.PublicKey().Marshal()) }) {
			all = append(all, f)
		}
	}
	return all, nil
}

// fromAgent gives the agent's keys: with IdentitiesOnly those alone that a file names.
func (k *keys) fromAgent(named [][]byte) (all []ssh.Signer, held [][]byte) {
	if k.host.Agent == "" {
		return nil, nil
	}
	var d net.Dialer
	conn, err := d.DialContext(k.ctx, "unix", k.host.Agent)
	if err != nil {
		k.config.log().Info("no agent", "err", err)
		return nil, nil
	}
	k.agent = conn
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		k.config.log().Info("no keys of the agent", "err", err)
		return nil, nil
	}
	for _, s := range signers {
		key := s.PublicKey().Marshal()
		if k.host.IdentitiesOnly && !slices.ContainsFunc(named, func(p []byte) bool { return bytes.Equal(p, key) }) {
			continue
		}
		all, held = append(all, s), append(held, key)
	}
	if len(all) > 0 {
		k.tried = append(k.tried, fmt.Sprintf("%d of the agent's keys", len(all)))
	}
	return all, held
}

// fromFiles reads the identity files, and the public keys beside them. One that is missing is passed over, unless the user named it.
func (k *keys) fromFiles() (all []ssh.Signer, public [][]byte, err error) {
	for i, file := range k.host.IdentityFiles {
		if text, err := os.ReadFile(file + ".pub"); err == nil {
			if p, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
				public = append(public, p.Marshal())
			}
		}
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) && i >= len(k.config.IdentityFiles) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("identity: %w", err)
		}
		s, err := k.parse(file, text)
		if err != nil {
			k.tried = append(k.tried, fmt.Sprintf("%s (%v)", file, err))
			continue
		}
		k.tried = append(k.tried, file)
		all, public = append(all, s), append(public, s.PublicKey().Marshal())
	}
	return all, public, nil
}

func (k *keys) parse(file string, text []byte) (ssh.Signer, error) {
	s, err := ssh.ParsePrivateKey(text)
	var encrypted *ssh.PassphraseMissingError
	if !errors.As(err, &encrypted) {
		return s, err
	}
	if encrypted.PublicKey == nil {
		return k.decrypt(file, text)
	}
	return &encryptedKey{keys: k, file: file, text: text, public: encrypted.PublicKey}, nil
}

// decrypt asks for a passphrase and uses it.
func (k *keys) decrypt(file string, text []byte) (ssh.Signer, error) {
	if k.config.Prompt == nil {
		return nil, errors.New("encrypted, and there is nobody to ask")
	}
	passphrase, err := k.config.Prompt(k.ctx, fmt.Sprintf("Passphrase for %s: ", file), true)
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase))
}

// denied says what was tried in vain.
func (k *keys) denied(user string) error {
	if len(k.tried) == 0 {
		return fmt.Errorf("permission denied for %s: there is no key to try", user)
	}
	return fmt.Errorf("permission denied for %s: tried %s", user, strings.Join(k.tried, ", "))
}
