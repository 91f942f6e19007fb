// Package client runs commands on a cpu server, in the manner of os/exec: a Conn is a connection to the server, and a Cmd a session on it.
//
// The command cpu is its caller, and so may be any other program that wants to run something elsewhere on its own files. All that it
// does it does through the server's control tree, ctlfs(4), and by posting services to the session. It reads no environment and no
// configuration, knows no terminal modes, and does not dial: the connection is handed to it, see package dial.
package client
