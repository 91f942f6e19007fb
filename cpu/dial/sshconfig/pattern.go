package sshconfig

import "strings"

// Matches matches a string with a pattern of ssh_config(5): * is any string, ? any byte. It takes time that grows with the product of the
// lengths alone.
func Matches(pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0 // the last * and how much of s it may have swallowed
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// MatchesList matches a string with patterns that commas separate. One with ! before it says what is not meant, wherever it stands.
func MatchesList(patterns, s string) bool {
	matched := false
	for p := range strings.SplitSeq(patterns, ",") {
		p, not := strings.CutPrefix(p, "!")
		if Matches(p, s) {
			if not {
				return false
			}
			matched = true
		}
	}
	return matched && patterns != ""
}
