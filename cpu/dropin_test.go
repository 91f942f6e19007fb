//go:build linux

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An sshUser is somebody at a terminal with cpu in his search path, and a configuration of ssh's that has the server as `board`.
type sshUser struct {
	*rig
	env []string
}

func newSSHUser(t *testing.T) sshUser {
	t.Helper()
	r := newRig(t)
	host, port, _ := strings.Cut(r.addr, ":")
	home := t.TempDir()
	if err := os.Mkdir(home+"/.ssh", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, home+"/.ssh/config", fmt.Appendf(nil, "Host board\nHostName %s\nPort %s\nHostKeyAlias cputest\nUserKnownHostsFile %s/known_hosts\n"+
		"IdentityFile %[3]s/key\nIdentitiesOnly yes\nIdentityAgent none\nControlMaster no\n", host, port, r.keys), 0o600)
	env := append(os.Environ(), "HOME="+home, "PATH="+programs+":"+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+t.TempDir(), "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example")
	return sshUser{r, env}
}

// runs runs a program of the terminal's that has to succeed.
func (u sshUser) runs(args ...string) string {
	u.t.Helper()
	c := exec.Command(args[0], args[1:]...)
	c.Env, c.Dir = u.env, u.dir
	return must(u.t, c)
}

// TestRsync: rsync -e cpu, to the server and from it, with and without the terminal's files.
func TestRsync(t *testing.T) {
	rsync := needs(t, "rsync", "rsync")
	u := newSSHUser(t)
	server := t.TempDir()
	if err := os.MkdirAll(u.dir+"/from/d", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, u.dir+"/from/d/file", []byte("by rsync"), 0o600)
	if err := os.Symlink("d/file", u.dir+"/from/link"); err != nil {
		t.Fatal(err)
	}
	for i, rsh := range []string{"cpu", "cpu -n none"} {
		there, back := fmt.Sprintf("%s/there %d", server, i), fmt.Sprintf("%s/back%d", u.dir, i)
		u.runs(rsync, "-as", "-e", rsh, "from/", "board:"+there)
		u.runs(rsync, "-as", "-e", rsh, "board:"+there+"/", back)
		for _, dir := range []string{there, back} {
			checkFile(t, dir+"/link", "by rsync")
		}
		if out := u.runs(rsync, "-ains", "--delete", "-e", rsh, "from/", "board:"+there); out != "" {
			t.Errorf("%s: there differs:\n%s", rsh, out)
		}
	}
}

// TestGitSSH: GIT_SSH_COMMAND=cpu, to clone, and to push.
func TestGitSSH(t *testing.T) {
	git := needs(t, "git", "git")
	u := newSSHUser(t)
	u.env = append(u.env, "GIT_SSH_COMMAND=cpu")
	server := filepath.Join(t.TempDir(), "a repository.git")
	u.runs(git, "init", "-q", "--bare", "-b", "main", server)
	u.runs(git, "clone", "-q", "board:"+server, "clone")
	write(t, u.dir+"/clone/file", []byte("by git"), 0o644)
	u.runs(git, "-C", "clone", "add", "file")
	u.runs(git, "-C", "clone", "commit", "-q", "-m", "file")
	u.runs(git, "-C", "clone", "push", "-q", "origin", "HEAD:main")
	// With a port, which git gives only to what it takes for an ssh.
	_, port, _ := strings.Cut(u.addr, ":")
	u.env = append(u.env, "GIT_SSH_COMMAND=cpu -n none")
	u.runs(git, "clone", "-q", "-b", "main", "ssh://board:"+port+strings.ReplaceAll(server, " ", "%20"), "again")
	checkFile(t, u.dir+"/again/file", "by git")
}

// TestParallel: GNU parallel runs its jobs through cpu.
func TestParallel(t *testing.T) {
	parallel := needs(t, "parallel", "parallel")
	u := newSSHUser(t)
	out := u.runs(parallel, "--will-cite", "-k", "--ssh", "cpu", "--sshlogin", "2/board", `echo {} "of  $(echo 'it'"'"'s') {#}"`, ":::", "a", "b c", "d'e")
	if want := "a of  it's 1\nb c of  it's 2\nd'e of  it's 3\n"; out != want {
		t.Errorf("parallel said %q, want %q", out, want)
	}
}
