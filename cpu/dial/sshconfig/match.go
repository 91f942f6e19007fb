package sshconfig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// version is what Match version is compared with.
const version = "cpu"

// match says whether the criteria of a Match line are all met. All of them are read, whether they matter or not; only exec is not run when
// one before it is not met.
func (r *resolver) match(l *line) (bool, error) {
	matched := true
	count := 0
	for args := l.args; len(args) > 0; count++ {
		name, not := strings.CutPrefix(args[0], "!")
		args = args[1:]
		switch strings.ToLower(name) {
		case "all":
			if count > 1 || len(args) > 0 {
				return false, l.errorf("match: all stands alone")
			}
			return matched && !not, nil
		case "canonical", "final":
			if strings.EqualFold(name, "final") && !not {
				r.wantFinal = true
			}
			if r.final == not {
				matched = false
			}
			continue
		}
		name, arg, joined := strings.Cut(name, "=")
		if !joined {
			if len(args) == 0 {
				return false, l.errorf("match: %s: %w", name, errMissing)
			}
			arg, args = args[0], args[1:]
		}
		met, err := r.criterion(strings.ToLower(name), arg, matched)
		if err != nil {
			return false, l.errorf("match: %s: %w", name, err)
		}
		if met == not {
			matched = false
		}
	}
	if count == 0 {
		return false, l.errorf("match: %w", errMissing)
	}
	return matched, nil
}

// criterion says whether one is met that has an argument. Where it does not matter any more nothing is run for it.
func (r *resolver) criterion(name, arg string, matters bool) (bool, error) {
	if arg == "" && name != "tagged" && name != "command" {
		return false, errMissing
	}
	switch name {
	case "host":
		host, err := r.named()
		return MatchesList(strings.ToLower(arg), strings.ToLower(host)), err
	case "originalhost":
		return MatchesList(strings.ToLower(arg), strings.ToLower(r.Host)), nil
	case "user":
		return MatchesList(arg, cmp.Or(r.settings.First("user"), r.LocalUser)), nil
	case "localuser":
		return MatchesList(arg, r.LocalUser), nil
	case "localnetwork":
		return onNetwork(arg)
	case "version":
		return MatchesList(arg, version), nil
	case "tagged":
		return matchesOrEmpty(arg, r.settings.First("tag")), nil
	case "command":
		return matchesOrEmpty(arg, r.Command), nil
	case "sessiontype":
		kind := "shell"
		if r.Command != "" {
			kind = "exec"
		}
		return MatchesList(arg, kind), nil
	case "exec":
		tokens, err := r.tokens()
		if err != nil {
			return false, err
		}
		line, err := tokens.Expand(arg)
		if err != nil || !matters {
			return false, err
		}
		return r.succeeds(line)
	}
	return false, errors.New("no such criterion")
}

// matchesOrEmpty is MatchesList where an empty pattern means that there is nothing.
func matchesOrEmpty(pattern, s string) bool {
	if s == "" {
		return pattern == ""
	}
	return MatchesList(pattern, s)
}

// succeeds runs a command by the user's shell, and says whether it succeeds.
func (r *resolver) succeeds(line string) (bool, error) {
	cmd := ShellCommand(r.ctx, r.Getenv, line)
	cmd.Stderr = os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case context.Cause(r.ctx) != nil:
		return false, context.Cause(r.ctx)
	case err == nil:
		return true, nil
	case errors.As(err, &exit) && exit.Exited():
		return false, nil
	}
	return false, fmt.Errorf("%s: %w", line, err)
}

// ShellCommand is a command that has the user's shell, $SHELL, read a line. ctx kills it.
func ShellCommand(ctx context.Context, getenv func(name string) string, line string) *exec.Cmd {
	name, flag := "SHELL", "-c"
	shell := "/bin/sh"
	switch runtime.GOOS {
	case "windows":
		name, flag, shell = "ComSpec", "/c", "cmd.exe"
	case "plan9":
		name, shell = "", "/bin/rc"
	}
	if getenv != nil && name != "" {
		shell = cmp.Or(getenv(name), shell)
	}
	return exec.CommandContext(ctx, shell, flag, line)
}

// onNetwork says whether this machine has an address in one of some networks, which commas separate.
func onNetwork(list string) (bool, error) {
	var networks []netip.Prefix
	for s := range strings.SplitSeq(list, ",") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			addr, err := netip.ParseAddr(s)
			if err != nil {
				return false, fmt.Errorf("%q: not a network", s)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		if p != p.Masked() {
			return false, fmt.Errorf("%q: not the address of a network", s)
		}
		networks = append(networks, p)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false, err
	}
	for _, a := range addrs {
		own, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		for _, n := range networks {
			if n.Contains(own.Addr()) {
				return true, nil
			}
		}
	}
	return false, nil
}
