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
	from, to := "/dev/tty", "/dev/tty"
	switch runtime.GOOS {
	case "plan9":
		from, to = "/dev/cons", "/dev/cons"
	case "windows":
		from, to = "CONIN$", "CONOUT$"
	}
	in, err := os.OpenFile(from, os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	out, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		in.Close()
		return nil
	}
	return func(ctx context.Context, question string, secret bool) (string, error) {
		return ask(ctx, in, out, question, secret)
	}
}

// ask asks one question. When ctx is done the answer is not waited for: the read goes on until a line comes, or the process ends.
func ask(ctx context.Context, in, out *os.File, question string, secret bool) (string, error) {
	fd := int(in.Fd())
	quiet := false // nothing is left to be changed about the terminal, by a goroutine that may be late
	if state, err := term.GetState(fd); err == nil && secret {
		defer term.Restore(fd, state)
		quiet = hush(fd)
	}
	fmt.Fprint(out, question)
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		if secret && !quiet {
			text, err := term.ReadPassword(fd)
			answers <- answer{string(text), err}
			return
		}
		text, err := bufio.NewReader(in).ReadString('\n')
		answers <- answer{strings.TrimRight(text, "\r\n"), err}
	}()
	select {
	case a := <-answers:
		if secret {
			fmt.Fprintln(out)
		}
		return a.text, a.err
	case <-ctx.Done():
		fmt.Fprintln(out)
		return "", context.Cause(ctx)
	}
}
