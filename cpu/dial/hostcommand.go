package dial

import (
	"encoding/base64"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"
)

// Why a KnownHostsCommand is run, as it is told by %I: before the connection, for the algorithms to ask for; and once the host has shown its key.
const (
	forOrder = "ORDER"
	forHost  = "HOSTNAME"
)

// consult adds what KnownHostsCommand says of the host to what the lists say. Key is what the host has shown; nil: nothing so far. A command that
// fails is an error, for it may be to say that a key is revoked.
func (k *known) consult(why string, key ssh.PublicKey) error {
	if k.host.KnownHostsCommand == "" {
		return nil
	}
	more := map[byte]string{'H': k.name(), 'I': why, 't': "NONE", 'f': "NONE", 'K': "NONE"}
	if key != nil {
		more['t'], more['K'] = key.Type(), base64.StdEncoding.EncodeToString(key.Marshal())
		more['f'] = ssh.FingerprintSHA256(plainKey(key))
	}
	argv, err := k.config.tokens(k.host).Words(k.host.KnownHostsCommand, more)
	if err != nil {
		return fmt.Errorf("KnownHostsCommand: %w", err)
	}
	if len(argv) == 0 || !filepath.IsAbs(argv[0]) {
		return fmt.Errorf("KnownHostsCommand: %s: want an absolute path", k.host.KnownHostsCommand)
	}
	cmd := exec.CommandContext(k.ctx, argv[0], argv[1:]...)
	cmd.Stderr = k.config.Stderr
	cmd.WaitDelay = hostCommandDelay
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("KnownHostsCommand: %s: %w", argv[0], err)
	}
	k.entries = append(k.entries, parseHostList("KnownHostsCommand", text, k.name())...)
	return nil
}

// hostCommandDelay is how long a command's output is waited for that it has left to others.
const hostCommandDelay = time.Second

// plainKey is a key, or that which a certificate is of.
func plainKey(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}
