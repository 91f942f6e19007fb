//go:build linux

package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"cpu/ctlfs"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// findKey finds what lets key in for u, who comes from an address, and gives what it allows.
func (s *Server) findKey(u ctlfs.User, key ssh.PublicKey, from net.Addr) (keyRights, error) {
	if err := s.checkRevoked(key); err != nil {
		return keyRights{}, err
	}
	if s.Keys != nil {
		for _, k := range s.Keys {
			if bytes.Equal(k.Marshal(), key.Marshal()) {
				return keyRights{}, nil
			}
		}
		return keyRights{}, errors.New("not one of the keys")
	}
	var text []byte
	var err error
	file := s.AuthorizedKeys
	if file != "" {
		text, err = readStrict(file, uint32(s.uid), "")
	} else {
		file = filepath.Join(u.Home, ".ssh", "authorized_keys")
		text, err = readStrict(file, u.UID, u.Home)
	}
	if err != nil {
		return keyRights{}, err
	}
	rights, err := matchKey(text, u.Name, key, from, time.Now())
	if err != nil {
		return keyRights{}, fmt.Errorf("%s: %w", file, err)
	}
	return rights, nil
}

// maxKeys is the size in bytes of a list of keys beyond which it is not read.
const maxKeys = 1 << 20

// readStrict reads a file that nobody but owner and root can have written. Where a home is given the same goes for the directories from
// the file, wherever links led to it, up to home, or to / if it is elsewhere: sshd calls it StrictModes.
func readStrict(file string, owner uint32, home string) ([]byte, error) {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return nil, err
	}
	// The name is the user's to choose and cpud may be root, so it is not opened before it is known to be a file: to open a device
	// can do something by itself.
	p, err := os.OpenFile(file, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	info, err := p.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a file", file)
	}
	if err := strict(file, info, owner); err != nil {
		return nil, err
	}
	if home != "" {
		if err := strictAbove(file, owner, home); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", p.Fd()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeys+1))
	if err == nil && len(text) > maxKeys {
		err = fmt.Errorf("%s: more than %d bytes", file, maxKeys)
	}
	return text, err
}

// strictAbove checks the directories above a file.
func strictAbove(file string, owner uint32, home string) error {
	home, err := filepath.EvalSymlinks(home)
	if err != nil {
		return err
	}
	for dir := filepath.Dir(file); ; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		if err := strict(dir, info, owner); err != nil {
			return err
		}
		if dir == home || dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func strict(name string, info os.FileInfo, owner uint32) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid != owner && st.Uid != 0 {
		return fmt.Errorf("%s: belongs to another user", name)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s: others may write it", name)
	}
	return nil
}

// matchKey finds key in the text of an authorized_keys file, see sshd(8), on a line whose options let it in as user; or, of a certificate,
// the key that signed it, on a line that says that it may. Lines that cannot be read let nobody in.
func matchKey(text []byte, user string, key ssh.PublicKey, from net.Addr, now time.Time) (keyRights, error) {
	want := key.Marshal()
	cert, certified := key.(*ssh.Certificate)
	if certified {
		want = cert.SignatureKey.Marshal()
	} else if err := modernKey(key); err != nil {
		return keyRights{}, err
	}
	err := errors.New("the key is not there")
	n := 0
	for line := range bytes.Lines(text) {
		n++
		k, _, options, _, parseErr := ssh.ParseAuthorizedKey(line)
		if parseErr != nil || !bytes.Equal(k.Marshal(), want) {
			continue
		}
		rights, lineErr := parseOptions(options, from, now)
		switch {
		case lineErr == nil && certified && rights.authority:
			rights, lineErr = rights.certified(cert, user, now)
		case lineErr == nil && certified:
			lineErr = errors.New("the key is no authority for certificates")
		case lineErr == nil && rights.authority:
			lineErr = errors.New("the key is there to sign certificates only")
		}
		if lineErr == nil {
			return rights, nil
		}
		err = fmt.Errorf("%d: %w", n, lineErr)
	}
	return keyRights{}, err
}
