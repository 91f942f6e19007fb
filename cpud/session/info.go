//go:build linux

package session

import (
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"time"

	"cpu/ctlfs"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"golang.org/x/sys/unix"
)

// Ctl carries out a line written to the daemon's ctl file. EPERM unless u is root.
func (t *Table) Ctl(u ctlfs.User, line []string) error {
	if !u.Root {
		return linux.EPERM
	}
	switch {
	case len(line) == 1 && (line[0] == "drain" || line[0] == "undrain"):
		t.mu.Lock()
		defer t.mu.Unlock()
		t.draining = line[0] == "drain"
		t.changed()
		return nil
	case len(line) == 1 && t.config.Power != nil && t.config.Power(line[0]):
		return nil
	case len(line) == 2 && line[0] == "debug":
		var l slog.Level
		if err := l.UnmarshalText([]byte(line[1])); err != nil {
			return invalid("debug: %q: not debug, info, warn or error", line[1])
		}
		if t.config.Level == nil {
			return invalid("debug: this server keeps no log")
		}
		t.config.Level.Set(l)
		return nil
	}
	return invalid("%q: not drain, undrain, or debug LEVEL", line)
}

// loadUnit is what sysinfo(2) counts load averages in.
const loadUnit = 1 << 16

// Info describes the server: version os arch ncpu mem memavail load cpu uptime sessions. Mem is in bytes, and so is memavail, what of it a
// new program could have; uptime is the daemon's in seconds, load that of the last minute, cpu how many percent of the processors' time
// were in use since it was last asked for. Where there is no /proc, memavail and cpu are left out.
func (t *Table) Info() []ctlfs.Pair {
	var si unix.Sysinfo_t
	unix.Sysinfo(&si)
	t.mu.Lock()
	n := len(t.sessions)
	t.mu.Unlock()
	pairs := []ctlfs.Pair{
		{Name: "version", Value: t.config.Version},
		{Name: "os", Value: runtime.GOOS},
		{Name: "arch", Value: cputype},
		{Name: "ncpu", Value: strconv.Itoa(runtime.NumCPU())},
		{Name: "mem", Value: strconv.FormatUint(uint64(si.Totalram)*uint64(si.Unit), 10)},
		{Name: "load", Value: fmt.Sprintf("%.2f", float64(si.Loads[0])/loadUnit)},
		{Name: "uptime", Value: strconv.FormatInt(int64(time.Since(t.began)/time.Second), 10)},
		{Name: "sessions", Value: strconv.Itoa(n)},
	}
	if v, ok := memoryAvailable(); ok {
		pairs = append(pairs, ctlfs.Pair{Name: "memavail", Value: strconv.FormatUint(v, 10)})
	}
	if v, ok := t.usage.percent(time.Now()); ok {
		pairs = append(pairs, ctlfs.Pair{Name: "cpu", Value: fmt.Sprintf("%.1f", v)})
	}
	return pairs
}

// Stats counts: sessions there are, and were started and failed to; connections, logins and failures of such; requests, bytes and fids of the
// 9P with the services posted in sessions (client), and of what is served to sessions and terminals (server); what the kernel has asked of
// mounts, and what of that was answered without asking further.
func (t *Table) Stats() []ctlfs.Pair {
	var pairs []ctlfs.Pair
	count := func(name string, v int64) {
		pairs = append(pairs, ctlfs.Pair{Name: name, Value: strconv.FormatInt(v, 10)})
	}
	nine := func(whose string, s *ninep.Stats) {
		count(whose+"requests", s.Requests.Load())
		count(whose+"pending", s.Pending.Load())
		count(whose+"fids", s.Fids.Load())
		count(whose+"bytesin", s.BytesIn.Load())
		count(whose+"bytesout", s.BytesOut.Load())
	}
	var client ninep.Stats
	add := func(s *ninep.Stats) {
		client.Requests.Add(s.Requests.Load())
		client.Pending.Add(s.Pending.Load())
		client.Fids.Add(s.Fids.Load())
		client.BytesIn.Add(s.BytesIn.Load())
		client.BytesOut.Add(s.BytesOut.Load())
	}
	t.mu.Lock()
	sessions := len(t.sessions)
	add(&t.past)
	for _, s := range t.sessions {
		add(&s.nine)
	}
	t.mu.Unlock()
	count("sessions", int64(sessions))
	count("started", t.started.Load())
	count("failed", t.failed.Load())
	count("connections", t.Connections.Load())
	count("logins", t.Logins.Load())
	count("loginfailures", t.Failures.Load())
	nine("client", &client)
	nine("server", &t.server)
	count("mountrequests", t.mounts.Requests.Load())
	count("mounthits", t.mounts.Hits.Load())
	return pairs
}

// Stats is the session's part of the client's.
func (s *Session) Stats() []ctlfs.Pair {
	count := func(name string, v int64) ctlfs.Pair {
		return ctlfs.Pair{Name: name, Value: strconv.FormatInt(v, 10)}
	}
	return []ctlfs.Pair{
		count("requests", s.nine.Requests.Load()),
		count("pending", s.nine.Pending.Load()),
		count("fids", s.nine.Fids.Load()),
		count("bytesin", s.nine.BytesIn.Load()),
		count("bytesout", s.nine.BytesOut.Load()),
	}
}
