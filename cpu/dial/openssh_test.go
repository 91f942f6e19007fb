package dial

import (
	"bytes"
	"fmt"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cpu/cpu/dial/sshconfig"
)

// A comparison is a configuration that ssh and cpu are to make the same of. DIR in it is a directory of its own.
type comparison struct {
	name, host string
	options    []string // with -l, -p, -i and -o, as ssh has them
	text       string
	files      map[string]string // others in DIR
}

var comparisons = []comparison{
	{name: "nothing", host: "board"},
	{name: "capitals", host: "BOARD", text: "Host board\n\tPort 1\nHost BOARD\n\tPort 2\n"},
	{name: "one host", host: "board", text: "Host board\n\tHostName board.example\n\tPort 2222\n\tUser root\n"},
	{name: "another host", host: "other", text: "Host board\n\tHostName board.example\n"},
	{name: "before any host", host: "board", text: "User first\nHost board\n\tUser second\n"},
	{name: "first value wins", host: "board", text: "Host board\n\tPort 1\nHost *\n\tPort 2\n\tUser any\n"},
	{name: "several patterns", host: "nas.lan", text: "Host *.com  *.lan\n\tUser lan\n"},
	{name: "negation", host: "nas.lan", text: "Host *.lan !nas.lan\n\tUser lan\nHost *\n\tUser any\n"},
	{name: "negation first", host: "nas.lan", text: "Host !nas.lan *.lan\n\tUser lan\n"},
	{name: "negation alone", host: "nas.lan", text: "Host !other\n\tUser lan\n"},
	{name: "negation of another", host: "tv.lan", text: "Host *.lan !nas.lan\n\tUser lan\n"},
	{name: "question marks", host: "n1", text: "Host n?\n\tUser one\nHost n??\n\tUser two\n"},
	{name: "commas are no list in Host", host: "a", text: "Host a,b\n\tUser comma\n"},
	{name: "brackets are no pattern", host: "n1", text: "Host n[12]\n\tUser bracket\n"},
	{name: "tabs", host: "board", text: "Host\tother\tboard\n\tUser\troot\n"},
	{name: "equals", host: "board", text: "Host=board\nUser=root\nPort = 99\nHostName =there\n"},
	{name: "quoted values", host: "board", text: "Host \"board\"\n\tUser \"root\"\n\tHostName 'there'\n"},
	{name: "quoted keyword", host: "board", text: "\"User\" root\n"},
	{name: "case of keywords", host: "board", text: "hOsT board\n\tuSER root\n"},
	{name: "comments", host: "board", text: "# Port 1\n  # Port 2\nPort 3 # Port 4\nUser me#too\n"},
	{name: "line ends", host: "board", text: "Host board\r\n\tUser root\r\n\tPort 9 \t \r\n"},
	{name: "form feed", host: "board", text: "User root\f\n"},
	{name: "no last newline", host: "board", text: "Host board\n\tUser root"},
	{name: "escapes", host: "board", text: "IdentityFile DIR/a\\ b\nIdentityFile \"DIR/c\\\"d\"\nIdentityFile DIR/e\\\\f\nIdentityFile DIR/g\\h\n"},
	{name: "blanks in names", host: "board", text: "IdentityFile \"DIR/my key\"\nUserKnownHostsFile \"DIR/my hosts\" DIR/more\n"},
	{name: "identity files", host: "board", text: "IdentityFile ~/one\nHost board\n\tIdentityFile ~/two\n\tIdentityFile ~/one\nHost *\n\tIdentityFile %d/three\n"},
	{name: "identity of the command line", host: "board", options: []string{"-i", "/etc/hostname"}, text: "IdentityFile ~/one\n"},
	{name: "certificate files", host: "board", text: "CertificateFile ~/one-cert.pub\nHost board\n\tCertificateFile ~/two-cert.pub\n"},
	{name: "certificates twice", host: "board", text: "CertificateFile ~/one\nCertificateFile ~/one\n"},
	{name: "keys", host: "board", text: "IdentitiesOnly yes\nIdentityAgent none\nAddKeysToAgent yes\n"},
	{name: "agent of the environment", host: "board", text: "IdentityAgent SSH_AUTH_SOCK\n"},
	{name: "agent of another variable", host: "board", text: "IdentityAgent $MYAGENT\n"},
	{name: "agent by a path", host: "board", text: "IdentityAgent ~/agents/%h-%r\n"},
	{name: "add, ask", host: "board", text: "AddKeysToAgent ask\n"},
	{name: "add, confirm", host: "board", text: "AddKeysToAgent confirm\n"},
	{name: "add, confirm for a time", host: "board", text: "AddKeysToAgent confirm 5m\n"},
	{name: "add, for a time", host: "board", text: "AddKeysToAgent 1h30m\n"},
	{name: "add, no", host: "board", text: "AddKeysToAgent no\nAddKeysToAgent yes\n"},
	{name: "hostname token", host: "nas", text: "HostName %h.example\n"},
	{name: "hostname percent", host: "nas", text: "HostName %%%h\n"},
	{name: "hostname in capitals", host: "nas", text: "HostName NAS.Example\n"},
	{name: "address", host: "::0001", text: "HostName ::0001\n"},
	{name: "all tokens", host: "board", text: "HostName there\nPort 9\nUser root\nControlPath DIR/%%-%h-%n-%p-%r-%u-%d-%i-%l-%L-%C-%k\n"},
	{name: "alias token", host: "board", text: "HostKeyAlias The-Board\nControlPath DIR/%k\n"},
	{name: "environment", host: "board", text: "ControlPath ${MYDIR}/%h\nUserKnownHostsFile ${MYDIR}/hosts ~/${MYNAME}\n"},
	{name: "no control path", host: "board", text: "ControlPath none\nControlMaster no\n"},
	{name: "control", host: "board", text: "ControlMaster auto\nControlPersist 10m\n"},
	{name: "control persists", host: "board", text: "ControlPersist yes\nControlMaster ask\n"},
	{name: "control persists for ever", host: "board", text: "ControlPersist 0\n"},
	{name: "known hosts", host: "board", text: "UserKnownHostsFile ~/a ~/b %d/c\nGlobalKnownHostsFile /etc/one /etc/two\nHashKnownHosts yes\n"},
	{name: "no known hosts", host: "board", text: "UserKnownHostsFile none\nGlobalKnownHostsFile none\n"},
	{name: "known by a command", host: "board", text: "KnownHostsCommand /bin/known \"a b\" %H %% # as it is\nKnownHostsCommand /bin/other\n"},
	{name: "known by no command", host: "board", text: "KnownHostsCommand none\nKnownHostsCommand /bin/other\n"},
	{name: "strict, no", host: "board", text: "StrictHostKeyChecking off\n"},
	{name: "strict, yes", host: "board", text: "StrictHostKeyChecking TRUE\n"},
	{name: "strict, accept-new", host: "board", text: "StrictHostKeyChecking accept-new\nStrictHostKeyChecking no\n"},
	{name: "times", host: "board", text: "ConnectTimeout 1m30s\nServerAliveInterval 2h\nServerAliveCountMax 7\nConnectionAttempts 4\n"},
	{name: "no time", host: "board", text: "ConnectTimeout none\nConnectTimeout 9\n"},
	{name: "addresses", host: "board", text: "AddressFamily inet6\nBindAddress ::1\n"},
	{name: "algorithms", host: "board", text: "Ciphers aes256-ctr,aes128-gcm@openssh.com\nMACs hmac-sha2-256\nKexAlgorithms ecdh-sha2-nistp256\n" +
		"HostKeyAlgorithms rsa-sha2-256,ssh-ed25519\nCASignatureAlgorithms rsa-sha2-256,ssh-ed25519\nPubkeyAcceptedAlgorithms ssh-ed25519\n"},
	{name: "the size of RSA keys", host: "board", text: "RequiredRSASize 3072\nRequiredRSASize 4096\n"},
	{name: "no size of RSA keys", host: "board", text: "RequiredRSASize big\n"},
	{name: "fewer algorithms", host: "board", text: "Ciphers -aes*,chacha*\nHostKeyAlgorithms -*cert*,ecdsa*,sk-*\n", options: []string{"-o", "Ciphers=aes192-ctr"}},
	{name: "jump", host: "board", text: "ProxyJump me@first:2222,second\n"},
	{name: "jump by address", host: "board", text: "ProxyJump 10.0.0.1\nProxyCommand nc %h %p\n"},
	{name: "jump none", host: "board", text: "ProxyJump none\n"},
	{name: "command", host: "board", text: "ProxyCommand nc -x \"a b\" %h %p # as it is\nProxyJump first\n"},
	{name: "command none", host: "board", text: "ProxyCommand none\nProxyJump first\n"},
	{name: "jump on the command line", host: "board", options: []string{"-o", "ProxyJump=first"}, text: "ProxyCommand nc %h %p\n"},
	{name: "environment for the host", host: "board", text: "SendEnv LANG LC_*\nHost board\n\tSendEnv FOO\n\tSetEnv A=1 \"B=two words\" A=3\nSetEnv C=4\n"},
	{name: "environment taken back", host: "board", text: "SendEnv LANG LC_* FOO\nSendEnv -LC_* -F*\n"},
	{name: "terminals", host: "board", text: "RequestTTY force\nEscapeChar ^A\nLogLevel debug\n"},
	{name: "no escape", host: "board", text: "EscapeChar none\nRequestTTY auto\nLogLevel quiet\n"},
	{name: "another escape", host: "board", text: "EscapeChar %\nRequestTTY yes\n"},
	{name: "forwards", host: "board", text: "LocalForward 8080 [localhost]:80\nLocalForward 8080 [localhost]:80\nLocalForward [127.0.0.1]:1 [h]:2\nRemoteForward 9090 [localhost]:90\n" +
		"RemoteForward 1080\nExitOnForwardFailure yes\nGatewayPorts yes\n"},
	{name: "forwards on request", host: "board", text: "DynamicForward 1080\nDynamicForward [127.0.0.1]:1081\nPermitRemoteOpen board:80 [::1]:* *:443\nPermitRemoteOpen none\n"},
	{name: "no forwards on request", host: "board", text: "PermitRemoteOpen none\n"},
	{name: "any forwards on request", host: "board", text: "PermitRemoteOpen any\n"},
	{name: "forwards on request to no port", host: "board", text: "PermitRemoteOpen board\n"},
	{name: "forwards cleared", host: "board", text: "LocalForward 8080 [localhost]:80\nHost board\n\tClearAllForwardings yes\n"},
	{name: "agent forwarded", host: "board", text: "ForwardAgent yes\n"},
	{name: "options first", host: "board", options: []string{"-o", "Port=98", "-o", "user \"quoted\"", "-o", "stricthostkeychecking no"}, text: "Port 1\nUser two\n"},
	{name: "user and port first", host: "board", options: []string{"-l", "me", "-p", "7"}, text: "Port 1\nUser two\n"},

	{name: "match all", host: "board", text: "Host other\n\tUser other\nMatch all\n\tUser all\n"},
	{name: "match not all", host: "board", text: "Match !all\n\tUser all\n"},
	{name: "match host", host: "board", text: "Match host board,other\n\tUser matched\n"},
	{name: "match host, as HostName says", host: "board", text: "HostName %h.example\nMatch host board.example\n\tUser matched\n"},
	{name: "match host in capitals", host: "Board", text: "Match host bOARD\n\tUser matched\n"},
	{name: "match no host", host: "board", text: "Match !host other*\n\tUser matched\n"},
	{name: "match list with negation", host: "board", text: "Match host *,!board\n\tUser matched\n"},
	{name: "match originalhost", host: "board", text: "HostName there\nMatch originalhost board host there\n\tUser matched\n"},
	{name: "match not originalhost", host: "board", text: "HostName there\nMatch !originalhost board\n\tUser matched\n"},
	{name: "match user", host: "board", options: []string{"-l", "op"}, text: "Match user op*\n\tPort 5\nMatch user !op,*\n\tPort 6\n"},
	{name: "match configured user", host: "board", text: "User op\nMatch user op\n\tPort 5\n"},
	{name: "match localuser", host: "board", text: "Match localuser ME\n\tPort 5\nMatch !localuser ME\n\tUser nobody\n"},
	{name: "match exec", host: "board", text: "HostName there\nMatch exec \"test %h = there -a %n = board\"\n\tPort 5\n"},
	{name: "match exec fails", host: "board", text: "Match exec false\n\tPort 5\nMatch !exec false\n\tUser failed\n"},
	{name: "match exec is not run", host: "board", text: "Match host other exec \"touch DIR/run\"\n\tPort 5\nMatch exec \"test -e DIR/run\"\n\tPort 6\n"},
	{name: "match with =", host: "board", text: "Match host=board user=*\n\tPort 5\n"},
	{name: "match several", host: "board", text: "Match originalhost alias,board,!not user * exec \"true\"\n\tPort 5\n"},
	{name: "match final", host: "board", text: "Match final\n\tPort 5\nMatch !final\n\tUser early\nHost board.example\n\tIdentityFile ~/late\nMatch all\n\tHostName %h.example\n"},
	{name: "match final host", host: "board", text: "HostName there\nMatch final host there\n\tPort 5\nHost there\n\tUser there\n"},
	{name: "match canonical", host: "board", text: "Match canonical\n\tPort 5\nMatch !canonical\n\tPort 6\n"},
	{name: "match canonical all", host: "board", text: "Match final all\n\tPort 5\n"},
	{name: "match with comment", host: "board", text: "Match host board # other\n\tPort 5\n"},

	{name: "include", host: "board", text: "Include DIR/more\nUser last\n", files: map[string]string{"more": "User first\n"}},
	{name: "include in a host", host: "other", text: "Host board\n\tInclude DIR/more\nHost *\n\tPort 3\n", files: map[string]string{"more": "User first\nHost *\n\tUser second\n"}},
	{name: "include ends its host", host: "board", text: "Host board\n\tInclude DIR/more\n\tUser last\n", files: map[string]string{"more": "Host other\n\tUser first\n"}},
	{name: "include a pattern", host: "board", text: "Include DIR/*.conf\n", files: map[string]string{"b.conf": "User b\n", "a.conf": "User a\nPort 1\n", ".c.conf": "HostName hidden\n", "d": "Port 9\n"}},
	{name: "include a class", host: "board", text: "Include DIR/[!b].conf\n", files: map[string]string{"b.conf": "User b\n", "c.conf": "User c\n"}},
	{name: "include several", host: "board", text: "Include DIR/b DIR/a \"DIR/with blank\" DIR/none\n", files: map[string]string{"a": "User a\nPort 1\n", "b": "User b\n", "with blank": "HostName blank\n"}},
	{name: "include deeper", host: "board", text: "Include DIR/a\n", files: map[string]string{"a": "Match host board\nInclude DIR/b\n", "b": "Host board\n\tUser b\n"}},
	{name: "include itself", host: "board", text: "Include DIR/config\n"},

	{name: "bad port", host: "board", text: "Port 99999\n"},
	{name: "bad flag", host: "board", text: "Host other\n\tIdentitiesOnly perhaps\n"},
	{name: "bad match", host: "board", text: "Match host\n\tPort 5\n"},
	{name: "bad criterion", host: "board", text: "Match weather sunny\n\tPort 5\n"},
	{name: "all with others", host: "board", text: "Match host board all user x\n"},
	{name: "open quote", host: "board", text: "User \"root\n"},
	{name: "no value", host: "board", text: "User\n"},
	{name: "more values", host: "board", text: "User a b\n"},
	{name: "empty value", host: "board", text: "User \"\"\n"},
	{name: "bad time", host: "board", text: "ConnectTimeout 5q\n"},
	{name: "bad escape", host: "board", text: "EscapeChar ab\n"},
	{name: "bad token", host: "board", text: "ControlPath DIR/%y\n"},
	{name: "variable that is not set", host: "board", text: "ControlPath ${NOT_SET_HERE}/x\n"},
	{name: "bad option", host: "board", options: []string{"-o", "NoSuchOption=yes"}},
	{name: "host as an option", host: "board", options: []string{"-o", "Host=board"}},
	{name: "bad file", host: "board", text: "UserKnownHostsFile none ~/a\n"},
	{name: "writable include", host: "board", text: "Include DIR/writable\n", files: map[string]string{"writable": "User first\n"}},
}

// TestOpenSSH: what the configuration comes to is what `ssh -G` says it does.
func TestOpenSSH(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("ssh is not installed: apt install openssh-client")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOME": me.HomeDir, "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "MYDIR": "/my/dir", "MYNAME": "mine", "MYAGENT": "/my/agent", "SSH_AUTH_SOCK": "/the/agent"}
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	for _, c := range comparisons {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fill := strings.NewReplacer("DIR", dir, "ME", me.Username).Replace
			writeFile(t, dir+"/config", fill(c.text))
			for name, text := range c.files {
				writeFile(t, dir+"/"+name, fill(text))
				if name == "writable" {
					chmod(t, dir+"/"+name, 0o666)
				}
			}
			cmd := exec.Command(program, slices.Concat([]string{"-G", "-F", dir + "/config"}, c.options, []string{"--", c.host})...)
			cmd.Env = environ
			var errs bytes.Buffer
			cmd.Stderr = &errs
			out, sshErr := cmd.Output()

			config := &Config{Home: me.HomeDir, LocalUser: me.Username, ConfigFile: dir + "/config", fallbackPort: "22", Getenv: func(name string) string { return env[name] }}
			for i := 0; i < len(c.options); i += 2 {
				switch v := c.options[i+1]; c.options[i] {
				case "-l":
					config.User = v
				case "-p":
					config.Port = v
				case "-i":
					config.IdentityFiles = append(config.IdentityFiles, v)
				case "-o":
					config.Options = append(config.Options, v)
				}
			}
			h, err := config.Resolve(t.Context(), c.host)
			if (err == nil) != (sshErr == nil) {
				t.Fatalf("got %v; ssh: %v: %s", err, sshErr, errs.Bytes())
			}
			if err != nil {
				return
			}
			theirs := map[string][]string{}
			for text := range strings.Lines(string(out)) {
				keyword, value, _ := strings.Cut(strings.TrimSuffix(text, "\n"), " ")
				theirs[keyword] = append(theirs[keyword], value)
			}
			for keyword, ours := range h.shown() {
				if want := expected(h, keyword, theirs[keyword], config); !slices.Equal(ours, want) {
					t.Errorf("%s is %q; ssh: %q", keyword, ours, want)
				}
			}
		})
	}
}

// expected is what ssh says of a keyword, in the words of Host.shown.
func expected(h *Host, keyword string, theirs []string, c *Config) []string {
	first := ""
	if len(theirs) > 0 {
		first = theirs[0]
	}
	tokens := c.tokens(h)
	switch keyword {
	case "identityfile", "certificatefile": // which ssh shows as they are written
		var all []string
		for _, f := range theirs {
			if f, err := tokens.Path(f); err == nil && !slices.Contains(all, f) && !strings.HasSuffix(f, "mldsa44_ed25519") && !strings.HasSuffix(f, "/id_dsa") && !strings.HasSuffix(f, "/id_xmss") {
				all = append(all, f)
			}
		}
		return all
	case "proxycommand":
		if first != "" {
			first, _ = tokens.Expand(first)
			return []string{first}
		}
	case "proxyjump":
		if first != "" {
			return []string{strings.NewReplacer("[", "", "]", "").Replace(first)}
		}
	case "identityagent":
		switch {
		case first == "none":
			return nil
		case first == "" || first == "SSH_AUTH_SOCK":
			return []string{c.getenv("SSH_AUTH_SOCK")}
		case first[0] == '$':
			return []string{c.getenv(first[1:])}
		}
	case "stricthostkeychecking":
		return []string{map[string]string{"true": "yes", "false": "no"}[first] + map[string]string{"ask": "ask", "accept-new": "accept-new", "no": "no", "yes": "yes"}[first]}
	case "connecttimeout":
		return []string{strings.Replace(first, "none", "0", 1)}
	case "addkeystoagent":
		if n, err := strconv.Atoi(first); err == nil {
			return []string{fmt.Sprint("yes ", n)}
		}
		return []string{map[string]string{"true": "yes", "false": "no"}[first] + map[bool]string{true: first}[first != "true" && first != "false"]}
	case "controlpersist":
		return []string{strings.Replace(first, "no", "0", 1)}
	case "localforward", "remoteforward", "dynamicforward":
		var all []string
		for _, f := range theirs {
			all = append(all, strings.ReplaceAll(strings.TrimSuffix(f, " [socks]:0"), " ", ":"))
		}
		return all
	case "setenv", "sendenv":
		return slices.Compact(theirs)
	case "requesttty":
		if h.RequestTTY == "" && first == "auto" {
			return nil
		}
		return []string{map[string]string{"true": "yes", "false": "no"}[first] + map[bool]string{true: first}[first != "true" && first != "false"]}
	case "loglevel":
		if h.LogLevel == "" && first == "INFO" {
			return nil
		}
		return []string{strings.NewReplacer("DEBUG1", "DEBUG1", "DEBUG2", "DEBUG2", "DEBUG3", "DEBUG3", "DEBUG", "DEBUG1", "SILENT", "QUIET").Replace(first)}
	case "userknownhostsfile", "globalknownhostsfile":
		if first == "none" {
			return nil
		}
	case "escapechar":
		if first != "none" {
			return []string{strings.TrimPrefix(first, "\\")}
		}
	case "ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "pubkeyacceptedalgorithms", "casignaturealgorithms":
		if len(h.shown()[keyword]) == 0 {
			return nil // the defaults are cpu's own
		}
	}
	return theirs
}

// TestInclude: a relative Include is looked for in ~/.ssh or in /etc/ssh, as the file that has it is the user's or the system's.
func TestInclude(t *testing.T) {
	t.Parallel()
	home, system := t.TempDir(), t.TempDir()
	writeFile(t, home+"/config", "Include more*\nHost *\n")
	writeFile(t, home+"/more", "User mine\n")
	writeFile(t, system+"/ssh_config", "Include more\nInclude none\n")
	writeFile(t, system+"/more", "User theirs\nPort 77\n")
	s, err := sshconfig.Resolve(t.Context(), &sshconfig.Query{Host: "board", UserFile: home + "/config", SystemFile: system + "/ssh_config", UserDir: home, SystemDir: system})
	if err != nil || s.First("user") != "mine" || s.First("port") != "77" {
		t.Errorf("got %v, %v", s, err)
	}
	chmod(t, home+"/config", 0o666)
	if _, err := sshconfig.Resolve(t.Context(), &sshconfig.Query{Host: "board", UserFile: home + "/config"}); err == nil {
		t.Error("a file that others can write to is read")
	}
	chmod(t, home+"/config", 0o600)
	writeFile(t, system+"/ssh_config", "Include ~/more\n")
	if _, err := sshconfig.Resolve(t.Context(), &sshconfig.Query{Host: "board", SystemFile: system + "/ssh_config", SystemDir: system}); err == nil {
		t.Error("the system's configuration has ~")
	}
}
