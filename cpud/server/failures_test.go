//go:build linux

package server

import (
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// TestFailures: the log tells of a hundred clients without a login, of one each second after that, and of how many were left out.
func TestFailures(t *testing.T) {
	var f failures
	now := time.Now()
	said, firsts := 0, 0
	for range 1000 {
		s, first := f.room(now)
		if s {
			said++
		}
		if first {
			firsts++
		}
	}
	if left := f.told(); said != 100 || firsts != 1 || left != 900 {
		t.Errorf("%d said, %d left out, %d times the first; want 100, 900, 1", said, left, firsts)
	}
	for i := range 10 {
		now = now.Add(time.Second)
		if said, _ := f.room(now); !said {
			t.Errorf("%d s later there is no room", i+1)
		}
		if said, first := f.room(now); said || first != (i == 0) {
			t.Errorf("%d s later there is room for two, or none is the first left out", i+1)
		}
	}
	now = now.Add(time.Hour)
	for range 100 {
		if said, _ := f.room(now); !said {
			t.Fatal("an hour later there is no room for a hundred")
		}
	}
}

// TestFailuresLogged: of clients that say nonsense each has its line, or is counted by the last, which is there when the server ends.
func TestFailuresLogged(t *testing.T) {
	const clients = 3 * failuresAtOnce
	var r *rig
	t.Run("clients", func(t *testing.T) {
		r = newRig(t, "")
		for range clients {
			c, err := net.Dial("tcp", "127.0.0.1:"+r.port)
			must(t, err)
			_, err = c.Write([]byte("nonsense\r\n" + strings.Repeat("x", 1000)))
			must(t, err)
			io.Copy(io.Discard, c) // until the server has had enough
			c.Close()
		}
	})
	listed := strings.Count(r.log.String(), "no login")
	counted := 0
	for _, m := range regexp.MustCompile(`msg="more without a login, which are not listed" count=(\d+)`).FindAllStringSubmatch(r.log.String(), -1) {
		n, err := strconv.Atoi(m[1])
		must(t, err)
		counted += n
	}
	if listed < failuresAtOnce || counted == 0 || listed+counted != clients {
		t.Errorf("%d are listed and %d counted, of %d", listed, counted, clients)
	}
}

// TestFailureLength: a client does not make lines longer than they need be.
func TestFailureLength(t *testing.T) {
	r := newRig(t, "")
	long := strings.Repeat("ann", 5000)
	conn, err := net.Dial("tcp", "127.0.0.1:"+r.port)
	must(t, err)
	defer conn.Close()
	config := &ssh.ClientConfig{User: long, Auth: []ssh.AuthMethod{ssh.PublicKeys(r.signer(t))}, HostKeyCallback: ssh.InsecureIgnoreHostKey()}
	if _, _, _, err := ssh.NewClientConn(conn, "", config); err == nil {
		t.Error("somebody has come in")
	}
	if line := r.logged(t, 0); !strings.Contains(line, "user="+long[:failureLength]+"... ") {
		t.Errorf("the log has %q", line)
	}
}
