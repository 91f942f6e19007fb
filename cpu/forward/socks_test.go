package forward

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// conversation is a client that says all it has to say, whatever it is told.
type conversation struct {
	io.Reader
	told bytes.Buffer
}

func (c *conversation) Write(p []byte) (int, error) { return c.told.Write(p) }

// hello is a client of version 5 that wants no login.
const hello = "\x05\x02\x02\x00"

func TestSOCKS(t *testing.T) {
	const granted4, refused4 = "\x00\x5a\x00\x00\x00\x00\x00\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00"
	five := func(code string) string { return "\x05\x00\x05" + code + "\x00\x01\x00\x00\x00\x00\x00\x00" }
	for _, c := range []struct {
		name, says string
		want       string // the address; "" is none
		told       string // if it is connected
	}{
		{"4", "\x04\x01\x00\x50\x0a\x00\x00\x01me\x00", "10.0.0.1:80", granted4},
		{"4a", "\x04\x01\x1f\x90\x00\x00\x00\x01\x00board\x00", "board:8080", granted4},
		{"4, all zero", "\x04\x01\x00\x50\x00\x00\x00\x00\x00", "0.0.0.0:80", granted4},
		{"4a without a name", "\x04\x01\x1f\x90\x00\x00\x00\x01\x00\x00", "", refused4},
		{"4, to listen", "\x04\x02\x00\x50\x0a\x00\x00\x01me\x00", "", refused4},
		{"4, endless", "\x04\x01\x00\x50\x0a\x00\x00\x01" + strings.Repeat("me", 1000), "", ""},
		{"4, that ends", "\x04\x01\x00\x50\x0a\x00\x00\x01me", "", ""},
		{"5", hello + "\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50", "10.0.0.1:80", five("\x00")},
		{"5, a name", hello + "\x05\x01\x00\x03\x05board\x1f\x90", "board:8080", five("\x00")},
		{"5, IPv6", hello + "\x05\x01\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x1f\x90", "[::1]:8080", five("\x00")},
		{"5, no name", hello + "\x05\x01\x00\x03\x00\x1f\x90", "", five("\x01")},
		{"5, another kind of address", hello + "\x05\x01\x00\x02\x00\x00", "", five("\x08")},
		{"5, to listen", hello + "\x05\x02\x00\x01\x0a\x00\x00\x01\x00\x50", "", five("\x07")},
		{"5, with a login", "\x05\x01\x02", "", "\x05\xff"},
		{"5, without any", "\x05\x00", "", "\x05\xff"},
		{"5, then 4", hello + "\x04\x01\x00\x01\x0a\x00\x00\x01\x00\x50", "", "\x05\x00"},
		{"5, that ends", hello + "\x05\x01\x00\x03\x05boar", "", "\x05\x00"},
		{"HTTP", "GET / HTTP/1.0\r\n\r\n", "", ""},
		{"nothing", "", "", ""},
	} {
		client := &conversation{Reader: strings.NewReader(c.says + "and more")}
		if strings.HasSuffix(c.name, "ends") || c.says == "" {
			client.Reader = strings.NewReader(c.says)
		}
		to, answer, err := asked(client)
		if err == nil {
			answer(true)
		}
		got := to.String()
		if err != nil {
			got = ""
		}
		if got != c.want || client.told.String() != c.told {
			t.Errorf("%s: %q, told %q, %v; want %q, %q", c.name, got, client.told.String(), err, c.want, c.told)
		}
		if rest, _ := io.ReadAll(client); err == nil && string(rest) != "and more" {
			t.Errorf("%s: %q is left", c.name, rest)
		}
	}
	for says, told := range map[string]string{"\x04\x01\x00\x50\x0a\x00\x00\x01me\x00": refused4, hello + "\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50": five("\x01")} {
		client := &conversation{Reader: strings.NewReader(says)}
		_, answer, err := asked(client)
		if err != nil {
			t.Fatal(err)
		}
		if answer(false); client.told.String() != told {
			t.Errorf("%q is told %q, want %q", says, client.told.String(), told)
		}
	}
}

// FuzzSOCKS: whoever is understood has asked for a host.
func FuzzSOCKS(f *testing.F) {
	for _, s := range []string{"\x04\x01\x00\x50\x0a\x00\x00\x01me\x00", "\x04\x01\x1f\x90\x00\x00\x00\x01\x00board\x00", hello + "\x05\x01\x00\x03\x05board\x1f\x90",
		hello + "\x05\x01\x00\x04" + strings.Repeat("\x00", 18), "\x05\x01\x02", "\x05\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, says []byte) {
		client := &conversation{Reader: bytes.NewReader(says)}
		to, _, err := asked(client)
		if err == nil && (to.Host == "" || to.Path != "" || to.Port > 1<<16-1) {
			t.Errorf("%q wants %+v", says, to)
		}
	})
}
