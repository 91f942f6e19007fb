//go:build linux

package session

import "testing"

func TestReadStat(t *testing.T) {
	for _, c := range []struct {
		text        string
		busy, total uint64
		ok          bool
	}{
		{"cpu  10 1 5 100 20 2 3 4 7 0\ncpu0 1 1 1 1\n", 25, 145, true},
		{"cpu 1 2 3 4 5", 6, 15, true},
		{"cpu 1 2 3", 0, 0, false},
		{"cpu a 2 3 4 5", 0, 0, false},
		{"", 0, 0, false},
	} {
		if busy, total, ok := readStat(c.text); busy != c.busy || total != c.total || ok != c.ok {
			t.Errorf("%q: %d %d %v", c.text, busy, total, ok)
		}
	}
	var u usage
	u.busy, u.total, u.known = 1<<63, 1<<63, true // the counters of a machine that was suspended may go back
	if p, ok := u.percent(u.at.Add(usageMin)); !ok || p != 0 {
		t.Errorf("%v %v", p, ok)
	}
}
