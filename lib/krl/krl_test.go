package krl

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// testKey makes the same key of the same number.
func testKey(n byte) ssh.Signer {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	s, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		panic(err)
	}
	return s
}

// certificate is one of testKey(9)'s.
func certificate(t *testing.T, authority ssh.Signer, serial uint64, id string) *ssh.Certificate {
	t.Helper()
	c := &ssh.Certificate{Key: testKey(9).PublicKey(), CertType: ssh.HostCert, Serial: serial, KeyId: id, ValidPrincipals: []string{"board"},
		ValidBefore: ssh.CertTimeInfinity}
	if err := c.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	return c
}

func text(k ssh.PublicKey) string { return string(ssh.MarshalAuthorizedKey(k)) }

// TestPeer: of lists that ssh-keygen makes the same is said of keys and certificates as it says itself.
func TestPeer(t *testing.T) {
	if _, err := exec.LookPath("ssh-keygen"); err != nil {
		t.Skip("ssh-keygen is not installed: apt install openssh-client")
	}
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dir + "/" + name
	}
	one, two := testKey(1), testKey(2)
	authority := write("authority.pub", text(one.PublicKey()))
	// What is asked about.
	keys := []ssh.PublicKey{one.PublicKey(), two.PublicKey(), testKey(3).PublicKey(), testKey(9).PublicKey()}
	for _, a := range []ssh.Signer{one, two} {
		for _, serial := range []uint64{0, 1, 2, 7, 8, 9, 63, 64, 65, 1000, 1 << 40, 1<<64 - 1} {
			keys = append(keys, certificate(t, a, serial, fmt.Sprint("id ", serial)))
		}
	}
	var files []string
	for i, k := range keys {
		files = append(files, write(fmt.Sprintf("key%d.pub", i), text(k)))
	}
	revoked, asked := 0, 0
	for name, c := range map[string]struct {
		spec string
		of   string // the authority
	}{
		"nothing":                {"", authority},
		"a key":                  {"key: " + text(testKey(3).PublicKey()), authority},
		"the certificates' key":  {"key: " + text(testKey(9).PublicKey()), authority},
		"an authority":           {"key: " + text(two.PublicKey()), authority},
		"a certificate as a key": {"key: " + text(keys[5]), authority},
		"SHA-1":                  {"sha1: " + text(one.PublicKey()), authority},
		"SHA-256":                {"sha256: " + text(testKey(3).PublicKey()) + "sha256: " + text(two.PublicKey()), authority},
		"a fingerprint":          {"hash: " + ssh.FingerprintSHA256(testKey(9).PublicKey()), authority},
		"a serial number":        {"serial: 7\n", authority},
		"scattered ones":         {"serial: 2\nserial: 1000\nserial: 0x10000000000\n", authority},
		"the last":               {"serial: 18446744073709551615\n", authority},
		"a range":                {"serial: 8-64\n", authority},
		"all of them":            {"serial: 1-18446744073709551615\n", authority},
		"a bitmap":               {bits(1, 200, 3), authority},
		"another bitmap":         {bits(8, 70, 2) + "serial: 1000\nid: id 7\n", authority},
		"key identities":         {"id: id 0\nid: id 64\nid: id\n", authority},
		"any authority":          {"serial: 8-64\nid: id 1\n", "none"},
		"all at once":            {"serial: 7\nserial: 60-70\n" + bits(500, 2000, 4) + "id: id 2\nkey: " + text(testKey(3).PublicKey()), authority},
	} {
		list := dir + "/list"
		out, err := exec.Command("ssh-keygen", "-k", "-f", list, "-s", c.of, write("spec", c.spec)).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: ssh-keygen: %v\n%s", name, err, out)
		}
		binary, err := os.ReadFile(list)
		if err != nil {
			t.Fatal(err)
		}
		l, err := Parse(binary)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var exit *exec.ExitError
		out, err = exec.Command("ssh-keygen", append([]string{"-Q", "-f", list}, files...)...).CombinedOutput()
		answers := strings.Split(strings.TrimSpace(string(out)), "\n")
		if err != nil && !errors.As(err, &exit) || len(answers) != len(keys) {
			t.Fatalf("%s: ssh-keygen -Q: %v\n%s", name, err, out)
		}
		for i, k := range keys {
			want := strings.HasSuffix(answers[i], ": REVOKED")
			if !want && !strings.HasSuffix(answers[i], ": ok") {
				t.Fatalf("%s: ssh-keygen -Q: %s", name, answers[i])
			}
			asked++
			if want {
				revoked++
			}
			if got := l.Revokes(k); got != want {
				t.Errorf("%s: %v, but ssh-keygen has %s", name, got, answers[i])
			}
		}
	}
	if revoked == 0 || revoked == asked {
		t.Errorf("%d of %d are revoked", revoked, asked)
	}
}

// bits are lines for every nth serial number, of which ssh-keygen makes a bitmap.
func bits(from, to, n int) string {
	var b strings.Builder
	for i := from; i <= to; i += n {
		fmt.Fprintf(&b, "serial: %d\n", i)
	}
	return b.String()
}

// TestText: a list of public keys; what is no key is an error, with its line.
func TestText(t *testing.T) {
	l, err := Parse([]byte("# old\n\n \t" + text(testKey(1).PublicKey()) + text(certificate(t, testKey(2), 1, ""))))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		key  ssh.PublicKey
		want bool
	}{
		{"listed", testKey(1).PublicKey(), true},
		{"a certificate's", testKey(9).PublicKey(), true},
		{"its authority", testKey(2).PublicKey(), false},
		{"another certificate of it", certificate(t, testKey(3), 7, ""), true},
		{"other", testKey(3).PublicKey(), false},
	} {
		if got := l.Revokes(c.key); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	key := text(testKey(1).PublicKey())
	for _, bad := range []string{"nonsense", "no-pty " + key, strings.ReplaceAll(key, "AAAA", "AAAB"), "SSHKRL\n"} {
		if _, err := Parse([]byte("#\n" + bad)); err == nil || err.Error() != "2: not a public key" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// pack is a list of pieces: numbers of their size, and strings with their length before them.
func pack(pieces ...any) string {
	var p []byte
	for _, x := range pieces {
		switch x := x.(type) {
		case byte:
			p = append(p, x)
		case uint32:
			p = binary.BigEndian.AppendUint32(p, x)
		case uint64:
			p = binary.BigEndian.AppendUint64(p, x)
		case string:
			p = append(binary.BigEndian.AppendUint32(p, uint32(len(x))), x...)
		}
	}
	return string(p)
}

// header begins a list.
var header = magic + pack(uint32(format), uint64(1), uint64(2), uint64(0), "", "a comment")

// binaries are lists that ssh-keygen does not make; ok of them can be read.
func binaries() (ok, bad map[string]string) {
	certificates := func(pieces ...any) string {
		return header + pack(byte(sectionCertificates), pack("", "")+pack(pieces...))
	}
	ok = map[string]string{
		"an extension":                    header + pack(byte(sectionExtension), pack("new", byte(0), "x")),
		"an extension about certificates": certificates(byte(certificateExtension), pack("new", byte(0), "x")),
		"an empty bitmap":                 certificates(byte(certificateBitmap), pack(uint64(1), "")),
		"a bitmap beyond all numbers":     certificates(byte(certificateBitmap), pack(^uint64(0), "\x01\xff")),
	}
	bad = map[string]string{
		"a header that ends":                       header[:len(header)-1],
		"another format":                           magic + pack(uint32(2)) + header[len(magic)+4:],
		"a kind alone":                             header + pack(byte(sectionKeys)),
		"a section that ends":                      header + pack(byte(sectionKeys), uint32(9)) + "x",
		"a key that ends":                          header + pack(byte(sectionKeys), pack(uint32(1<<31))),
		"a fingerprint that is too short":          header + pack(byte(sectionSHA256), pack("x")),
		"another section":                          header + pack(byte(9), ""),
		"a critical extension":                     header + pack(byte(sectionExtension), pack("new", byte(1), "x")),
		"more in an extension":                     header + pack(byte(sectionExtension), pack("new", byte(0), "x", "y")),
		"a critical extension about certificates":  certificates(byte(certificateExtension), pack("new", byte(1), "x")),
		"another section about certificates":       certificates(byte(0x24), ""),
		"half a serial number":                     certificates(byte(certificateSerials), pack(uint64(1), uint32(2))),
		"a range backwards":                        certificates(byte(certificateRange), pack(uint64(2), uint64(1))),
		"more after a range":                       certificates(byte(certificateRange), pack(uint64(1), uint64(2), uint64(3))),
		"a bitmap that ends":                       certificates(byte(certificateBitmap), pack(uint64(1), uint32(2), byte(3))),
		"an authority that ends":                   header + pack(byte(sectionCertificates), "\x00\x00\x00\x05x"),
		"a section about certificates that breaks": certificates(byte(certificateSerials)),
	}
	return ok, bad
}

// TestBinary: what may stand in a list though ssh-keygen does not write it, and what not.
func TestBinary(t *testing.T) {
	ok, bad := binaries()
	for name, list := range ok {
		l, err := Parse([]byte(list))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, want := l.Revokes(certificate(t, testKey(1), 1<<64-1, "")), name == "a bitmap beyond all numbers"; got != want {
			t.Errorf("%s: the last certificate is revoked: %v", name, got)
		}
		if l.Revokes(certificate(t, testKey(1), 1, "")) {
			t.Errorf("%s: the first certificate is revoked", name)
		}
	}
	for name, list := range bad {
		if _, err := Parse([]byte(list)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// FuzzParse: no list panics, nor does what is asked of it; and what revokes a certificate's key or its authority revokes the certificate.
func FuzzParse(f *testing.F) {
	ok, bad := binaries()
	for _, lists := range []map[string]string{ok, bad} {
		for _, l := range lists {
			f.Add([]byte(l))
		}
	}
	key, authority := testKey(9).PublicKey(), testKey(1)
	cert := &ssh.Certificate{Key: key, CertType: ssh.UserCert, Serial: 7, KeyId: "id", SignatureKey: authority.PublicKey()}
	f.Add([]byte(text(key)))
	f.Fuzz(func(t *testing.T, list []byte) {
		l, err := Parse(list)
		if err != nil {
			return
		}
		if (l.Revokes(key) || l.Revokes(authority.PublicKey())) && !l.Revokes(cert) {
			t.Errorf("%q: the certificate is not revoked", list)
		}
	})
}
