package ctlfs

import (
	"testing"
	"time"
)

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		line string
		want Status
	}{
		{"7 1 2 3 ''", Status{PID: 7, User: time.Millisecond, Sys: 2 * time.Millisecond, Real: 3 * time.Millisecond}},
		{"1 0 0 0 'exit 3'", Status{PID: 1, Exit: "exit 3", Code: 3}},
		{"0 0 0 0 'exit 127'", Status{Exit: "exit 127", Code: 127}},
		{"1 0 0 0 'signal 9'", Status{PID: 1, Exit: "signal 9", Code: 137}},
	} {
		c.want.State = Ended
		got, err := ParseStatus(c.line + "\n")
		if err != nil || got != c.want {
			t.Errorf("%q: %+v, %v, want %+v", c.line, got, err, c.want)
		}
		if s := c.want.String(); s != c.line {
			t.Errorf("String gives %q, want %q", s, c.line)
		}
	}
	for _, line := range []string{
		"", "1 2 3 4", "1 2 3 4 '' x", "x 2 3 4 ''", "1 -2 3 4 ''", "1 2 3 4 'exit'", "1 2 3 4 'exit 0'", "1 2 3 4 'exit 256'", "1 2 3 4 'exit -1'",
		"1 2 3 4 'signal 0'", "1 2 3 4 'signal 128'", "1 2 3 4 'core 1'", "1 2 3 99999999999999999999 ''", "1 2 3 9223372036854775807 ''",
		"4294967296 0 0 0 ''", "1 2 3 4 'exit 3", "1 2 3 4 'exit  3'",
	} {
		if st, err := ParseStatus(line); err == nil {
			t.Errorf("%q is taken for %+v", line, st)
		}
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Fuzz(func(t *testing.T, line string) {
		st, err := ParseStatus(line)
		if err != nil {
			return
		}
		if st.User < 0 || st.Sys < 0 || st.Real < 0 || st.PID < 0 || st.Code < 0 || st.Code > 255 || (st.Code == 0) != (st.Exit == "") {
			t.Errorf("%q is taken for %+v", line, st)
		}
		if again, err := ParseStatus(st.String()); err != nil || again != st {
			t.Errorf("%q: %+v reads back as %+v, %v", line, st, again, err)
		}
	})
}
