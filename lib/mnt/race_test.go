//go:build linux && race

package mnt_test

func init() { raced = true }
