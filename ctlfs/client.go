package ctlfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// A Client uses a control tree from the other side. It may be used by any number of goroutines at once.
type Client struct{ root p9.File }

// NewClient makes a client of the tree at root, which stays the caller's to close once all sessions of the client are closed.
func NewClient(root p9.File) *Client { return &Client{root} }

// New makes a session by opening clone. The session ends when the Remote is closed, unless it is kept.
func (c *Client) New(ctx context.Context) (*Remote, error) {
	ctl, err := open(ctx, c.root, p9.ReadWrite, "clone")
	if err != nil {
		return nil, err
	}
	p := make([]byte, 32)
	n, err := view(ctx, ctl).ReadAt(p, 0)
	number := 0
	if err == nil || errors.Is(err, io.EOF) {
		number, err = strconv.Atoi(strings.TrimSpace(string(p[:n])))
	}
	if err == nil {
		var r *Remote
		if r, err = c.remote(ctx, number, ctl); err == nil {
			return r, nil
		}
	}
	ctl.Close()
	return nil, fmt.Errorf("clone: %w", err)
}

// Session takes up the session of that number by opening its ctl.
func (c *Client) Session(ctx context.Context, number int) (*Remote, error) {
	ctl, err := open(ctx, c.root, p9.ReadWrite, strconv.Itoa(number), "ctl")
	if err != nil {
		return nil, err
	}
	r, err := c.remote(ctx, number, ctl)
	if err != nil {
		ctl.Close()
		return nil, err
	}
	return r, nil
}

func (c *Client) remote(ctx context.Context, number int, ctl p9.File) (*Remote, error) {
	_, dir, err := view(ctx, c.root).Walk([]string{strconv.Itoa(number)})
	if err != nil {
		return nil, fmt.Errorf("%d: %w", number, err)
	}
	return &Remote{number: number, ctl: ctl, dir: dir}, nil
}

// view is f with its operations bound to ctx, where it can be.
func view(ctx context.Context, f p9.File) p9.File {
	if c, ok := f.(ninep.ContextFile); ok {
		return c.WithContext(ctx)
	}
	return f
}

// open walks from dir and opens. The caller closes the file.
func open(ctx context.Context, dir p9.File, mode p9.OpenFlags, names ...string) (p9.File, error) {
	fail := func(err error) (p9.File, error) { return nil, fmt.Errorf("%s: %w", strings.Join(names, "/"), err) }
	_, f, err := view(ctx, dir).Walk(names)
	if err != nil {
		return fail(err)
	}
	if _, _, err := view(ctx, f).Open(mode); err != nil {
		f.Close()
		return fail(err)
	}
	return f, nil
}

// readAll reads a file of the tree from its beginning to its end.
func readAll(ctx context.Context, f p9.File) (string, error) {
	var b strings.Builder
	p := make([]byte, 32<<10)
	for {
		n, err := view(ctx, f).ReadAt(p, int64(b.Len()))
		b.Write(p[:n])
		switch {
		case errors.Is(err, io.EOF), err == nil && n == 0:
			return b.String(), nil
		case err != nil:
			return "", err
		case b.Len() > maxText:
			return "", linux.EFBIG
		}
	}
}
