//go:build linux

package session

import (
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"time"

	"cpu/ctlfs"

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

// Info describes the server: version os arch ncpu mem load uptime sessions. Mem is in bytes, uptime the daemon's in seconds, load that of
// the last minute.
func (t *Table) Info() []ctlfs.Pair {
	var si unix.Sysinfo_t
	unix.Sysinfo(&si)
	t.mu.Lock()
	n := len(t.sessions)
	t.mu.Unlock()
	return []ctlfs.Pair{
		{Name: "version", Value: t.config.Version},
		{Name: "os", Value: runtime.GOOS},
		{Name: "arch", Value: cputype},
		{Name: "ncpu", Value: strconv.Itoa(runtime.NumCPU())},
		{Name: "mem", Value: strconv.FormatUint(uint64(si.Totalram)*uint64(si.Unit), 10)},
		{Name: "load", Value: fmt.Sprintf("%.2f", float64(si.Loads[0])/loadUnit)},
		{Name: "uptime", Value: strconv.FormatInt(int64(time.Since(t.began)/time.Second), 10)},
		{Name: "sessions", Value: strconv.Itoa(n)},
	}
}

// Stats counts: sessions started and failed to; requests, bytes and fids of the 9P that sessions serve and use.
func (t *Table) Stats() []ctlfs.Pair {
	count := func(name string, v int64) ctlfs.Pair {
		return ctlfs.Pair{Name: name, Value: strconv.FormatInt(v, 10)}
	}
	return []ctlfs.Pair{
		count("started", t.started.Load()),
		count("failed", t.failed.Load()),
		count("clientrequests", t.client.Requests.Load()),
		count("clientpending", t.client.Pending.Load()),
		count("clientfids", t.client.Fids.Load()),
		count("clientbytesin", t.client.BytesIn.Load()),
		count("clientbytesout", t.client.BytesOut.Load()),
		count("serverrequests", t.server.Requests.Load()),
		count("serverpending", t.server.Pending.Load()),
		count("serverfids", t.server.Fids.Load()),
		count("serverbytesin", t.server.BytesIn.Load()),
		count("serverbytesout", t.server.BytesOut.Load()),
	}
}
