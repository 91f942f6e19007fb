// Package sshconfig says what ssh_config(5) comes to for one host, as OpenSSH's own `ssh -G` would.
//
// Cpu/dial calls it. It reads the files itself rather than ask ssh, so that it is the same on machines that have no ssh, for users that
// passwd(5) does not know, and without the time that a program takes to start. It follows OpenSSH 10; the tests of cpu/dial compare it with
// the ssh that is installed. It knows every keyword that OpenSSH has: the values of those that cpu honours are checked, wherever they stand,
// and the rest are passed over and told to the log. A keyword that OpenSSH does not have either is passed over too, for vendors have added
// some; as an option it is an error.
//
// The package dials nothing but the resolver for CanonicalizeHostname, runs nothing but what Match exec names, and reads no environment but
// by the function it is given. Values come as they are written, for what tokens stand for is known only when all is read: see Tokens.
package sshconfig
