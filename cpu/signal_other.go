//go:build !unix

package main

import "os"

// notes are the signals that become notes, by the names of ctlfs(4).
var notes = map[os.Signal]string{os.Interrupt: "interrupt"}

// sizeChanges: no signal tells of them here.
func sizeChanges() (changes <-chan os.Signal, stop func()) { return nil, func() {} }
