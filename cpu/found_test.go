//go:build linux

package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/miekg/dns"

	"cpu/lib/dnssd"
)

// threeHosts is a link with a terminal and three hosts, all of them known to be heard.
func threeHosts(t *testing.T) (l *link, h1, h2, h3 *rig) {
	t.Helper()
	l = newLink(t)
	h1 = l.serve("h1", "-txt", "rank=1,near=storage,cores=2,bytes=1024", "-relay", ":5300")
	h2 = l.serve("h2", "-txt", "rank=2,secure,cores=4,bytes=2048")
	h3 = l.serve("h3", "-txt", "rank=10,arch=vax,cores=8,bytes=4096")
	l.see("dnssd:", `"h1".*"h2".*"h3"`)
	return l, h1, h2, h3
}

// TestFound: of three hosts the one that is wanted is found, by every operator, and used.
func TestFound(t *testing.T) {
	t.Parallel()
	l, h1, _, _ := threeHosts(t)
	for _, c := range []struct{ uri, want string }{
		{"dnssd://h2._ncpu._tcp.local/", "h2"},
		{"dnssd://local/_ncpu._tcp/h1", "h1"},
		{"dnssd:?near=storage", "h1"},
		{"dnssd:?rank=2&rank=3", "h2"},
		{"dnssd:?rank=<1", "h1"},
		{"dnssd:?rank=>2", "h2"}, // and not h3, of another architecture
		{"dnssd:?rank=>2&rank=<5&arch=*", "h2"},
		{"dnssd:?bytes=>4K&arch=*", "h3"},
		{"dnssd:?secure=!true", "h1"},
		{"dnssd:?arch=!" + runtime.GOARCH, "h3"},
		{"dnssd:?arch=vax", "h3"},
	} {
		if out := must(t, l.cpu(c.uri, "sh", "-c", "echo `hostname` $cpuhost $cpuid")); out != c.want+" "+c.want+" 0\n" {
			t.Errorf("%s: %q, want %s", c.uri, out, c.want)
		}
	}
	for _, c := range []struct{ sort, order string }{
		{"sort=rank", "h1 h2 h3"}, {"sort=>rank", "h3 h2 h1"}, {"sort==secure", "h2 h1 h3"}, {"sort=!near", "h2 h3 h1"}, {"sort==near&sort=>cores", "h1 h3 h2"},
	} {
		l.see("dnssd:?"+c.sort, `"name":"`+strings.ReplaceAll(c.order, " ", `".*"name":"`)+`"`)
	}
	for _, args := range [][]string{{".", "hostname"}, {"dnssd:", "hostname"}} {
		if out := must(t, l.cpu(args...)); out != "h1\n" && out != "h2\n" {
			t.Errorf("%q: %q", args, out)
		}
	}
	alone := l.cpu()
	alone.Stdin = strings.NewReader("hostname\n")
	if out := must(t, alone); out != "h1\n" && out != "h2\n" {
		t.Errorf("cpu alone: %q", out)
	}
	_, errs, status := run(t, l.cpu("-timeout", "1s", "dnssd:?near=storage&rank=>5", "true"))
	if status != 255 || !strings.Contains(errs, "none is wanted:") || !strings.Contains(errs, "\th1: rank is 1, want at least 5") {
		t.Errorf("no match: exit status %d: %s", status, errs)
	}
	// What a relay has heard is found without multicast.
	addr, _, _ := strings.Cut(h1.addr, ":")
	if out := must(t, l.cpu("-dns", addr+":5300", "dnssd://h2._ncpu._tcp/", "hostname")); out != "h2\n" {
		t.Errorf("by the relay: %q", out)
	}
	table := must(t, l.cpu("-dns", addr+":5300", "-list"))
	if lines := strings.Split(table, "\n"); len(lines) != 5 || !strings.HasPrefix(lines[1], "h1 ") || !strings.Contains(lines[1], "near=storage") {
		t.Errorf("the relay's list:\n%s", table)
	}
}

// TestHostGone: a host that is drained, one that ends and one that is cut off are not found any more, and one that drains no longer is; a session is counted as it begins.
func TestHostGone(t *testing.T) {
	t.Parallel()
	l, h1, h2, _ := threeHosts(t)
	busy := l.cpu("dnssd://h1._ncpu._tcp/", "cat")
	stdin, err := busy.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := busy.Start(); err != nil {
		t.Fatal(err)
	}
	defer busy.Wait()
	defer stdin.Close()
	l.see("dnssd:?tenants=>1", `^\[{"name":"h1"`)
	if out := must(t, l.cpu("dnssd:?tenants=<0", "hostname")); out != "h2\n" {
		t.Errorf("the host without tenants: %q", out)
	}
	control := func(word string, host ...string) {
		t.Helper()
		c := l.cpu(append(append([]string{"-ctl"}, host...), "write", "/ctl")...)
		c.Stdin = strings.NewReader(word)
		must(t, c)
	}
	control("drain", "dnssd://h2._ncpu._tcp/")
	l.see("dnssd:", `^\[{"name":"h1",[^{]*{[^{]*},{"name":"h3"|^\[{"name":"h1"[^{]*{[^{]*}},{"name":"h3"`)
	addr, _, _ := strings.Cut(h2.addr, ":")
	control("undrain", "-o", "HostKeyAlias=[h2.local]:17010", addr)
	l.see("dnssd:", `"h1".*"h2".*"h3"`)
	control("drain", "dnssd://h2._ncpu._tcp/")
	h1.daemon.Process.Signal(syscall.SIGTERM)
	l.see("dnssd:", `^\[{"name":"h3"`)
	l.cut("h3")
	l.see("dnssd:", `^\[\]`)
}

// TestLiar: a host that announces a key which is not its own is not used, one that is not known is not either, and one that nobody answers
// at is passed over.
func TestLiar(t *testing.T) {
	t.Parallel()
	l := newLink(t)
	l.serve("honest", "-txt", "rank=3")
	l.serve("liar", "-txt", "rank=1,hostkey=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	stranger := l.serve("stranger", "-txt", "rank=2")
	l.assist("stranger", "TestAnnouncer", announcer+"=dead rank=0 9", newLineLog())
	known, err := os.ReadFile(l.keys + "/known_hosts")
	if err != nil {
		t.Fatal(err)
	}
	write(t, l.keys+"/known_hosts", regexp.MustCompile(`(?m)^\[stranger.*\n`).ReplaceAll(known, nil), 0o600)
	l.see("dnssd:", `"dead".*"honest".*"liar".*"stranger"`)
	for _, c := range []struct{ host, want string }{
		{"liar", "and not SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA as it was announced"},
		{"stranger", "unknown host key"},
		{"dead", "connection refused"},
	} {
		out, errs, status := run(t, l.cpu("dnssd://"+c.host+"._ncpu._tcp/", "hostname"))
		if status != 255 || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit status %d: %q %s", c.host, status, out, errs)
		}
	}
	// Who has answered when the choice is made is chance; but of those that have, the best is tried first.
	for tried := 0; tried < 3; {
		out, errs, status := run(t, l.cpu("dnssd:?sort=rank", "hostname"))
		if status == 255 && !strings.Contains(errs, "honest") {
			continue // it has not answered
		}
		if status != 0 || out != "honest\n" {
			t.Fatalf("exit status %d: %q %s", status, out, errs)
		}
		tried = strings.Count(errs, "another is taken")
	}
	stranger.daemon.Process.Signal(syscall.SIGTERM)
}

// TestHosts: a command runs on several hosts at once.
func TestHosts(t *testing.T) {
	t.Parallel()
	l, _, _, _ := threeHosts(t)
	out, errs, status := run(t, l.cpu("-hosts", "3", "dnssd:?arch=*&sort=rank", "sh", "-c", "echo $cpuid $cpuhost `hostname`; cat; echo to $cpuhost >&2; exit $cpuid"))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	slices.Sort(lines)
	if got := strings.Join(lines, ","); status != 2 || got != "0 h1 h1,1 h2 h2,2 h3 h3" || strings.Count(errs, "to h") != 3 {
		t.Errorf("exit status %d: %s; %s", status, got, errs)
	}
	_, errs, status = run(t, l.cpu("-timeout", "1s", "-hosts", "4", "dnssd:?arch=*", "true"))
	if status != 255 || !strings.Contains(errs, "3 hosts are found, and 4 are wanted") {
		t.Errorf("too few: exit status %d: %s", status, errs)
	}
	// ^C reaches every one.
	said := newLineLog()
	c := l.cpu("-timeout", "2s", "-hosts", "all", "dnssd:?arch=*", "sh", "-c", "trap 'echo caught; exit 5' INT; echo ready $cpuid; while :; do sleep 0.1; done")
	c.Stdout = said
	var failed bytes.Buffer
	c.Stderr = &failed
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { c.Wait(); said.close(); close(ended) }()
	for i := range 3 {
		if said.find(regexp.MustCompile("ready "+strconv.Itoa(i))) == "" {
			t.Fatalf("%s %s", said.text(), failed.String())
		}
	}
	c.Process.Signal(syscall.SIGINT)
	<-ended
	if n := strings.Count(said.text(), "caught"); n != 3 || c.ProcessState.ExitCode() != 5 {
		t.Errorf("exit status %d, %d of 3 caught it: %s %s", c.ProcessState.ExitCode(), n, said.text(), failed.String())
	}
}

// TestHundred: a hundred hosts are found by one that asks once; a second question would not be answered.
func TestHundred(t *testing.T) {
	t.Parallel()
	l := newLink(t)
	addr := l.machine("many")
	ready := newLineLog()
	l.assist("many", "TestAnswerer", answerer+"="+addr, ready)
	if ready.find(regexp.MustCompile("^"+answererReady)) == "" {
		t.Fatalf("nobody answers:\n%s", ready.text())
	}
	var hosts []struct {
		Name string
		Port int
		Text map[string]string
	}
	if err := json.Unmarshal([]byte(must(t, l.cpu("-list", "-json", "-timeout", "3s", "dnssd:?near=storage&sort=number"))), &hosts); err != nil {
		t.Fatal(err)
	}
	if len(hosts) != 100 {
		t.Fatalf("%d of 100 hosts", len(hosts))
	}
	for i, h := range hosts {
		if n := strconv.Itoa(i); h.Name != "host"+n || h.Port != 17010 || h.Text["number"] != n {
			t.Errorf("in place %d: %+v", i, h)
		}
	}
}

// assist runs a helper until the test ends, which the helper knows by the end of its input.
func (l *link) assist(machine, test, env string, said *lineLog) {
	l.t.Helper()
	c := l.helper(machine, test, env)
	in, err := c.StdinPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		l.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait(); said.close() }()
	l.t.Cleanup(func() {
		in.Close()
		if err := <-ended; err != nil {
			l.t.Errorf("%s: %v\n%s", test, err, said.text())
		}
	})
}

const (
	answerer      = "CPU_TEST_ANSWER"
	answererReady = "ready for a question"
)

// TestAnswerer answers, from the address that it is told, the first question for cpu servers with a hundred of them, in as many packets as
// that takes, and no other. It is run by TestHundred, and otherwise does nothing.
func TestAnswerer(t *testing.T) {
	addr := os.Getenv(answerer)
	if addr == "" {
		return
	}
	eth0, err := net.InterfaceByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	group := &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}
	conn, err := net.ListenMulticastUDP("udp4", eth0, group)
	if err != nil {
		t.Fatal(err)
	}
	var answering sync.WaitGroup
	answering.Go(func() {
		const service = "_ncpu._tcp.local."
		for packet := make([]byte, 9000); ; {
			n, err := conn.Read(packet)
			if err != nil {
				return // closed: nobody has asked
			}
			var asked dns.Msg
			if asked.Unpack(packet[:n]) != nil || asked.Response || len(asked.Question) != 1 || asked.Question[0].Name != service {
				continue
			}
			for first := 0; first < 100; first += 5 {
				answer := &dns.Msg{Compress: true}
				answer.Response, answer.Authoritative = true, true
				for i := first; i < first+5; i++ {
					host := "host" + strconv.Itoa(i)
					answer.Answer = append(answer.Answer, record(t, service+" 120 IN PTR "+host+"."+service))
					answer.Extra = append(answer.Extra, record(t, host+"."+service+" 120 IN SRV 0 0 17010 "+host+".local."),
						record(t, fmt.Sprintf("%s.%s 120 IN TXT os=linux arch=%s near=storage number=%d", host, service, runtime.GOARCH, i)),
						record(t, host+".local. 120 IN A "+addr))
				}
				packed, err := answer.Pack()
				if err == nil {
					_, err = conn.WriteTo(packed, group)
				}
				if err != nil {
					t.Error(err)
				}
			}
			return
		}
	})
	fmt.Println(answererReady)
	io.Copy(io.Discard, os.Stdin)
	conn.Close()
	answering.Wait()
}

// record is a record as a zone file has it.
func record(t *testing.T, line string) dns.RR {
	r, err := dns.NewRR(line)
	if err != nil {
		t.Error(err)
	}
	return r
}

const announcer = "CPU_TEST_ANNOUNCE"

// TestAnnouncer announces a cpu server that is not there, until the end of its input: the words are its instance, what is said of it and
// its port. It is run by TestLiar, and otherwise does nothing.
func TestAnnouncer(t *testing.T) {
	words := strings.Fields(os.Getenv(announcer))
	if len(words) != 3 {
		return
	}
	port, err := strconv.Atoi(words[2])
	if err != nil {
		t.Fatal(err)
	}
	text, err := dnssd.ParseText(words[1] + ",os=linux,arch=" + runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	texts := make(chan dnssd.Text, 1)
	texts <- text
	var announcing sync.WaitGroup
	announcing.Go(func() {
		a := dnssd.Announcement{Name: dnssd.Name{Instance: words[0], Service: dnssd.DefaultService, Domain: dnssd.DefaultDomain}, Port: port}
		if err := dnssd.Announce(ctx, a, texts); err != nil {
			t.Error(err)
		}
	})
	io.Copy(io.Discard, os.Stdin)
	cancel()
	announcing.Wait()
}

// TestAvahi: avahi-browse sees a cpud, and cpu what avahi-publish announces.
func TestAvahi(t *testing.T) {
	t.Parallel()
	needs(t, "avahi-browse", "avahi-utils")
	needs(t, "avahi-daemon", "avahi-daemon")
	needs(t, "dbus-daemon", "dbus-daemon")
	l := newLink(t)
	l.serve("h1", "-txt", "near=storage")
	l.machine("avahi")
	dir := t.TempDir()
	write(t, dir+"/dbus.conf", []byte(`<busconfig><type>system</type><listen>unix:path=`+dir+`/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>`), 0o644)
	write(t, dir+"/avahi.conf", []byte("[server]\nhost-name=avahi\nallow-interfaces=eth0\nenable-dbus=yes\n"), 0o644)
	script := `mount -t tmpfs tmpfs /run && mkdir /run/avahi-daemon &&
dbus-daemon --config-file="$0/dbus.conf" --fork --nopidfile --print-address &&
{ avahi-daemon -f "$0/avahi.conf" --no-drop-root --no-chroot --no-rlimits & } &&
{ avahi-publish -f -s 'from avahi' _ncpu._tcp 17010 arch=vax near=avahi & } &&
exec avahi-browse -frpk _ncpu._tcp`
	c := l.on("avahi", "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, dir)
	c.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS=unix:path="+dir+"/bus")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said := newLineLog()
	c.Stdout, c.Stderr = said, said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { c.Wait(); said.close(); close(ended) }()
	defer func() { <-ended }()
	defer c.Process.Kill()
	if said.find(regexp.MustCompile(`^=;eth0;IPv4;h1;_ncpu._tcp;local;h1.local;10\.17\.1\.\d+;17010;.*"hostkey=SHA256:.*"near=storage"|^=;eth0;IPv4;h1;_ncpu._tcp;local;h1.local;10\.17\.1\.\d+;17010;.*"near=storage".*"hostkey=SHA256:`)) == "" {
		t.Fatalf("avahi-browse does not see it:\n%s", said.text())
	}
	l.see("dnssd:?near=avahi", `"name":"from avahi".*"port":17010.*"arch":"vax"`)
}
