//go:build linux

package main_test

import (
	"os"
	"os/exec"
	"os/user"
	"strings"
	"testing"
)

// A certifiedRig is a rig whose user and host know each other by certificates alone: the lists of both have the key of an authority.
type certifiedRig struct {
	*rig
	keygen string
}

// newCertifiedRig starts a cpud whose host key is certified with the flags for ssh-keygen, for the name cputest where they give none. The
// known hosts are to have what else is given.
func newCertifiedRig(t *testing.T, hostFlags []string, known ...string) certifiedRig {
	t.Helper()
	r := certifiedRig{&rig{t: t, dir: t.TempDir(), keys: t.TempDir(), flags: []string{"-n", "none"}}, needs(t, "ssh-keygen", "openssh-client")}
	newKeys(t, r.keys)
	r.makes("-q", "-t", "ed25519", "-N", "", "-f", "authority")
	authority, err := os.ReadFile(r.keys + "/authority.pub")
	if err != nil {
		t.Fatal(err)
	}
	write(t, r.keys+"/authorized", append([]byte(`cert-authority,principals="ops,dev" `), authority...), 0o600)
	lines := "@cert-authority cputest " + string(authority)
	for _, l := range known {
		lines += l + " " + string(authority)
	}
	write(t, r.keys+"/known_hosts", []byte(lines), 0o600)
	write(t, r.keys+"/revoked", nil, 0o600)
	if hostFlags == nil {
		hostFlags = []string{"-n", "cputest"}
	}
	r.makes(append(append([]string{"-q", "-s", "authority", "-h", "-I", "host"}, hostFlags...), "hostkey.pub")...)
	r.start(exec.Command(programs+"/cpud", "-a", "127.0.0.1:0", "-hk", r.keys+"/hostkey", "-ak", r.keys+"/authorized", "-revoked", r.keys+"/revoked",
		"-penalties", "no"))
	return r
}

// makes runs ssh-keygen where the keys are.
func (r certifiedRig) makes(args ...string) {
	r.t.Helper()
	c := exec.Command(r.keygen, args...)
	c.Dir = r.keys
	must(r.t, c)
}

// certify makes a certificate of the user's key, serial 7.
func (r certifiedRig) certify(flags ...string) {
	r.t.Helper()
	r.makes(append(append([]string{"-q", "-s", "authority", "-I", "ann at work", "-z", "7"}, flags...), "key.pub")...)
}

// says runs a command, and gives what it said.
func (r certifiedRig) says() (stdout, stderr string, status int) {
	r.t.Helper()
	return run(r.t, r.terminal([]string{"-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"}, "echo", "in"))
}

// TestCertificates: a user and a host who know each other by an authority alone, and which certificates of users are refused.
func TestCertificates(t *testing.T) {
	r := newCertifiedRig(t, nil)
	public := func(name string) string {
		text, err := os.ReadFile(r.keys + "/" + name + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	ended := map[string]int{}
	for _, c := range []struct {
		name    string
		flags   []string
		revoked string // a key
		logged  string // "": it is let in
	}{
		{"good", []string{"-n", "dev"}, "", ""},
		{"one of its principals", []string{"-n", "x,ops"}, "", ""},
		{"no longer than an hour", []string{"-n", "dev", "-V", "-1h:+1h"}, "", ""},
		{"the user's name, which is no principal", []string{"-n", me.Username}, "", "not for ops or dev"},
		{"nobody's", nil, "", "the certificate is for []"},
		{"expired", []string{"-n", "dev", "-V", "-2h:-1h"}, "", "cert has expired"},
		{"for tomorrow", []string{"-n", "dev", "-V", "+1d:+2d"}, "", "cert is not yet valid"},
		{"from elsewhere", []string{"-n", "dev", "-O", "source-address=192.0.2.0/24"}, "", "source-address"},
		{"the key is revoked", []string{"-n", "dev"}, "key", "revoked in "},
		{"the certificate is revoked", []string{"-n", "dev"}, "key-cert", "revoked in "},
		{"the authority is revoked", []string{"-n", "dev"}, "authority", "revoked in "},
		{"another is revoked", []string{"-n", "dev"}, "hostkey", ""},
	} {
		r.certify(c.flags...)
		revoked := ""
		if c.revoked != "" {
			revoked = public(c.revoked)
		}
		write(t, r.keys+"/revoked", []byte(revoked), 0o600)
		before := len(r.log.text())
		out, errs, status := r.says()
		if in := c.logged == ""; in != (status == 0 && out == "in\n") {
			t.Errorf("%s: exit status %d: %q, %s", c.name, status, out, errs)
			continue
		}
		end := `msg="no login"`
		if c.logged == "" {
			end, c.logged = `msg="end of connection"`, `certificate="\"ann at work\" serial 7 by SHA256:`
		}
		ended[end]++
		r.log.count(end, ended[end])
		if got := r.log.text()[before:]; !strings.Contains(got, c.logged) {
			t.Errorf("%s: the log has %q, want %q", c.name, got, c.logged)
		}
	}
}

// TestHostCertificates: which certificates of hosts are refused; by ssh as well.
func TestHostCertificates(t *testing.T) {
	ssh := needs(t, "ssh", "openssh-client")
	for _, c := range []struct {
		name  string
		flags []string
		known []string // lines with the authority's key
		want  string   // "": it is taken
	}{
		{"one of its names", []string{"-n", "other,cputest"}, nil, ""},
		{"another's", []string{"-n", "other"}, nil, `principal "cputest" not in the set of valid principals`},
		{"nobody's, which is everybody's for ssh", []string{}, nil, ""},
		{"expired", []string{"-n", "cputest", "-V", "-2h:-1h"}, nil, "cert has expired"},
		{"of an authority that is revoked", []string{"-n", "cputest"}, []string{"@revoked *"}, "is revoked"},
		{"of an authority for other hosts", []string{"-n", "cputest"}, []string{"@cert-authority !cputest,*"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newCertifiedRig(t, c.flags, c.known...)
			r.certify("-n", "dev")
			out, errs, status := r.says()
			if c.want == "" && (status != 0 || out != "in\n") || c.want != "" && (status != 255 || !strings.Contains(errs, c.want)) {
				t.Errorf("exit status %d: %q, %s; want %q", status, out, errs, c.want)
			}
			host, port, _ := strings.Cut(r.addr, ":")
			stock := exec.Command(ssh, "-F", "none", "-p", port, "-i", r.keys+"/key", "-o", "UserKnownHostsFile="+r.keys+"/known_hosts",
				"-o", "GlobalKnownHostsFile=none", "-o", "HostKeyAlias=cputest", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes",
				"-o", "BatchMode=yes", host, "echo", "in")
			if out, errs, theirs := run(t, stock); theirs != status {
				t.Errorf("ssh: exit status %d, cpu's is %d: %q, %s", theirs, status, out, errs)
			}
		})
	}
}

// TestHostCertificateFile: cpud does not start with a certificate that its key has no use for.
func TestHostCertificateFile(t *testing.T) {
	keygen := needs(t, "ssh-keygen", "openssh-client")
	for _, c := range []struct{ name, script, want string }{
		{"of another key", `"$0" -q -s other -h -I x -n x other.pub && mv other-cert.pub hostkey-cert.pub`, "which is no host key here"},
		{"a user's", `"$0" -q -s other -I x -n x hostkey.pub`, "not a host's"},
		{"none", `cp other.pub hostkey-cert.pub`, "a key without a certificate"},
		{"nonsense", `echo nonsense >hostkey-cert.pub`, "no key found"},
	} {
		dir := t.TempDir()
		newKeys(t, dir)
		script := exec.Command("sh", "-c", `"$0" -q -t ed25519 -N "" -f other && `+c.script, keygen)
		script.Dir = dir
		must(t, script)
		_, errs, status := run(t, exec.Command(programs+"/cpud", "-a", "127.0.0.1:0", "-hk", dir+"/hostkey"))
		if status != 1 || !strings.HasPrefix(errs, "cpud: host certificate: ") || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit status %d: %s", c.name, status, errs)
		}
	}
}
