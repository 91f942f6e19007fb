//go:build !unix

package main

import (
	"context"
	"errors"
)

// Here nothing goes on in the background: the first cpu shares its connection while it runs itself.
const canPost = false

func startPoster(context.Context) error { return errors.ErrUnsupported }

func posterMain() {}
