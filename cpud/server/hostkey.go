//go:build linux

package server

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/ssh"
)

// HostKey reads a host key, and makes an ed25519 one, mode 0600, where there is none yet. Of two that make it at once both get the same.
func HostKey(file string) (ssh.Signer, error) {
	text, err := readHostKey(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeHostKey(file); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("host key: %w", err)
		}
		text, err = readHostKey(file)
	}
	if err != nil {
		return nil, fmt.Errorf("host key: %w", err)
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("host key: %s: %w", file, err)
	}
	return key, nil
}

// HostCertificates reads the certificate of a host key, whose name is the key's with -cert.pub after it, as ssh-keygen(1) has it. There need
// be none.
func HostCertificates(file string) ([]*ssh.Certificate, error) {
	file += "-cert.pub"
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("host certificate: %w", err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil, fmt.Errorf("host certificate: %s: %w", file, err)
	}
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return nil, fmt.Errorf("host certificate: %s: a key without a certificate", file)
	}
	return []*ssh.Certificate{cert}, nil
}

// certifiedHostKey gives the one of the keys that cert is for, which shows the certificate with it.
func certifiedHostKey(cert *ssh.Certificate, keys []ssh.Signer) (ssh.Signer, error) {
	if cert.CertType != ssh.HostCert {
		return nil, errors.New("host certificate: not a host's")
	}
	if !slices.Contains(userSignatures, cert.Signature.Format) {
		return nil, fmt.Errorf("host certificate: signed with %s", cert.Signature.Format)
	}
	for _, k := range keys {
		if bytes.Equal(k.PublicKey().Marshal(), cert.Key.Marshal()) {
			return ssh.NewCertSigner(cert, k)
		}
	}
	return nil, fmt.Errorf("host certificate: for %s, which is no host key here", ssh.FingerprintSHA256(cert.Key))
}

func readHostKey(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: others may read or write it", file)
	}
	return io.ReadAll(f)
}

// makeHostKey writes the key beside its name and links it there, so that the name never stands for half a key.
func makeHostKey(file string) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(key, "cpud")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(pem.EncodeToMemory(block))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), file)
}
