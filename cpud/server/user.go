//go:build linux

package server

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	"cpu/ctlfs"
)

// passwd is the list of users; see passwd(5).
const passwd = "/etc/passwd"

// nobody stands for a user who may not come in.
var nobody = ctlfs.User{Home: "/nonexistent"}

// lookupUser finds a user by name. A machine without users has one, root, whose home is /.
func (s *Server) lookupUser(name string) (ctlfs.User, error) {
	u, password, err := findUser(name)
	if err != nil {
		return nobody, err
	}
	if s.uid != 0 && int(u.UID) != s.uid {
		return nobody, fmt.Errorf("%s: not the user that cpud runs as, and cpud is not root", name)
	}
	if s.uid == 0 { // else whoever runs cpud has the account already, open or not
		if err := closedTo(u, password, time.Now()); err != nil {
			return nobody, err
		}
	}
	u.Root = u.UID == 0
	return u, nil
}

// findUser gives the user's line of passwd(5), with its groups, and the field of his password.
func findUser(name string) (u ctlfs.User, password string, err error) {
	f, err := os.Open(passwd)
	if errors.Is(err, fs.ErrNotExist) {
		if name != "root" {
			return ctlfs.User{}, "", user.UnknownUserError(name)
		}
		return ctlfs.User{Name: "root", Home: "/", Shell: "/bin/sh"}, "", nil
	}
	if err != nil {
		return ctlfs.User{}, "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 7 || fields[0] != name {
			continue
		}
		uid, err := strconv.ParseUint(fields[2], 10, 32)
		if err != nil {
			return ctlfs.User{}, "", fmt.Errorf("%s: %s: %w", passwd, name, err)
		}
		gid, err := strconv.ParseUint(fields[3], 10, 32)
		if err != nil {
			return ctlfs.User{}, "", fmt.Errorf("%s: %s: %w", passwd, name, err)
		}
		u = ctlfs.User{Name: name, UID: uint32(uid), GID: uint32(gid), Home: fields[5], Shell: fields[6]}
		if u.Home == "" {
			u.Home = "/"
		}
		if u.Shell == "" {
			u.Shell = "/bin/sh"
		}
		u.Groups, err = groups(name, u.GID)
		return u, fields[1], err
	}
	if err := lines.Err(); err != nil {
		return ctlfs.User{}, "", fmt.Errorf("%s: %w", passwd, err)
	}
	return ctlfs.User{}, "", user.UnknownUserError(name)
}

// groups are the supplementary groups of a user.
func groups(name string, gid uint32) ([]uint32, error) {
	ids, err := (&user.User{Username: name, Gid: strconv.Itoa(int(gid))}).GroupIds()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return []uint32{gid}, nil
		}
		return nil, fmt.Errorf("groups of %s: %w", name, err)
	}
	var all []uint32
	for _, id := range ids {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("groups of %s: %w", name, err)
		}
		all = append(all, uint32(n))
	}
	return all, nil
}
