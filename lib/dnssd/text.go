package dnssd

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Text is what a TXT record says of an instance (section 6 of RFC 6763): values by their keys, which are in lower case here, for case
// makes no difference in them. A key that was given no value has "".
type Text map[string]string

// The keys that cpud announces. All others are the administrator's.
const (
	KeyArch     = "arch"      // Go's name for the processor
	KeyOS       = "os"        // Go's name for the system
	KeyCores    = "cores"     // processors, a number
	KeyMemTotal = "mem.total" // memory, in bytes
	KeyMemAvail = "mem.avail" // what of it a new program could have, in bytes
	KeyLoad     = "load"      // load average of the last minute
	KeyCPU      = "cpu.pcnt"  // percent of the processors' time in use
	KeyTenants  = "tenants"   // sessions now
	KeyVersion  = "version"   // cpud's
	KeyHostKey  = "hostkey"   // the host key's SHA256 fingerprint, as ssh-keygen -l has it
)

const (
	maxPair = 255  // bytes of key=value
	maxText = 1300 // bytes of all, so that they fit into a packet; section 6.2
)

// ParseText reads `key=value,...`, as a user gives it. A key alone is true. A value cannot have a comma in it.
func ParseText(s string) (Text, error) {
	t := Text{}
	for pair := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			value = "true"
		}
		key = strings.ToLower(key)
		if _, twice := t[key]; twice {
			return nil, fmt.Errorf("%q: the key is there twice", pair)
		}
		t[key] = value
		if err := checkPair(key, value); err != nil {
			return nil, fmt.Errorf("%q: %w", pair, err)
		}
	}
	return t, t.check()
}

// readText is the Text of a TXT record's strings. What is no pair is passed over, and of keys that are there twice the first counts, as
// section 6.4 has it.
func readText(all []string) Text {
	t := Text{}
	for _, s := range all {
		key, value, _ := strings.Cut(s, "=")
		key = strings.ToLower(key)
		if _, twice := t[key]; !twice && checkKey(key) == nil {
			t[key] = value
		}
	}
	return t
}

// lower is a Text of keys in whatever case.
func lower(pairs map[string]string) Text {
	t := Text{}
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		if k := strings.ToLower(key); checkKey(k) == nil {
			if _, twice := t[k]; !twice {
				t[k] = pairs[key]
			}
		}
	}
	return t
}

// strings are those of a TXT record, in order of key.
func (t Text) strings() []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(t)) {
		all = append(all, key+"="+t[key])
	}
	return all
}

// check says what is wrong with a text that is to be announced.
func (t Text) check() error {
	size := 0
	for key, value := range t {
		if err := checkPair(key, value); err != nil {
			return fmt.Errorf("%q: %w", key+"="+value, err)
		}
		size += len(key) + len(value) + 2
	}
	if size > maxText {
		return fmt.Errorf("the text is %d bytes long, and a packet has room for %d", size, maxText)
	}
	return nil
}

func checkPair(key, value string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(key)+1+len(value) > maxPair {
		return fmt.Errorf("longer than %d bytes", maxPair)
	}
	return nil
}

// checkKey holds a key to section 6.4: printable ASCII.
func checkKey(key string) error {
	if key == "" {
		return errors.New("no key")
	}
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' || key[i] == '=' {
			return errors.New("a key is of printable ASCII")
		}
	}
	return nil
}
