// Package dial makes an authenticated SSH connection of a host's name.
//
// The command cpu is its caller. What ssh_config(5) says of the host holds, and host keys are always verified. Where there is a
// configuration to read, ssh itself is asked what it says (`ssh -G`), for that alone is right about patterns, Match, Include and tokens;
// on a machine without ssh the library github.com/kevinburke/ssh_config answers, which knows less. One thing differs from ssh: the port is
// 17010 where neither the configuration nor the caller gives one.
//
// The package reads no environment and never touches a terminal: who asks the user is a function of the Config.
package dial
