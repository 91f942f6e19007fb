package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"
)

// prompter asks the user at his terminal, whatever standard input is; nil where there is no terminal to ask at.
func prompter() func(ctx context.Context, question string, secret bool) (string, error) {
	name := "/dev/tty"
	if runtime.GOOS == "plan9" {
		name = "/dev/cons"
	}
	t, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	return func(ctx context.Context, question string, secret bool) (string, error) {
		fmt.Fprint(t, question)
		if secret {
			answer, err := term.ReadPassword(int(t.Fd()))
			fmt.Fprintln(t)
			return string(answer), err
		}
		answer, err := bufio.NewReader(t).ReadString('\n')
		return strings.TrimRight(answer, "\r\n"), err
	}
}
