// Package dial makes an authenticated SSH connection of a host's name.
//
// The command cpu is its caller. What ssh_config(5) says of the host holds, and host keys are always verified. Where there is an ssh
// program, it is asked what the configuration comes to (`ssh -G`), for it alone is right about patterns, Match, Include and defaults; it
// costs about 10 ms. On a machine without one the library github.com/kevinburke/ssh_config reads the files, which knows Host and plain
// patterns, and fails on what it does not know. One thing differs from ssh: the port is 17010 where neither the configuration nor the
// caller gives one.
//
// The package reads no environment and never touches a terminal: both are functions of the Config.
package dial
