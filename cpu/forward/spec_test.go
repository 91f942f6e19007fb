package forward

import "testing"

func TestParse(t *testing.T) {
	tcp := func(host string, port int) Address { return Address{Host: host, Port: port} }
	unix := func(path string) Address { return Address{Path: path} }
	for _, c := range []struct {
		spec                   string
		want                   Spec
		local, remote, dynamic bool // whether it is one
	}{
		{"8080:host:80", Spec{tcp("localhost", 8080), tcp("host", 80), true}, true, true, false},
		{"localhost:8080:host:80", Spec{tcp("localhost", 8080), tcp("host", 80), false}, true, true, false},
		{"0:host:80", Spec{tcp("localhost", 0), tcp("host", 80), true}, false, true, false},
		{":8080:host:80", Spec{tcp("", 8080), tcp("host", 80), false}, true, true, false},
		{"*:8080:host:http", Spec{tcp("", 8080), tcp("host", 80), false}, true, true, false},
		{"[::1]:8080:[fe80::1%eth0]:80", Spec{tcp("::1", 8080), tcp("fe80::1%eth0", 80), false}, true, true, false},
		{"8080:[::1]:80", Spec{tcp("localhost", 8080), tcp("::1", 80), true}, true, true, false},
		{"8080:/run/s", Spec{tcp("localhost", 8080), unix("/run/s"), true}, true, true, false},
		{"host:8080:/run/s", Spec{tcp("host", 8080), unix("/run/s"), false}, true, true, false},
		{"/tmp/s:host:80", Spec{unix("/tmp/s"), tcp("host", 80), false}, true, true, false},
		{"./s:/run/s", Spec{unix("./s"), unix("/run/s"), false}, true, true, false},
		{`/tmp/a\:b:/run/a\\b`, Spec{unix("/tmp/a:b"), unix(`/run/a\b`), false}, true, true, false},
		{"", Spec{}, false, false, false},
		{"8080", Spec{tcp("localhost", 8080), anywhere, true}, false, true, true},
		{"0", Spec{tcp("localhost", 0), anywhere, true}, false, true, false},
		{"host:8080", Spec{tcp("host", 8080), anywhere, false}, false, true, true},
		{"*:8080", Spec{tcp("", 8080), anywhere, false}, false, true, true},
		{"[::1]:8080", Spec{tcp("::1", 8080), anywhere, false}, false, true, true},
		{"/tmp/s", Spec{unix("/tmp/s"), anywhere, false}, false, false, true},
		{"/tmp/s:8080", Spec{}, false, false, false},
		{"8080:host", Spec{}, false, false, false},
		{"8080:host:0", Spec{}, false, false, false},
		{"8080::80", Spec{}, false, false, false},
		{"x y:host:80", Spec{}, false, false, false},
		{"8080:host:80:", Spec{}, false, false, false},
		{"-1:host:80", Spec{}, false, false, false},
		{"65536:host:80", Spec{}, false, false, false},
		{"[::1:8080:host:80", Spec{}, false, false, false},
		{"[::1]8080:host:80", Spec{}, false, false, false},
		{"a:b:8080:host:80", Spec{}, false, false, false},
		{"a:/tmp/s:host:80", Spec{}, false, false, false},
		{"::1:8080:host:80", Spec{}, false, false, false},
	} {
		for name, p := range map[string]struct {
			parse func(string) (Spec, error)
			ok    bool
		}{"-L": {ParseLocal, c.local}, "-R": {ParseRemote, c.remote}, "-D": {ParseDynamic, c.dynamic}} {
			got, err := p.parse(c.spec)
			if (err == nil) != p.ok || err == nil && got != c.want {
				t.Errorf("%s %q: %+v, %v; want %+v, %v", name, c.spec, got, err, c.want, p.ok)
			}
		}
	}
}

// FuzzParse: what is a spec has ends that can be used.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"8080:host:80", "[::1]:0:[::1]:80", `/tmp/a\:b:/run/s`, "*:1:/s", "[", `\`, "::::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		spec, err := ParseRemote(s)
		if err != nil {
			return
		}
		for _, a := range []Address{spec.Listen, spec.Connect} {
			if a.Path != "" && (a.Host != "" || a.Port != 0) || a.Port < 0 || a.Port > 1<<16-1 {
				t.Errorf("%q: %+v", s, a)
			}
		}
		if c := spec.Connect; c != anywhere && c.Path == "" && (c.Host == "" || c.Port == 0) {
			t.Errorf("%q leads to %+v", s, c)
		}
	})
}
