package dial

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// tokens replaces those of TOKENS in ssh_config(5) that are about a connection.
func (c *Config) tokens(h *Host) *strings.Replacer {
	local, _ := os.Hostname() // without one it is ""
	short, _, _ := strings.Cut(local, ".")
	jump := strings.Join(h.ProxyJump, ",")
	hash := sha1.Sum([]byte(local + h.HostName + h.Port + h.User + jump))
	return strings.NewReplacer("%%", "%", "%h", h.HostName, "%p", h.Port, "%r", h.User, "%n", h.Name, "%u", c.LocalUser, "%d", c.Home,
		"%i", strconv.Itoa(os.Getuid()), "%l", local, "%L", short, "%k", cmp.Or(h.Alias, h.Name), "%j", jump, "%C", hex.EncodeToString(hash[:]))
}

// path is the name of a file as ssh_config gives it, with ~, tokens and ${NAME} replaced.
func (c *Config) path(tokens *strings.Replacer, name string) string {
	name = tokens.Replace(name)
	for from := 0; ; {
		start := strings.Index(name[from:], "${")
		if start < 0 {
			break
		}
		start += from
		length := strings.IndexByte(name[start:], '}')
		if length < 0 {
			break
		}
		value := c.getenv(name[start+2 : start+length])
		name = name[:start] + value + name[start+length+1:]
		from = start + len(value)
	}
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		name = filepath.Join(c.Home, rest)
	}
	return name
}
