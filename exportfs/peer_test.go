//go:build linux && !portable

package exportfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"

	"cpu/lib/ninep"
)

// listen serves fs to whoever connects to the socket it returns, for the test's time.
func listen(t *testing.T, fs *FS) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "exportfs") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", dir+"/9p")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		cancel()
		serving.Wait()
		os.RemoveAll(dir)
	})
	s := &ninep.Server{Attacher: fs}
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				// A client may hang up before it has read the answers to what it clunked.
				if err := s.Serve(ctx, conn); err != nil && ctx.Err() == nil && !errors.Is(err, unix.ECONNRESET) {
					t.Errorf("serve: %v", err)
				}
			})
		}
	})
	return dir + "/9p"
}

// diod runs one of diod's tools against a server.
func diod(t *testing.T, tool, socket string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + tool); err != nil {
			t.Skipf("no %s: install the Debian package diod", tool)
		}
	}
	c := exec.CommandContext(t.Context(), path, append([]string{"-s", socket}, args...)...)
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", c.Args, err, errs.Bytes())
	}
	return string(out)
}

func TestDiod(t *testing.T) {
	fs, _, root := export(t, Options{})
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	write(t, root+"/dir/big", string(big))
	for i := range 300 {
		write(t, fmt.Sprintf("%s/dir/many/%03d%s", root, i, strings.Repeat("x", i%200)), "text")
	}
	if err := os.Symlink("big", root+"/dir/link"); err != nil {
		t.Fatal(err)
	}
	socket := listen(t, fs)

	if got := diod(t, "diodcat", socket, "-a", "/", "dir/big"); got != string(big) {
		t.Errorf("diodcat: %d bytes, want %d", len(got), len(big))
	}
	got := strings.Fields(diod(t, "diodls", socket, "-a", "/dir", "many"))
	entries, err := os.ReadDir(root + "/dir/many")
	if err != nil {
		t.Fatal(err)
	}
	var wanted []string
	for _, e := range entries {
		wanted = append(wanted, e.Name())
	}
	slices.Sort(got)
	if !slices.Equal(got, wanted) {
		t.Errorf("diodls: %d names, want %d:\n%q", len(got), len(wanted), got)
	}
	if long := diod(t, "diodls", socket, "-a", "/", "-l", "dir/big"); !strings.HasPrefix(long, "-rw") || !strings.Contains(long, " 1048576 ") {
		t.Errorf("diodls -l: %s", long)
	}
}

// p9's client drives the tree through our server.
func TestP9Client(t *testing.T) {
	fs, _, root := export(t, Options{})
	conn, err := net.Dial("unix", listen(t, fs))
	if err != nil {
		t.Fatal(err)
	}
	c, err := p9.NewClient(conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	top, err := c.Attach("/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := top.Mkdir("dir", 0o755, p9.NoUID, p9.NoGID); err != nil {
		t.Fatal(err)
	}
	_, dir, err := top.Walk([]string{"dir"})
	if err != nil {
		t.Fatal(err)
	}
	_, f, err := dir.Walk(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := f.Create("file", p9.ReadWrite, 0o640, p9.NoUID, p9.NoGID); err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat([]byte("data"), 100_000)
	if n, err := f.WriteAt(data, 0); n != len(data) || err != nil {
		t.Fatal(n, err)
	}
	got, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<30))
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if _, _, a, err := f.GetAttr(p9.AttrMaskAll); err != nil || a.Size != uint64(len(data)) || a.Mode != p9.ModeRegular|0o640 {
		t.Errorf("getattr: %+v, %v", a, err)
	}
	if err := f.SetAttr(p9.SetAttrMask{Size: true}, p9.SetAttr{Size: 5}); err != nil {
		t.Error(err)
	}
	if _, err := dir.Symlink("file", "link", p9.NoUID, p9.NoGID); err != nil {
		t.Error(err)
	}
	if err := dir.Link(f, "second"); err != nil {
		t.Error(err)
	}
	if err := dir.RenameAt("second", top, "third"); err != nil {
		t.Error(err)
	}
	if err := dir.UnlinkAt("file", 0); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(root + "/third"); err != nil || string(b) != "datad" {
		t.Errorf("third: %q, %v", b, err)
	}
	_, list, err := top.Walk(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := list.Open(p9.ReadOnly); err != nil {
		t.Fatal(err)
	}
	entries, err := list.Readdir(0, 4096)
	if err != nil || entries.Find("dir") == nil || entries.Find("third") == nil || len(entries) != 2 {
		t.Errorf("readdir: %v, %v", entries, err)
	}
	for _, f := range []p9.File{f, dir, list, top} {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
