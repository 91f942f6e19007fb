//go:build !linux

package main

import (
	"context"
	"errors"
	"log/slog"
	"runtime"

	"cpu/cpu/client"
)

func selfMain() {}

func openSelf(context.Context, string, *slog.Logger) (client.Opener, error) {
	return nil, errors.New("-self: there is no cpu server for " + runtime.GOOS)
}
