package dnssd

import (
	"strconv"
	"strings"
)

// units are powers of 1024, as memory is counted.
var units = map[byte]float64{'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30, 't': 1 << 40, 'p': 1 << 50}

// number reads a decimal number, with a unit or without: 4G, 1.5, 200k.
func number(s string) (float64, bool) {
	if s == "" {
		return 0, false
	}
	unit, ok := units[s[len(s)-1]|0x20]
	if ok {
		s = s[:len(s)-1]
	} else {
		unit = 1
	}
	// ParseFloat reads more than anybody announces: hexadecimal, infinities, underscores.
	if strings.Trim(s, "0123456789.+-eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n * unit, err == nil
}
