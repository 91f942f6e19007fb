package ctlfs

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestEnvText(t *testing.T) {
	for _, c := range []struct {
		env  []string
		text string
	}{
		{nil, ""},
		{[]string{"A=1", "B=two words", "C="}, "A=1\nB='two words'\nC=\n"},
		{[]string{"Q=it's", "N=a\nb", "E=a=b"}, "Q='it''s'\nN='a\nb'\nE='a=b'\n"},
		{[]string{"BASH_FUNC_f%%=() { :; }", "odd name=1"}, "BASH_FUNC_f%%='() { :; }'\n'odd name'=1\n"},
	} {
		if got := envText(c.env); got != c.text {
			t.Errorf("%q is written as %q, want %q", c.env, got, c.text)
		}
		env, incomplete, err := parseEnv(c.text)
		if !slices.Equal(env, c.env) || incomplete != nil || err != nil {
			t.Errorf("%q is read as %q, %v, %v", c.text, env, incomplete, err)
		}
	}
}

func TestParseEnv(t *testing.T) {
	for _, c := range []struct {
		text       string
		want       []string
		incomplete bool
		fails      bool
	}{
		{"A=1\nB=2\nA=3\n", []string{"A=3", "B=2"}, false, false},
		{"\n A=1 \n\n", []string{"A=1"}, false, false},
		{"A=1\nB", []string{"A=1"}, true, false},
		{"A=1\nB=", []string{"A=1", "B="}, false, false},
		{"A='x\n", nil, true, false},
		{"A=1\nB\n", nil, false, true},
		{"A=1 B\nC", nil, false, true},
		{"=1\n", nil, false, true},
		{"A=hello world\n", nil, false, true},
	} {
		env, incomplete, err := parseEnv(c.text)
		if !slices.Equal(env, c.want) || (incomplete != nil) != c.incomplete || (err != nil) != c.fails {
			t.Errorf("%q is read as %q, %v, %v", c.text, env, incomplete, err)
		}
	}
}

func FuzzEnv(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		env, incomplete, err := parseEnv(text)
		if err != nil || incomplete != nil {
			return
		}
		again, incomplete, err := parseEnv(envText(env))
		if err != nil || incomplete != nil || !slices.Equal(again, env) {
			t.Errorf("%q is %q, written %q, and read back %q, %v, %v", text, env, envText(env), again, incomplete, err)
		}
	})
}

func TestCutLine(t *testing.T) {
	text := "start\nvar dir 'a\nb''\n'\n\nwinsize 1 2"
	var got []string
	for rest := text; rest != ""; {
		var line string
		line, rest = cutLine(rest)
		got = append(got, line)
	}
	if want := []string{"start\n", "var dir 'a\nb''\n'\n", "\n", "winsize 1 2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if strings.Join(got, "") != text {
		t.Error("something is lost")
	}
}
