package dial

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cpu/cpu/dial/sshconfig"

	"golang.org/x/crypto/ssh"
)

// Those that are used where nothing is configured, best first. AES-GCM is by far the fastest where processors have AES.
var (
	ciphers       = []string{ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherChaCha20Poly1305, ssh.CipherAES128CTR, ssh.CipherAES192CTR, ssh.CipherAES256CTR}
	keyAlgorithms = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512,
		ssh.KeyAlgoRSASHA256}
	certAlgorithms = []string{ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01}
	caSignatures = slices.Concat(keyAlgorithms, []string{ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256})
	securityKeys = []string{ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256, ssh.CertAlgoSKED25519v01, ssh.CertAlgoSKECDSA256v01}
)

// algorithms sets what is said of algorithms: a list, or with + behind, ^ before or - out of the default. Those that are old are used if they
// are asked for; those that golang.org/x/crypto does not have are passed over.
func (h *Host) algorithms(c *Config, s sshconfig.Settings, e *expansion) {
	have, old := ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	hostKeys := slices.Concat(certAlgorithms, keyAlgorithms)
	for _, a := range []struct {
		keyword       string
		to            *[]string
		defaults, all []string
	}{
		{"ciphers", &h.Ciphers, ciphers, slices.Concat(ciphers, have.Ciphers, old.Ciphers)},
		{"kexalgorithms", &h.KeyExchanges, have.KeyExchanges, slices.Concat(have.KeyExchanges, old.KeyExchanges)},
		{"macs", &h.MACs, have.MACs, slices.Concat(have.MACs, old.MACs)},
		{"hostkeyalgorithms", &h.HostKeyAlgorithms, hostKeys, slices.Concat(hostKeys, have.HostKeys, old.HostKeys)},
		{"casignaturealgorithms", &h.CASignatures, caSignatures, slices.Concat(caSignatures, have.HostKeys, old.HostKeys)},
		{"pubkeyacceptedalgorithms", &h.PubkeyAlgorithms, slices.Concat(hostKeys, securityKeys),
			slices.Concat(hostKeys, securityKeys, have.PublicKeyAuths, old.PublicKeyAuths)},
	} {
		spec := s.First(a.keyword)
		if spec == "" {
			continue
		}
		var unknown []string
		*a.to, unknown = assemble(spec, a.defaults, a.all)
		if len(unknown) > 0 {
			c.log().Info("ssh_config: algorithms passed over", "keyword", a.keyword, "names", strings.Join(unknown, ","))
		}
		if len(*a.to) == 0 {
			e.fail(fmt.Errorf("%s=%s: %w", a.keyword, spec, errNoAlgorithm))
		}
	}
}

var errNoAlgorithm = errors.New("none of them is known here")

// assemble makes a list of names of a specification, whose names may be patterns, and says which of them mean nothing that there is.
func assemble(spec string, defaults, all []string) (list, unknown []string) {
	how := byte(0)
	if spec != "" && strings.IndexByte("+-^", spec[0]) >= 0 {
		how, spec = spec[0], spec[1:]
	}
	if how == '-' {
		for _, d := range defaults {
			if !sshconfig.MatchesList(spec, d) {
				list = append(list, d)
			}
		}
		return list, nil
	}
	var named []string
	for p := range strings.SplitSeq(spec, ",") {
		found := false
		for _, a := range all {
			if sshconfig.Matches(p, a) {
				named, found = append(named, a), true
			}
		}
		if !found {
			unknown = append(unknown, p)
		}
	}
	switch how {
	case '+':
		named = slices.Concat(defaults, named)
	case '^':
		named = slices.Concat(named, defaults)
	}
	for _, n := range named {
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list, unknown
}
