// Package dial makes an authenticated SSH connection of a host's name.
//
// The command cpu is its caller. What ssh_config(5) says of the host holds, as cpu/dial/sshconfig reads it, and host keys are always verified.
// Two things differ from ssh: the port is 17010 where neither the configuration nor the caller gives one, and a connection is shared unless
// the configuration says otherwise.
//
// The package reads no environment and never touches a terminal: both are functions of the Config.
package dial
