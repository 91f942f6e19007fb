// Package forward forwards ports, Unix sockets and the user's agent over an SSH connection, as ssh's -L, -R, -D and -A do.
//
// The command cpu calls it, with what its flags say. It neither makes the connection nor decides what is forwarded: a channel that the server
// opens leads nowhere but to what has been asked for. It reads no environment.
package forward
