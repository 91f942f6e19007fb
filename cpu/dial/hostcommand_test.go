package dial

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestKnownHostsCommand: what a command says of a host counts as a line of a list does, whenever it says it; and one that fails lets no host in.
func TestKnownHostsCommand(t *testing.T) {
	mine, other, user := testKey(1), testKey(2), testKey(9)
	for _, c := range []struct{ name, script, list, want string }{
		{name: "known", script: `echo "$2 ` + strings.TrimSpace(marshal(mine)) + `"`},
		{name: "known once it has shown its key", script: `test $1 = ORDER || echo "$2 $3 $4"`},
		{name: "another key", script: `echo "$2 ` + strings.TrimSpace(marshal(other)) + `"`, want: "the host key has changed: .* and another one in KnownHostsCommand:1"},
		{name: "another host", script: `echo "other $3 $4"`, want: "unknown host key .* KnownHostsCommand"},
		{name: "revoked, though it is known", script: `test $1 = ORDER || echo "@revoked * $3 $4"`, list: "[127.0.0.1]:* " + marshal(mine), want: "is revoked: KnownHostsCommand:1"},
		{name: "nothing, of a known one", list: "[127.0.0.1]:* " + marshal(mine)},
		{name: "failed", script: "exit 3", list: "[127.0.0.1]:* " + marshal(mine), want: "KnownHostsCommand: HOME/command: exit status 3"},
		{name: "failed later", script: "test $1 = ORDER", list: "[127.0.0.1]:* " + marshal(mine), want: "KnownHostsCommand: HOME/command: exit status 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, testSigner(mine), user)
			config := testConfig(t)
			writeKey(t, config.Home+"/key", user)
			writeFile(t, config.Home+"/command", "#!/bin/sh\n"+c.script+"\n")
			if err := os.Chmod(config.Home+"/command", 0o700); err != nil {
				t.Fatal(err)
			}
			config.IdentityFiles = []string{config.Home + "/key"}
			config.Options = []string{"StrictHostKeyChecking=yes", "KnownHostsCommand=" + config.Home + "/command %I %H %t %K"}
			config.knows(t, c.list)
			if got := try(t, config, h.port); (c.want == "") != (got == "") || !regexp.MustCompile(c.want).MatchString(got) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestKnownHostsCommandPeer: the command gets the arguments that ssh gives it.
func TestKnownHostsCommandPeer(t *testing.T) {
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("ssh is not installed: apt install openssh-client")
	}
	const tokens = `%I %H %t %f %K %h %n %p %r %u %i %k %l %L %C %% "two words" ${KNOWN}`
	signer := testSigner(testKey(1))
	h := newHost(t, signer)
	config := testConfig(t)
	writeFile(t, config.Home+"/command", "#!/bin/sh\nfor a; do echo \"$a\"; done >>"+config.Home+"/told\n")
	if err := os.Chmod(config.Home+"/command", 0o700); err != nil {
		t.Fatal(err)
	}
	options := []string{"StrictHostKeyChecking=yes", "KnownHostsCommand=" + config.Home + "/command " + tokens}
	told := func() []string {
		all := strings.Split(readFile(t, config.Home+"/told"), "\n")
		os.Remove(config.Home + "/told")
		return all
	}
	args := []string{"-F", "none", "-p", h.port, "-o", "UserKnownHostsFile=none", "-o", "GlobalKnownHostsFile=none", "-o", "CheckHostIP=no", "-o", "BatchMode=yes"}
	for _, o := range options {
		args = append(args, "-o", o)
	}
	cmd := exec.Command("ssh", append(args, "me@127.0.0.1")...)
	cmd.Env = append(os.Environ(), "KNOWN=by name")
	if out, err := cmd.CombinedOutput(); !strings.Contains(string(out), "Host key verification failed") {
		t.Fatalf("ssh: %v\n%s", err, out)
	}
	theirs := told()
	theirs[1] = "[127.0.0.1]:" + h.port // which ssh tells it without the port, the first time

	config.User, config.Options = "me", options
	config.Getenv = func(name string) string { return map[string]string{"KNOWN": "by name"}[name] }
	if got := try(t, config, h.port); !strings.Contains(got, "unknown host key") {
		t.Errorf("got %q", got)
	}
	ours := told()
	if len(theirs) != 2*18+1 || !slices.Contains(theirs, ssh.FingerprintSHA256(signer.PublicKey())) || !slices.Equal(ours, theirs) {
		t.Errorf("the command was told %q; by ssh: %q", ours, theirs)
	}
}

// TestKnownHostsCommandPath: a command that depends on the search path is not run, and neither is one with a token that there is not.
func TestKnownHostsCommandPath(t *testing.T) {
	for command, want := range map[string]string{"true": "KnownHostsCommand: true: want an absolute path", "/bin/true %z": "%z is no token", `"/bin/true`: "quote"} {
		h := newHost(t, testSigner(testKey(1)))
		config := testConfig(t)
		config.Options = []string{"KnownHostsCommand=" + command}
		if got := try(t, config, h.port); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", command, got, want)
		}
	}
}
