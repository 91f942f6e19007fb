package sshconfig

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// forward is where to listen and where to connect to, which come as one value, as -L of ssh(1) takes it.
func forward(l *line) ([]string, error) {
	if len(l.args) < 2 || l.args[0] == "" || l.args[1] == "" {
		return nil, errMissing
	}
	if len(l.args) > 2 {
		return nil, errExtra
	}
	if err := checkEnd(l.args[0], true); err != nil {
		return nil, err
	}
	if err := checkEnd(l.args[1], false); err != nil {
		return nil, err
	}
	return []string{l.args[0] + ":" + l.args[1]}, nil
}

// remoteForward may lack where to connect to: then the host is asked for connections to anywhere.
func remoteForward(l *line) ([]string, error) {
	if len(l.args) == 1 {
		return dynamicForward(l)
	}
	return forward(l)
}

func dynamicForward(l *line) ([]string, error) {
	v, err := l.one()
	if err == nil {
		err = checkEnd(v, true)
	}
	return []string{v}, err
}

// permitted is any, none, or a list of host:port where * is any.
func permitted(l *line) ([]string, error) {
	all, err := words(l)
	if err != nil || len(all) == 1 && (none(all[0]) || strings.EqualFold(all[0], "any")) {
		return all, err
	}
	for _, p := range all {
		_, number, err := net.SplitHostPort(p)
		if err == nil && number != "*" {
			_, err = strconv.ParseUint(number, 10, 16)
		}
		if err != nil {
			return nil, fmt.Errorf("%q: want host:port", p)
		}
	}
	return all, nil
}

// checkEnd checks one end of a forwarding: a socket's path, or [host:]port, where / may stand for : as well; bare says whether the host
// may be missing.
func checkEnd(s string, bare bool) error {
	if strings.HasPrefix(s, "/") || strings.Contains(s, "%") || strings.Contains(s, "${") {
		return nil
	}
	_, number, err := net.SplitHostPort(s)
	if err != nil {
		if i := strings.IndexByte(s, '/'); i >= 0 {
			number, err = s[i+1:], nil
		} else if bare {
			number, err = s, nil
		}
	}
	if err == nil {
		_, err = strconv.ParseUint(number, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%q: want [host:]port, or the path of a socket", s)
	}
	return nil
}
