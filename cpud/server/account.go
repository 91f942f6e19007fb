//go:build linux

package server

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"cpu/ctlfs"
)

// shadow is the list of users' passwords; see shadow(5).
const shadow = "/etc/shadow"

// nologins are the files that, while they are there, keep everybody out but root: nologin(5), and what pam_nologin(8) looks at.
var nologins = []string{"/etc/nologin", "/run/nologin"}

// closedTo says why a user may not log in although there is such a user: an account is locked as for an sshd that does without PAM.
// Password is the field of passwd(5).
func closedTo(u ctlfs.User, password string, now time.Time) error {
	if shell := u.Shell[strings.LastIndexByte(u.Shell, '/')+1:]; shell == "nologin" || shell == "false" {
		return fmt.Errorf("%s: %s is no shell to log in with", u.Name, u.Shell)
	}
	password, expires, err := shadowed(u.Name, password)
	if err != nil {
		return err
	}
	if strings.HasPrefix(password, "!") {
		return fmt.Errorf("%s: the account is locked", u.Name)
	}
	if !expires.IsZero() && !now.Before(expires) {
		return fmt.Errorf("%s: the account has expired", u.Name)
	}
	if u.UID == 0 {
		return nil
	}
	for _, name := range nologins {
		if _, err := os.Stat(name); err == nil {
			return fmt.Errorf("%s: only root may log in while there is %s", u.Name, name)
		}
	}
	return nil
}

// shadowed is a user's password in shadow(5), and when the account expires, the zero time if it does not. A user who is not there has the
// password that is given.
func shadowed(name, password string) (string, time.Time, error) {
	f, err := os.Open(shadow)
	if errors.Is(err, fs.ErrNotExist) {
		return password, time.Time{}, nil
	}
	if err != nil {
		return "", time.Time{}, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 2 || fields[0] != name {
			continue
		}
		const expire = 7
		if len(fields) <= expire || fields[expire] == "" {
			return fields[1], time.Time{}, nil
		}
		days, err := strconv.Atoi(fields[expire])
		if err != nil {
			return "", time.Time{}, fmt.Errorf("%s: %s: %w", shadow, name, err)
		}
		if days <= 0 { // not to be used, says shadow(5); sshd takes it as never
			return fields[1], time.Time{}, nil
		}
		return fields[1], time.Unix(0, 0).UTC().AddDate(0, 0, days+1), nil // the day itself counts
	}
	if err := lines.Err(); err != nil {
		return "", time.Time{}, fmt.Errorf("%s: %w", shadow, err)
	}
	return password, time.Time{}, nil
}
