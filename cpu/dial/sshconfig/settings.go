package sshconfig

// Settings are what a configuration says of a host: the values of each keyword, which is in lower case. Most have one; where a keyword takes
// a list, or adds to what other lines say, each member is a value of its own. Those that are yes or no are just that, times are seconds in
// decimal. What nobody has set is not there, but for hostname, which always is.
type Settings map[string][]string

// First is the value of a keyword that has one, "" where nobody has set it.
func (s Settings) First(keyword string) string {
	if v := s[keyword]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Word is First, but "" for `none` as well.
func (s Settings) Word(keyword string) string {
	if v := s.First(keyword); !none(v) {
		return v
	}
	return ""
}

// Yes says whether a keyword is set to yes.
func (s Settings) Yes(keyword string) bool { return s.First(keyword) == "yes" }
