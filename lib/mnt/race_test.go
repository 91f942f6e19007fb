//go:build linux && race

package mnt_test

// raced is whether this program has the race detector in it, which does not work in a guest.
const raced = true
