//go:build !unix

package main

import "os"

// notes are the signals that become notes, by the names of ctlfs(4).
var notes = map[os.Signal]string{os.Interrupt: "interrupt"}

// outlivePipes: no signal comes of pipes here.
func outlivePipes() (stop func()) { return func() {} }

func readerGone(error) bool { return false }

// Here no process can be stopped.
const canStop = false

func stopJob() {}

// sizeChanges: no signal tells of them here.
func sizeChanges() (changes <-chan os.Signal, stop func()) { return nil, func() {} }
