package dial

import (
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// testConfig is a Config whose home is a new directory.
func testConfig(t *testing.T) *Config {
	t.Helper()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return &Config{Home: home, LocalUser: u.Username}
}

func chmod(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const configuration = `
Host board
	HostName board.example
	User=root
	IdentityFile ~/.ssh/%r_%h
	IdentityFile "${KEYS}/second"
	IdentitiesOnly yes
	IdentityAgent none
	HostKeyAlias the-board
	UserKnownHostsFile ${KEYS}/one ${KEYS}/two
	StrictHostKeyChecking accept-new
	ConnectTimeout 7
	AddressFamily inet
Host sshd
	Port 22
Host through
	ProxyJump me@first:2222,second
Host piped
	ProxyCommand nc -x %r %h %p 100%%
Host both
	ProxyCommand nc %h %p
	ProxyJump elsewhere
Host forwards
	LocalForward 8080 [localhost]:80
	LocalForward 8081 [::1]:81
	RemoteForward 9090 [localhost]:90
	RemoteForward 1080
	ForwardAgent yes
Host *.lan
	HostName %h.example
Host *
	HashKnownHosts yes
`

// TestResolve: what the configuration comes to.
func TestResolve(t *testing.T) {
	for _, c := range []struct {
		name string
		host string
		set  func(c *Config)
		want map[string]any // fields of Host
	}{
		{"defaults", "other", nil, map[string]any{"HostName": "other", "Port": "17010", "User": "ME", "Strict": "ask", "network": "tcp",
			"HashKnownHosts": true, "UserKnownHosts": []string{"HOME/.ssh/known_hosts", "HOME/.ssh/known_hosts2"}, "Agent": "/agent"}},
		{"user@", "you@other", nil, map[string]any{"Name": "other", "User": "you"}},
		{"user@ with @", "you@corp@other", nil, map[string]any{"Name": "other", "User": "you@corp"}},
		{"-l", "you@other", func(c *Config) { c.User = "third" }, map[string]any{"User": "third"}},
		{"all of a host", "board", nil, map[string]any{"HostName": "board.example", "User": "root", "Port": "17010", "Alias": "the-board",
			"IdentityFiles": []string{"HOME/.ssh/root_board.example", "/keys/second"}, "IdentitiesOnly": true, "Agent": "",
			"UserKnownHosts": []string{"/keys/one", "/keys/two"}, "Strict": "accept-new", "ConnectTimeout": 7 * time.Second, "network": "tcp4"}},
		{"22 where configured", "sshd", nil, map[string]any{"Port": "22"}},
		{"-p", "sshd", func(c *Config) { c.Port = "99" }, map[string]any{"Port": "99"}},
		{"-o before the files", "board", func(c *Config) { c.Options = []string{"Port=98", "stricthostkeychecking no", "user=\"quoted\""} },
			map[string]any{"Port": "98", "Strict": "no", "User": "quoted"}},
		{"-F none", "board", func(c *Config) { c.ConfigFile = "none" }, map[string]any{"HostName": "board", "Port": "17010"}},
		{"tokens in HostName", "nas.lan", nil, map[string]any{"HostName": "nas.lan.example"}},
		{"ProxyJump", "through", nil, map[string]any{"ProxyJump": []string{"me@first:2222", "second"}}},
		{"ProxyCommand", "piped", nil, map[string]any{"ProxyCommand": "nc -x ME piped 17010 100%"}},
		{"ProxyCommand first", "both", nil, map[string]any{"ProxyCommand": "nc both 17010", "ProxyJump": []string(nil)}},
		{"forwards", "forwards", nil, map[string]any{"RemoteForwards": []string{"9090:[localhost]:90", "1080"},
			"LocalForwards": []string{"8080:[localhost]:80", "8081:[::1]:81"}, "ForwardAgent": "/agent"}},
		{"no forwards", "forwards", func(c *Config) { c.Options = []string{"ClearAllForwardings=yes"} }, map[string]any{"LocalForwards": []string(nil)}},
		{"a bracketed address", "[::1]", nil, map[string]any{"HostName": "::1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := testConfig(t)
			config.Getenv = func(name string) string { return map[string]string{"KEYS": "/keys", "SSH_AUTH_SOCK": "/agent"}[name] }
			writeFile(t, config.Home+"/.ssh/config", configuration)
			if c.set != nil {
				c.set(config)
			}
			h, err := config.Resolve(t.Context(), c.host)
			if err != nil {
				t.Fatal(err)
			}
			fields := reflect.ValueOf(*h)
			for name, want := range c.want {
				got := fields.FieldByName(name)
				switch want := want.(type) {
				case string:
					if want = strings.ReplaceAll(want, "ME", config.LocalUser); got.String() != want {
						t.Errorf("%s is %q, want %q", name, got.String(), want)
					}
				case []string:
					var list []string
					for _, s := range got.Seq2() {
						list = append(list, strings.ReplaceAll(s.String(), config.Home, "HOME"))
					}
					if !reflect.DeepEqual(list, want) {
						t.Errorf("%s is %q, want %q", name, list, want)
					}
				default:
					if got.Interface() != want {
						t.Errorf("%s is %v, want %v", name, got, want)
					}
				}
			}
		})
	}
}

// TestResolveErrors: each says what it is about.
func TestResolveErrors(t *testing.T) {
	for _, c := range []struct {
		name, host string
		set        func(c *Config)
		want       string
	}{
		{"no name", "", nil, "not the name of a host"},
		{"an option", "-oProxyCommand=false", nil, "not the name of a host"},
		{"user only", "me@", nil, "not the name of a host"},
		{"blank", "a b", nil, "not the name of a host"},
		{"port", "h", func(c *Config) { c.Port = "99999" }, "port 99999: not a port"},
		{"port 0", "h", func(c *Config) { c.Port = "0" }, "port 0: not a port"},
		{"missing key", "h", func(c *Config) { c.IdentityFiles = []string{"/no/such/key"} }, "identity: stat /no/such/key: no such file or directory"},
		{"missing -F", "h", func(c *Config) { c.ConfigFile = "/no/such/config" }, "open /no/such/config: no such file or directory"},
		{"option", "h", func(c *Config) { c.Options = []string{"StrictHostKeyChecking=perhaps"} }, "perhaps"},
		{"half an option", "h", func(c *Config) { c.Options = []string{"Port"} }, "no argument after port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := testConfig(t)
			if c.set != nil {
				c.set(config)
			}
			if _, err := config.Resolve(t.Context(), c.host); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s in one line", err, c.want)
			}
		})
	}
}
