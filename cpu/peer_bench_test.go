//go:build linux

package main_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The jobs that people do over a file system at the other end of a connection. $P is where the terminal's root is seen.
var fileJobs = []struct{ name, before, job string }{
	{"read256M", "", `cat $P$D/big >/dev/null`},
	{"write256M", "", `dd if=/dev/zero of=$P$D/out bs=1M count=256 conv=fsync 2>/dev/null`},
	{"ls-cold", "", `ls -lR $P/usr/include >/dev/null 2>&1 || :`},
	{"ls-warm", `ls -lR $P/usr/include >/dev/null 2>&1 || :`, `ls -lR $P/usr/include >/dev/null 2>&1 || :`},
	{"tar", "", `tar cf - $P/usr/include 2>/dev/null | wc -c >/dev/null`},
}

// BenchmarkFiles runs each job through cpu and through sshfs in turn and reports the medians, and ours over theirs. Both go over ssh and
// the loopback; the clock runs inside, so that making the connection does not count.
func BenchmarkFiles(b *testing.B) {
	needs(b, "sshfs", "sshfs")
	r := newRig(b)
	theirs := newSSHD(b, r)
	big := make([]byte, 256<<20)
	write(b, r.dir+"/big", big, 0o644)
	for _, j := range fileJobs {
		script := fmt.Sprintf("D=%s\n%s\na=$(date +%%s%%N)\n%s\nz=$(date +%%s%%N)\necho $((z - a))\n", r.dir, j.before, j.job)
		b.Run(j.name, func(b *testing.B) {
			compare(b, func() time.Duration {
				return nanoseconds(b, must(b, r.terminal(nil, "/bin/sh", "-c", "P=/mnt/term\n"+script)))
			}, func() time.Duration {
				return theirs.sshfs(b, script)
			})
		})
	}
}

// BenchmarkTrue is the time from the key press to the prompt for a command that does nothing: over a connection of its own, and over one that
// is there. What is compared with is ssh on a connection of its own; what ssh itself makes of one that is there is measured as well.
func BenchmarkTrue(b *testing.B) {
	r := newRig(b)
	theirs := newSSHD(b, r)
	b.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") // a login's, whatever the developer's may have besides
	timed := func(c *exec.Cmd) time.Duration {
		start := time.Now()
		must(b, c)
		return time.Since(start)
	}
	ssh := func() time.Duration { return timed(exec.Command("ssh", append(theirs.flags, "127.0.0.1", "true")...)) }
	for _, how := range []struct {
		name  string
		flags []string
	}{
		{"alone", nil},
		{"shared", []string{"-o", "ControlMaster=auto"}},
		{"shared, without the terminal's files", []string{"-o", "ControlMaster=auto", "-n", "none"}},
	} {
		b.Run(how.name, func(b *testing.B) {
			if how.flags != nil {
				r.shares = true
				b.Setenv("XDG_RUNTIME_DIR", b.TempDir())
				_, end := r.running(how.flags[:2]...)
				defer end()
			}
			compare(b, func() time.Duration { return timed(r.terminal(how.flags, "true")) }, ssh)
		})
	}
	b.Run("ssh, shared", func(b *testing.B) {
		socket := []string{"-S", b.TempDir() + "/s", "127.0.0.1"}
		must(b, exec.Command("ssh", slices.Concat(theirs.flags, []string{"-M", "-f", "-N"}, socket)...))
		defer exec.Command("ssh", slices.Concat(theirs.flags, []string{"-O", "exit"}, socket)...).Run()
		compare(b, func() time.Duration {
			return timed(exec.Command("ssh", slices.Concat(theirs.flags, socket, []string{"true"})...))
		}, ssh)
	})
}

func compare(b *testing.B, ours, theirs func() time.Duration) {
	var us, them []time.Duration
	for b.Loop() {
		us = append(us, ours())
		them = append(them, theirs())
	}
	slices.Sort(us)
	slices.Sort(them)
	u, t := us[len(us)/2], them[len(them)/2]
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(u.Seconds(), "cpu-s")
	b.ReportMetric(t.Seconds(), "peer-s")
	b.ReportMetric(u.Seconds()/t.Seconds(), "cpu/peer")
}

func nanoseconds(b *testing.B, s string) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(n)
}

// An sshd is OpenSSH's, with a configuration of its own, one process a connection. Its shells read no start-up files, for SHLVL has them
// think that they are not the first: what the developer has there is not ssh's doing.
type sshd struct {
	flags []string // for ssh, up to the host
	dir   string
}

func newSSHD(b testing.TB, r *rig) *sshd {
	b.Helper()
	needs(b, "ssh", "openssh-client")
	daemon := needs(b, "/usr/sbin/sshd", "openssh-server")
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		b.Fatal(err)
	}
	config := r.keys + "/sshd_config"
	write(b, config, []byte(fmt.Sprintf("HostKey %s/hostkey\nAuthorizedKeysFile %s/authorized\nStrictModes no\nUsePAM no\n"+
		"Subsystem sftp internal-sftp\nPermitRootLogin yes\nSetEnv SHLVL=1 PATH=%s:/usr/bin:/bin\n", r.keys, r.keys, r.keys)), 0o600)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f, err := c.(*net.TCPConn).File()
			c.Close()
			if err != nil {
				continue
			}
			p := exec.Command(daemon, "-i", "-f", config)
			p.Stdin, p.Stdout = f, f
			if p.Start() == nil {
				go p.Wait()
			}
			f.Close()
		}
	}()
	b.Cleanup(func() { l.Close(); <-done })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return &sshd{dir: b.TempDir(), flags: []string{"-F", "none", "-i", r.keys + "/key", "-p", port, "-o", "HostKeyAlias=cputest",
		"-o", "UserKnownHostsFile=" + r.keys + "/known_hosts", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"}}
}

// sshfs mounts / anew, runs the script on it, and unmounts it.
func (s *sshd) sshfs(b *testing.B, script string) time.Duration {
	args := append([]string{"127.0.0.1:/", s.dir, "-o", "ssh_command=ssh " + strings.Join(s.flags, " ")}, "-o", "transform_symlinks")
	must(b, exec.Command("sshfs", args...))
	defer must(b, exec.Command("fusermount3", "-u", s.dir))
	return nanoseconds(b, must(b, exec.Command("/bin/sh", "-c", "P="+s.dir+"\n"+script)))
}
