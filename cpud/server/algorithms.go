//go:build linux

package server

import (
	"crypto/rsa"
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"
)

// The algorithms, best first: those that nobody has anything against, with AES-GCM before the other ciphers, for it is the fastest where
// processors have AES. There is no NIST curve among the exchanges and the host's keys, and no MAC of what is not encrypted yet.
var (
	ciphers      = []string{"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr"}
	keyExchanges = []string{"mlkem768x25519-sha256", "curve25519-sha256", "curve25519-sha256@libssh.org"}
	macs         = []string{"hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"}

	rsaSignatures  = []string{"rsa-sha2-512", "rsa-sha2-256"}
	userSignatures = append([]string{"ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
		"ecdsa-sha2-nistp521", "sk-ecdsa-sha2-nistp256@openssh.com"}, rsaSignatures...)
)

// minRSA is the least number of bits of an RSA key, a host's or a user's.
const minRSA = 2048

// modernHostKey gives the key as one that signs with nothing old.
func modernHostKey(k ssh.Signer) (ssh.Signer, error) {
	switch public := k.PublicKey(); public.Type() {
	case ssh.KeyAlgoED25519:
		return k, nil
	case ssh.KeyAlgoRSA:
		signer, ok := k.(ssh.AlgorithmSigner)
		if !ok {
			return nil, fmt.Errorf("host key: an RSA key that signs with SHA-1 only")
		}
		if err := modernKey(public); err != nil {
			return nil, fmt.Errorf("host key: %w", err)
		}
		return ssh.NewSignerWithAlgorithms(signer, rsaSignatures)
	default:
		return nil, fmt.Errorf("host key: %s: want an ed25519 or an RSA key", public.Type())
	}
}

// modernKey says what is wrong with a user's key, or an authority's.
func modernKey(k ssh.PublicKey) error {
	if k.Type() != ssh.KeyAlgoRSA {
		if !slices.Contains(userSignatures, k.Type()) {
			return fmt.Errorf("%s: keys of this type are not accepted", k.Type())
		}
		return nil
	}
	c, ok := k.(ssh.CryptoPublicKey)
	if !ok {
		return fmt.Errorf("%s: no RSA key", k.Type())
	}
	if n, ok := c.CryptoPublicKey().(*rsa.PublicKey); !ok || n.N.BitLen() < minRSA {
		return fmt.Errorf("an RSA key of less than %d bits", minRSA)
	}
	return nil
}
