// Package dnssd announces cpu servers by DNS-SD (RFC 6763) and finds them, by multicast DNS (RFC 6762) on the links of this machine or at a
// name server.
//
// Cpud announces: Announce says where it listens, and with a Text what kind of machine it is and how busy. Cpu finds: ParseQuery reads a
// dnssd: URI, which says what kind is wanted and which is best, and a Finder finds the hosts that are so. A Relay, in cpud, answers at a
// name server's port for those who cannot hear the link.
//
// What is announced is a claim, for anybody on the link can announce anything: the package never says that a host is who it says. The
// caller verifies it as it does any other.
//
// Multicast DNS is github.com/brutella/dnssd's, v1.2.14. What it does not do is done here, around it: a lookup asks once, so Find asks again;
// it reports a host once for each interface, so those are put together; it does not report a text that has changed, so Watch looks up anew;
// its readers spin when a context's deadline passes, so here contexts are only ever cancelled; it hears no questions on an interface that
// comes later, and tells nobody of an address that does, so on Linux links does. What cannot be mended from outside: a goroutine of a lookup
// that has ended may wait for ever to hand over its last packet; instance names that are not ASCII are found without their texts; a text takes
// the place of another while an answer may be made of it; a domain on the link is one word; the time that records live is one for the whole
// process; and on a link that comes later the instance's name is not probed for, so that of two with the same name, the library notices only
// by their addresses.
package dnssd
