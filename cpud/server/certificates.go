//go:build linux

package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// The critical options of a user's certificate that are known: PROTOCOL.certkeys in OpenSSH's source. A certificate with another one lets
// nobody in.
const (
	forceCommand  = "force-command"
	sourceAddress = "source-address"
)

// noTouchRequired is an option of a line, and an extension of a certificate: a security key may sign without being touched.
const noTouchRequired = "no-touch-required"

// certified is what a certificate allows that was signed by the key of a line with the option cert-authority: no more than that line, and
// no more than the certificate itself says. The error is why it lets nobody in as user.
func (r keyRights) certified(cert *ssh.Certificate, user string, now time.Time) (keyRights, error) {
	if cert.CertType != ssh.UserCert {
		return r, errors.New("not a user's certificate")
	}
	if !slices.Contains(userSignatures, cert.Signature.Format) {
		return r, fmt.Errorf("the certificate is signed with %s", cert.Signature.Format)
	}
	if err := errors.Join(modernKey(cert.Key), modernKey(cert.SignatureKey)); err != nil {
		return r, err
	}
	principal, err := r.principal(cert, user)
	if err != nil {
		return r, err
	}
	checker := ssh.CertChecker{SupportedCriticalOptions: []string{forceCommand, sourceAddress}, Clock: func() time.Time { return now }}
	if err := checker.CheckCert(principal, cert); err != nil {
		return r, err
	}
	if command, ok := cert.CriticalOptions[forceCommand]; ok {
		if command == "" || r.command != "" && r.command != command {
			return r, errors.New("the certificate forces another command than the list")
		}
		r.command = command
	}
	if from, ok := cert.CriticalOptions[sourceAddress]; ok {
		r.source = &from
	}
	allows := func(extension string) bool { _, ok := cert.Extensions[extension]; return ok }
	r.noTTY = r.noTTY || !allows("permit-pty")
	r.noForwarding = r.noForwarding || !allows("permit-port-forwarding")
	r.noAgent = r.noAgent || !allows("permit-agent-forwarding")
	// Package ssh does without a touch where either the list or the certificate says so, and both have to.
	if allows(noTouchRequired) && !r.noTouch && strings.HasPrefix(cert.Key.Type(), "sk-") {
		return r, errors.New("the certificate does without a touch, which the list does not")
	}
	r.noTouch = r.noTouch && allows(noTouchRequired)
	return r, nil
}

// principal is the name in the certificate that lets it in as user: his own, or one of those that the line lists. A certificate without
// names would be everybody's, and is nobody's.
func (r *keyRights) principal(cert *ssh.Certificate, user string) (string, error) {
	wanted := []string{user}
	if r.principals != nil {
		wanted = r.principals
	}
	for _, p := range cert.ValidPrincipals {
		if slices.Contains(wanted, p) {
			return p, nil
		}
	}
	return "", fmt.Errorf("the certificate is for %q, not for %s", cert.ValidPrincipals, strings.Join(wanted, " or "))
}

// describe is what the log says of a key: its fingerprint, and of a certificate what it is and who signed it.
func describe(key ssh.PublicKey) (fingerprint, certificate string) {
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return ssh.FingerprintSHA256(key), ""
	}
	return ssh.FingerprintSHA256(cert.Key), fmt.Sprintf("%q serial %d by %s", cert.KeyId, cert.Serial, ssh.FingerprintSHA256(cert.SignatureKey))
}
