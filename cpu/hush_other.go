//go:build !(linux || darwin || dragonfly || freebsd || netbsd || openbsd)

package main

func hush(int) bool { return false }
