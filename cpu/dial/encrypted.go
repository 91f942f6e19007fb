package dial

import (
	"io"

	"golang.org/x/crypto/ssh"
)

// encryptedKey is a key whose passphrase is asked for when it is to sign, which is once the server has accepted its public half.
type encryptedKey struct {
	keys   *keys
	file   string
	text   []byte
	public ssh.PublicKey
	signer ssh.Signer // once decrypted
}

func (e *encryptedKey) PublicKey() ssh.PublicKey { return e.public }

func (e *encryptedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return e.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm also makes RSA keys sign with SHA-2.
func (e *encryptedKey) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	if e.signer == nil {
		s, err := e.keys.decrypt(e.file, e.text)
		if err != nil {
			e.keys.tried = append(e.keys.tried, e.file+" ("+err.Error()+")")
			return nil, err
		}
		e.signer = s
	}
	if s, ok := e.signer.(ssh.AlgorithmSigner); ok && algorithm != "" {
		return s.SignWithAlgorithm(rand, data, algorithm)
	}
	return e.signer.Sign(rand, data)
}
