package ctlfs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"cpu/ctlfs"
	"cpu/ctlfs/ctlfstest"
	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/linux"
	"github.com/hugelgupf/p9/p9"
)

// start makes a session of dir's tree and starts a command in it.
func start(t *testing.T, dir p9.File, args ...string) *ctlfs.Remote {
	t.Helper()
	s, err := ctlfs.NewClient(dir).New(soon(t))
	must(t, err)
	t.Cleanup(func() { s.Close(context.Background()) })
	must(t, s.SetArgs(soon(t), args))
	must(t, s.Start(soon(t)))
	return s
}

// TestCopy: many bytes in and out, in order, with many transfers under way; and in small pieces.
func TestCopy(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		dir, stats := attach(t, newHost(t), glenda, version)
		s := start(t, dir, "cat")
		in, err := s.Stdin(soon(t))
		must(t, err)
		out, err := s.Stdout(soon(t))
		must(t, err)
		data := make([]byte, 10<<20)
		src := rand.NewChaCha8([32]byte{})
		src.Read(data)

		sent := make(chan error)
		go func() {
			// Pieces of all sizes.
			n, err := in.ReadFrom(&pieces{data: data})
			if err == nil && n != int64(len(data)) {
				err = io.ErrShortWrite
			}
			sent <- errors.Join(err, in.Close())
		}()
		var got bytes.Buffer
		n, err := out.WriteTo(&got)
		must(t, err)
		must(t, <-sent)
		if n != int64(len(data)) || !bytes.Equal(got.Bytes(), data) {
			t.Errorf("%d bytes come back as %d, or others", len(data), n)
		}
		out.Close()
		until(t, "no request is pending", func() bool { return stats.Pending.Load() == 0 })
	})
}

// pieces reads as data, in pieces of all sizes.
type pieces struct {
	data []byte
	k    int
}

func (r *pieces) Read(p []byte) (int, error) {
	if len(r.data) == 0 {
		return 0, io.EOF
	}
	r.k = (r.k*7 + 13) % 100003
	n := copy(p, r.data[:min(len(r.data), 1+r.k)])
	r.data = r.data[n:]
	return n, nil
}

// TestTurns: reads and writes that arrive out of order are served in order.
func TestTurns(t *testing.T) {
	const first = int64(1) << 62
	h := newHost(t)
	tree, err := ctlfs.New(h, glenda).Attach()
	must(t, err)
	s := start(t, tree, "cat")
	in := open(t, tree, "1/stdin", p9.WriteOnly)
	out := open(t, tree, "1/stdout", p9.ReadOnly)
	type result struct {
		text string
		err  error
	}
	var reads [4]chan result
	writes := make(chan error)
	for i := 3; i >= 0; i-- {
		reads[i] = make(chan result, 1)
		go func() {
			p := make([]byte, 1)
			n, err := out.ReadAt(p, first+int64(i))
			reads[i] <- result{string(p[:n]), err}
		}()
		go func() {
			_, err := in.WriteAt([]byte{byte('a' + i)}, first+int64(i))
			writes <- err
		}()
	}
	for i := range 4 {
		must(t, <-writes)
		if r := <-reads[i]; r.err != nil || r.text != string(rune('a'+i)) {
			t.Errorf("read %d gives %q, %v", i, r.text, r.err)
		}
	}
	_, err = in.WriteAt([]byte("x"), first+2)
	wantErrno(t, err, linux.EINVAL, "a turn that has been taken")
	_, err = in.WriteAt([]byte("x"), first+1<<40)
	wantErrno(t, err, linux.EINVAL, "a turn far ahead")

	// The one who gives up takes the later ones with it, for there is a gap.
	ctx, cancel := context.WithCancel(soon(t))
	later := make(chan error)
	go func() {
		_, err := out.ReadAt(make([]byte, 1), first+5)
		later <- err
	}()
	go cancel()
	_, err = out.(ninep.ContextFile).WithContext(ctx).ReadAt(make([]byte, 1), first+4)
	wantErrno(t, err, linux.EINTR, "a turn given up")
	wantErrno(t, <-later, linux.EINTR, "the next turn")

	// At other offsets all goes on as before.
	_, err = in.WriteAt([]byte("x"), 0)
	must(t, err)
	p := make([]byte, 1)
	if n, err := out.ReadAt(p, 12345); n != 1 || err != nil || p[0] != 'x' {
		t.Errorf("got %q, %v", p[:n], err)
	}
	must(t, s.Close(soon(t)))
}

// TestStdinEnd: the input ends as the last file open for it is closed, and not before.
func TestStdinEnd(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		dir, _ := attach(t, newHost(t), glenda, version)
		s := start(t, dir, "cat")
		held, err := s.Stdin(soon(t))
		must(t, err)
		must(t, writeMode(dir, "1/stdin", "a", p9.WriteOnly))
		must(t, writeMode(dir, "1/stdin", "b", p9.WriteOnly))
		_, err = held.Write([]byte("c"))
		must(t, err)
		must(t, held.Close())
		if got := read(t, dir, "1/stdout"); got != "abc" {
			t.Errorf("cat gives %q", got)
		}
		if got := read(t, dir, "1/stderr"); got != "" {
			t.Errorf("its standard error is %q", got)
		}
		_, err = s.Wait(soon(t))
		must(t, err)
		wantErrno(t, writeMode(dir, "1/stdin", "d", p9.WriteOnly), linux.EPIPE, "input for what has ended")
	})
}

// TestStreamContext: what blocks ends with its context, on both sides.
func TestStreamContext(t *testing.T) {
	dialects(t, func(t *testing.T, version string) {
		h := newHost(t)
		full := make(chan struct{})
		h.Programs["deaf"] = func(ctx context.Context, p *ctlfstest.Process) string {
			close(full)
			<-ctx.Done()
			return "signal 9"
		}
		dir, stats := attach(t, h, glenda, version)
		s := start(t, dir, "deaf")
		<-full
		ctx, cancel := context.WithCancel(soon(t))
		in, err := s.Stdin(ctx)
		must(t, err)
		out, err := s.Stdout(ctx)
		must(t, err)
		ended := make(chan error)
		go func() { _, err := in.ReadFrom(zeroes{}); ended <- err }()
		go func() { _, err := out.WriteTo(io.Discard); ended <- err }()
		go func() { _, err := out.Read(make([]byte, 1)); ended <- err }()
		until(t, "16 writes and 2 reads block", func() bool { return stats.Pending.Load() == 18 })
		cancel()
		for range 3 {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v", err)
			}
		}
		in.Close()
		out.Close()
		until(t, "no request is pending", func() bool { return stats.Pending.Load() == 0 })
	})
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestWriterFails: the error of who takes the output is WriteTo's, and nothing stays behind.
func TestWriterFails(t *testing.T) {
	dir, stats := attach(t, newHost(t), glenda, ninep.VersionCPU)
	s := start(t, dir, "cat")
	in, err := s.Stdin(soon(t))
	must(t, err)
	out, err := s.Stdout(soon(t))
	must(t, err)
	_, err = in.Write([]byte("hello"))
	must(t, err)
	if _, err := out.WriteTo(refuses{}); !errors.Is(err, linux.ENOSPC) {
		t.Errorf("WriteTo gives %v", err)
	}
	until(t, "no request is pending", func() bool { return stats.Pending.Load() == 0 })
	in.Close()
	out.Close()
}

type refuses struct{}

func (refuses) Write([]byte) (int, error) { return 0, linux.ENOSPC }
