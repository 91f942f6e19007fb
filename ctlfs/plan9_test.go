//go:build !plan9

package ctlfs_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"9fans.net/go/plan9"
	"9fans.net/go/plan9/client"
)

// TestPlan9: plan9port's client runs a session in 9P2000, where errors are words.
func TestPlan9(t *testing.T) {
	conn, stats := serve(t, newHost(t), glenda)
	c, err := client.NewConn(conn)
	must(t, err)
	fs, err := c.Attach(nil, "glenda", "")
	must(t, err)
	open := func(name string, mode uint8) *client.Fid {
		t.Helper()
		f, err := fs.Open(name, mode)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return f
	}
	read := func(name string) string {
		t.Helper()
		f := open(name, plan9.OREAD)
		defer f.Close()
		b, err := io.ReadAll(f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return string(b)
	}
	write := func(name, text string, mode uint8) error {
		f, err := fs.Open(name, plan9.OWRITE|mode)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.Write([]byte(text))
		return err
	}

	ctl := open("clone", plan9.ORDWR)
	p := make([]byte, 100)
	n, err := ctl.Read(p)
	if err != nil || string(p[:n]) != "1\n" {
		t.Fatalf("clone gives %q, %v", p[:n], err)
	}
	d := open("1", plan9.OREAD)
	entries, err := d.Dirreadall()
	must(t, err)
	d.Close()
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
	}
	if want := strings.Fields("ctl args env dir ns note notepg wait status errstr stdin stdout stderr stats"); !slices.Equal(names, want) {
		t.Errorf("1 has %q", names)
	}
	must(t, write("1/args", "cat\n", plan9.OTRUNC))
	must(t, write("1/env", "A=1\n", plan9.OTRUNC))
	must(t, write("1/env", "B=2\n", 0))
	if got := read("1/env"); got != "A=1\nB=2\n" {
		t.Errorf("env reads %q", got)
	}
	if err := write("1/ctl", "dance\n", 0); err == nil || !strings.Contains(err.Error(), "dance: unknown command") {
		t.Errorf("an unknown command: %v", err)
	}
	if _, err := fs.Open("7/ctl", plan9.OREAD); err == nil || !strings.Contains(err.Error(), "not exist") && !strings.Contains(err.Error(), "not found") {
		t.Errorf("no such session: %v", err)
	}
	_, err = ctl.Write([]byte("start"))
	must(t, err)
	must(t, write("1/stdin", "from Plan 9", 0))
	if got := read("1/stdout"); got != "from Plan 9" {
		t.Errorf("stdout gives %q", got)
	}
	if got := read("1/wait"); got != "1001 10 20 30 ''\n" {
		t.Errorf("wait gives %q", got)
	}
	ctl.Close()
	until(t, "nothing is pending", func() bool { return stats.Pending.Load() == 0 })
	fs.Close()
}
