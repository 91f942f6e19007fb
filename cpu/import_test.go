//go:build linux

package main_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// TestImport is about the files of a third machine, which the terminal reaches and the server does not.
func TestImport(t *testing.T) {
	server, third := newRig(t), newRig(t)
	var config strings.Builder
	for name, r := range map[string]*rig{"server": server, "third": third} {
		host, port, _ := strings.Cut(r.addr, ":")
		fmt.Fprintf(&config, "Host %s\n\tHostName %s\n\tPort %s\n\tHostKeyAlias cputest\n\tUserKnownHostsFile %s/known_hosts\n\tIdentityFile %[4]s/key\n",
			name, host, port, r.keys)
	}
	write(t, server.keys+"/config", []byte(config.String()+"Host *\n\tIdentitiesOnly yes\n\tIdentityAgent none\n\tControlMaster no\n"), 0o600)
	write(t, third.dir+"/file", []byte("third's\n"), 0o644)
	write(t, server.dir+"/mine", []byte("mine\n"), 0o644)
	for _, test := range []struct{ ns, command, out, err string }{
		{"import third $there /mnt/third", "cat /mnt/third/file; ls /srv; echo new > /mnt/third/new", "third's\ncpu\nimport.third\nterm\n", ""},
		{"import third /mnt/third\nimport -a third $there $dir", "cat /mnt/third$dir/mine file mine; tail -qn 3 /mnt/cpu/[0-9]*/ns | sed s@$there@T@g",
			"mine\nthird's\nmine\nimport third /mnt/third\nimport -a third T " + server.dir + "\ncd " + server.dir + "\n", ""},
		{"import nowhere /mnt/third", "true", "", "cpu: ns:1: import nowhere /mnt/third: nowhere: "},
		{"import -q nowhere /mnt/third", "echo good", "good\n", ""},
		{". $dir/more", "true", "", "/more:1: import third /mnt/third: the terminal offers no way there\n"},
	} {
		write(t, server.dir+"/ns", []byte(test.ns+"\n"), 0o644)
		write(t, server.dir+"/more", []byte("import third /mnt/third\n"), 0o644)
		c := exec.Command(programs+"/cpu", "-F", server.keys+"/config", "-e", "there="+third.dir, "-e", "dir="+server.dir, "-n", "default", "-n", "ns", "server",
			"sh", "-c", test.command)
		c.Dir = server.dir
		out, errs, status := run(t, c)
		if test.err == "" && (out != test.out || errs != "" || status != 0) {
			t.Errorf("%s: said %q and %q, exit status %d, want %q", test.ns, out, errs, status, test.out)
		}
		if test.err != "" && (!strings.Contains(errs, test.err) || status != 1) {
			t.Errorf("%s: said %q, exit status %d, want %q", test.ns, errs, status, test.err)
		}
	}
	if got := must(t, exec.Command("cat", third.dir+"/new")); got != "new\n" {
		t.Errorf("written to the third: %q", got)
	}
}
