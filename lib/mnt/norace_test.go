//go:build linux && !race

package mnt_test

const raced = false
