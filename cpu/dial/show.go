package dial

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Show writes what the configuration comes to for the host, as ssh -G does: a keyword in lower case and its value on each line. What a file
// is named by is expanded, and what is not set and has no default is left out.
func (h *Host) Show(to io.Writer) error {
	var text strings.Builder
	text.WriteString("host " + h.Name + "\n")
	all := h.shown()
	for _, keyword := range slices.Sorted(maps.Keys(all)) {
		for _, value := range all[keyword] {
			fmt.Fprintf(&text, "%s %s\n", keyword, value)
		}
	}
	_, err := io.WriteString(to, text.String())
	return err
}

// shown is the host by the keywords of ssh_config(5), in lower case, each with its values; a list on one line is one.
func (h *Host) shown() map[string][]string {
	yes := func(b bool) []string {
		if b {
			return []string{"yes"}
		}
		return []string{"no"}
	}
	number := func(n int) []string { return []string{strconv.Itoa(n)} }
	some := func(s string) []string {
		if s == "" {
			return nil
		}
		return []string{s}
	}
	line := func(all []string) []string { return some(strings.Join(all, " ")) }
	algorithms := func(all []string) []string { return some(strings.Join(all, ",")) }
	all := map[string][]string{
		"hostname": {h.HostName}, "port": {h.Port}, "user": {h.User}, "hostkeyalias": some(h.Alias),
		"identityfile": h.IdentityFiles, "certificatefile": h.CertificateFiles, "identitiesonly": yes(h.IdentitiesOnly), "identityagent": some(h.Agent),
		"userknownhostsfile": line(h.UserKnownHosts), "globalknownhostsfile": line(h.KnownHosts), "hashknownhosts": yes(h.HashKnownHosts),
		"ciphers": algorithms(h.Ciphers), "macs": algorithms(h.MACs), "kexalgorithms": algorithms(h.KeyExchanges),
		"requiredrsasize":       number(h.RSASize),
		"casignaturealgorithms": algorithms(h.CASignatures),
		"hostkeyalgorithms":     algorithms(h.HostKeyAlgorithms), "pubkeyacceptedalgorithms": algorithms(h.PubkeyAlgorithms),
		"proxycommand": some(h.ProxyCommand), "proxyjump": algorithms(h.ProxyJump), "bindaddress": some(h.BindAddress),
		"connectionattempts": number(h.Attempts), "serveralivecountmax": number(h.AliveCount), "serveraliveinterval": number(int(h.AliveInterval.Seconds())),
		"controlpath": some(strings.TrimPrefix(h.ControlPath, NoControlPath)), "batchmode": yes(h.BatchMode),
		"localforward": h.LocalForwards, "exitonforwardfailure": yes(h.ExitOnForwardFailure), "gatewayports": yes(h.GatewayPorts), "remoteforward": h.RemoteForwards,
		"knownhostscommand": some(h.KnownHostsCommand), "dynamicforward": h.DynamicForwards,
		"sendenv": h.SendEnv, "setenv": h.SetEnv, "requesttty": some(h.RequestTTY), "loglevel": some(h.LogLevel),
		"addressfamily": {map[string]string{"tcp": "any", "tcp4": "inet", "tcp6": "inet6"}[h.network]},
	}
	all["permitremoteopen"] = line(h.PermitRemoteOpen)
	switch {
	case h.PermitRemoteOpen == nil:
		all["permitremoteopen"] = []string{"any"}
	case len(h.PermitRemoteOpen) == 0:
		all["permitremoteopen"] = []string{"none"}
	}
	all["stricthostkeychecking"] = []string{h.Strict}
	all["connecttimeout"] = number(int(h.ConnectTimeout.Seconds()))
	all["addkeystoagent"] = []string{h.AddKeys}
	if h.AddKeysTime > 0 {
		all["addkeystoagent"][0] += " " + strconv.Itoa(int(h.AddKeysTime.Seconds()))
	}
	switch {
	case h.ControlPersist < 0:
		all["controlpersist"] = []string{"yes"}
	default:
		all["controlpersist"] = number(int(h.ControlPersist.Seconds()))
	}
	all["forwardagent"] = yes(h.ForwardAgent != "")
	all["escapechar"] = []string{"none"}
	if h.EscapeChar != 0 {
		all["escapechar"] = []string{string(rune(h.EscapeChar))}
		if h.EscapeChar < ' ' {
			all["escapechar"] = []string{"^" + string(rune(h.EscapeChar+'@'))}
		}
	}
	return all
}
