//go:build linux

package server

import (
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// TestEnvLimits: what a client may set on a channel is bounded in number and in size.
func TestEnvLimits(t *testing.T) {
	for name, value := range map[string]string{"number": "", "size": strings.Repeat("x", 1<<10)} {
		c := &channel{link: &link{}}
		refused := false
		for range 2 * maxEnv {
			if _, ok := c.setEnv(ssh.Marshal(struct{ Name, Value string }{"LC_X", value})); !ok {
				refused = true
			}
		}
		if !refused || len(c.env) == 0 || len(c.env) > maxEnv || len(strings.Join(c.env, "")) > maxEnvSize+len(c.env) {
			t.Errorf("%s: %d variables were taken", name, len(c.env))
		}
	}
}
