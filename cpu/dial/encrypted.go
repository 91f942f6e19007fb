package dial

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/ssh"
)

// passphraseTries is how often a passphrase may be mistyped, as with ssh.
const passphraseTries = 3

// encrypted is the offer of an encrypted key. Where its public half is known, the passphrase is asked for once the server has accepted that.
func (k *keys) encrypted(file string, text []byte, public ssh.PublicKey) offer {
	return offer{file, public, func() (ssh.Signer, error) {
		if k.config.Prompt == nil {
			return nil, errors.New("encrypted, and there is nobody to ask")
		}
		if public == nil {
			return k.decrypt(file, text)
		}
		return &encryptedKey{keys: k, file: file, text: text, public: public}, nil
	}}
}

// decrypt asks for a passphrase until it is the right one.
func (k *keys) decrypt(file string, text []byte) (ssh.Signer, error) {
	for range passphraseTries {
		passphrase, err := k.config.Prompt(k.ctx, fmt.Sprintf("Passphrase for %s: ", file), true)
		if err != nil {
			return nil, err
		}
		s, err := ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase))
		if !errors.Is(err, x509.IncorrectPasswordError) {
			return s, err
		}
	}
	return nil, errors.New("wrong passphrase")
}

// encryptedKey is a key whose passphrase is asked for when it is to sign.
type encryptedKey struct {
	keys   *keys
	file   string
	text   []byte
	public ssh.PublicKey
}

func (e *encryptedKey) PublicKey() ssh.PublicKey { return e.public }

func (e *encryptedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return e.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm is what RSA keys sign with SHA-2 by.
func (e *encryptedKey) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := e.keys.decrypt(e.file, e.text)
	if err != nil {
		e.keys.failed(e.file, err)
		return nil, err
	}
	if s, ok := signer.(ssh.AlgorithmSigner); ok && algorithm != "" {
		return s.SignWithAlgorithm(rand, data, algorithm)
	}
	return signer.Sign(rand, data)
}

// failed puts to the key that was offered last why it could not sign.
func (k *keys) failed(name string, err error) {
	k.passed = k.passed[:len(k.passed)-1]
	k.pass(name, err)
}
