package dial

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// passphraseTries is how often a passphrase may be mistyped, as with ssh.
const passphraseTries = 3

// An identity is the private key of a file, which signs. If it is encrypted, and its public half is known, the passphrase is asked for once the
// server has accepted that.
type identity struct {
	keys   *keys
	file   string
	text   []byte
	public ssh.PublicKey // nil: not known yet
	key    any           // nil: not decrypted yet
	added  bool          // the agent has been asked to take it, or is not to be
}

func (i *identity) offer() offer {
	return offer{i.file, i.public, func() (ssh.Signer, error) {
		if i.key == nil && (i.keys.config.Prompt == nil || i.keys.host.BatchMode) {
			return nil, errors.New("encrypted, and there is nobody to ask")
		}
		if i.public == nil {
			if err := i.decrypt(); err != nil {
				return nil, err
			}
		}
		return i, nil
	}}
}

// decrypt asks for the passphrase until it is the right one.
func (i *identity) decrypt() error {
	for range passphraseTries {
		passphrase, err := i.keys.config.Prompt(i.keys.ctx, fmt.Sprintf("Passphrase for %s: ", i.file), true)
		if err != nil {
			return err
		}
		key, err := ssh.ParseRawPrivateKeyWithPassphrase(i.text, []byte(passphrase))
		if errors.Is(err, x509.IncorrectPasswordError) {
			continue
		}
		if err != nil {
			return err
		}
		s, err := ssh.NewSignerFromKey(key)
		if err != nil {
			return err
		}
		i.key, i.public = key, s.PublicKey()
		return nil
	}
	return errors.New("wrong passphrase")
}

func (i *identity) PublicKey() ssh.PublicKey { return i.public }

func (i *identity) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return i.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm is what RSA keys sign with SHA-2 by.
func (i *identity) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	if i.key == nil {
		if err := i.decrypt(); err != nil {
			i.keys.failed(i.file, err)
			return nil, err
		}
	}
	signer, err := ssh.NewSignerFromKey(i.key)
	if err != nil {
		return nil, err
	}
	i.addToAgent()
	if s, ok := signer.(ssh.AlgorithmSigner); ok && algorithm != "" {
		return s.SignWithAlgorithm(rand, data, algorithm)
	}
	return signer.Sign(rand, data)
}

// addToAgent hands the key to the agent, if AddKeysToAgent says so. That the agent does not take it is no reason not to log in.
func (i *identity) addToAgent() {
	h := i.keys.host
	if i.added || i.keys.agent == nil || h.AddKeys == "no" || h.AddKeys == "" {
		return
	}
	i.added = true
	if h.AddKeys == "ask" && !i.agreed() {
		return
	}
	err := i.keys.agent.Add(agent.AddedKey{PrivateKey: i.key, Comment: i.file, ConfirmBeforeUse: h.AddKeys == "confirm",
		LifetimeSecs: uint32(h.AddKeysTime / time.Second)})
	if err != nil {
		i.keys.config.log().Info("key not added to the agent", "key", i.file, "err", err)
		return
	}
	i.keys.config.log().Debug("key added to the agent", "key", i.file)
}

// agreed asks the user whether the agent is to have the key.
func (i *identity) agreed() bool {
	if i.keys.config.Prompt == nil || i.keys.host.BatchMode {
		return false
	}
	answer, err := i.keys.config.Prompt(i.keys.ctx, fmt.Sprintf("Add the key %s to the agent (yes/no)? ", i.file), false)
	return err == nil && strings.TrimSpace(answer) == "yes"
}

// failed puts to the key that was offered last why it could not sign.
func (k *keys) failed(name string, err error) {
	k.passed = k.passed[:len(k.passed)-1]
	k.pass(name, err)
}
