//go:build linux

package session

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// memoryAvailable is how many bytes a new program could have without another's being swapped out, which sysinfo(2) does not say.
func memoryAvailable() (uint64, bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemAvailable:" {
			n, err := strconv.ParseUint(f[1], 10, 64)
			return n << 10, err == nil
		}
	}
	return 0, false
}

// usage is how much of the processors' time is in use. Its zero value is ready, and counts from the start of the machine.
type usage struct {
	mu          sync.Mutex
	at          time.Time
	busy, total uint64
	last        float64
	known       bool
}

// usageMin is the shortest time that a percentage is taken over: those who ask sooner get the last one.
const usageMin = time.Second

// percent is what was in use since it was last taken. It is false where the system does not say.
func (u *usage) percent(now time.Time) (float64, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.known && now.Sub(u.at) < usageMin {
		return u.last, true
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	busy, total, ok := readStat(string(text))
	if !ok {
		return 0, false
	}
	if total > u.total && busy >= u.busy {
		u.last = 100 * float64(busy-u.busy) / float64(total-u.total)
	}
	u.at, u.busy, u.total, u.known = now, busy, total, true
	return u.last, true
}

// readStat reads the first line of /proc/stat: what all processors were doing, in ticks. See proc_stat(5).
func readStat(text string) (busy, total uint64, ok bool) {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	const idle, iowait, guest = 4, 5, 9 // what guests do is in user as well
	if len(f) <= iowait || f[0] != "cpu" {
		return 0, 0, false
	}
	for i, s := range f[1:min(len(f), guest)] {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return 0, 0, false
		}
		total += n
		if i+1 != idle && i+1 != iowait {
			busy += n
		}
	}
	return busy, total, true
}
