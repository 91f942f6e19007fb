//go:build linux

package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

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
