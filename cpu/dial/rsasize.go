package dial

import (
	"crypto/rsa"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// minRSASize is the least number of bits that RequiredRSASize can stand for, and its default.
const minRSASize = 1024

// checkSize fails for an RSA key, or the certificate of one, that is smaller than RequiredRSASize.
func (h *Host) checkSize(key ssh.PublicKey) error {
	key, err := ssh.ParsePublicKey(key.Marshal()) // of a key of the agent's there is no more than that
	if err != nil {
		return nil // of a kind that package ssh does not know, which RSA is not
	}
	c, ok := plainKey(key).(ssh.CryptoPublicKey)
	if !ok {
		return nil
	}
	n, ok := c.CryptoPublicKey().(*rsa.PublicKey)
	if least := max(h.RSASize, minRSASize); ok && n.N.BitLen() < least {
		return fmt.Errorf("an RSA key of %d bits, and RequiredRSASize is %d", n.N.BitLen(), least)
	}
	return nil
}
