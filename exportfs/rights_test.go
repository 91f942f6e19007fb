//go:build linux && !portable

package exportfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cpu/lib/ninep"

	"github.com/hugelgupf/p9/p9"
	"golang.org/x/sys/unix"
)

// remote is the root of fs as a 9P client that speaks the given dialect has it.
func remote(t *testing.T, socket, version string) *ninep.File {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ninep.NewClient(context.Background(), conn, ninep.ClientConfig{Versions: []string{version}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	root, err := c.Attach(context.Background(), ninep.Attach{UID: p9.NoUID})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// taken opens a file, which need not be one, and reads the beginning of it.
func taken(f p9.File) string {
	p := make([]byte, 64<<10)
	_, g, err := f.Walk(nil)
	if err != nil {
		return ""
	}
	defer g.Close()
	if o, ok := g.(*ninep.File); ok {
		if _, _, n, _, err := o.OpenRead(p9.ReadOnly, p); err == nil && n > 0 {
			return string(p[:n])
		}
	} else if _, _, err := g.Open(p9.ReadOnly); err != nil {
		return ""
	}
	n, err := g.ReadAt(p, 0)
	if err != nil && err != io.EOF {
		return ""
	}
	return string(p[:n])
}

// sweep reads all that can be found below dir.
func sweep(dir p9.File, found func(path, content string), path string) {
	_, d, err := dir.Walk(nil)
	if err != nil {
		return
	}
	defer d.Close()
	if _, _, err := d.Open(p9.ReadOnly); err != nil {
		return
	}
	for offset := uint64(0); ; {
		entries, err := d.Readdir(offset, 1<<16)
		if err != nil || len(entries) == 0 {
			return
		}
		for _, e := range entries {
			offset = e.Offset
			if e.Name == "." || e.Name == ".." {
				continue
			}
			_, f, err := dir.Walk([]string{e.Name})
			if err != nil {
				continue
			}
			if e.Type == p9.TypeDir {
				sweep(f, found, path+"/"+e.Name)
			} else {
				found(path+"/"+e.Name, taken(f))
			}
			f.Close()
		}
	}
}

// TestHiddenKeys: a private key that the default patterns hide cannot be had, by any way of the protocol.
func TestHiddenKeys(t *testing.T) {
	const secret = "the secret"
	for _, version := range []string{ninep.VersionCPU, ninep.Version9P2000L} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			keys := []string{"/u/.ssh/id_ed25519", "/u/.gnupg/private-keys-v1.d/1.key"}
			for _, k := range keys {
				if err := os.MkdirAll(filepath.Dir(home+k), 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, home+k, secret)
			}
			write(t, home+"/u/.ssh/known_hosts", "seen")
			write(t, home+"/u/plain", "seen")
			fs, err := New(Options{Root: home, Patterns: DefaultPatterns()})
			if err != nil {
				t.Fatal(err)
			}
			defer fs.Close()
			root := remote(t, listen(t, fs), version)
			at := func(path string) *ninep.File {
				_, f, err := root.Walk(strings.Split(path, "/"))
				if err != nil {
					return nil
				}
				return f.(*ninep.File)
			}
			seen := 0
			hunt := func(way string) {
				t.Helper()
				sweep(root, func(path, text string) {
					if strings.Contains(text, secret) {
						t.Fatalf("%s: %s has it", way, path)
					}
					if text == "seen" {
						seen++
					}
				}, "")
				for _, k := range keys {
					if text, err := os.ReadFile(home + k); err != nil || string(text) != secret {
						t.Fatalf("%s: %s is %q, %v", way, k, text, err)
					}
				}
			}
			hunt("as it is")
			if seen != 2 {
				t.Fatalf("%d files were seen, want 2", seen)
			}
			user := at("u")
			for _, k := range keys {
				dir, name := filepath.Split(strings.TrimPrefix(k, "/u/"))
				dir = strings.TrimSuffix(dir, "/")
				in, plain := at("u/"+dir), at("u/plain") // nil where the directory is hidden as well
				refused := func(way string, err error) {
					t.Helper()
					if err == nil {
						t.Errorf("%s: %s succeeds", k, way)
					}
					hunt(k + ": " + way)
				}
				parts := append(strings.Split(dir, "/"), name)
				for _, walk := range [][]string{parts, append([]string{"..", "u"}, parts...), append([]string{parts[0], ".."}, parts...), {dir + "/" + name},
					append([]string{"."}, parts...)} {
					_, _, err := user.Walk(walk)
					refused("walk "+strings.Join(walk, " "), err)
					_, _, _, _, err = user.WalkGetAttr(walk)
					refused("walk and getattr "+strings.Join(walk, " "), err)
				}
				// Names given to what leads there, and back. What is allowed shows no more than before.
				refused("its directory's rename", user.RenameAt(parts[0], user, "other"))
				refused("its directory's rename to the root", user.RenameAt(parts[0], root, "other"))
				if err := root.RenameAt("u", root, "v"); err == nil {
					sweep(root, func(path, text string) {
						if strings.Contains(text, secret) {
							t.Errorf("after the rename of what is above: %s has it", path)
						}
					}, "")
					if err := root.RenameAt("v", root, "u"); err != nil {
						t.Fatal(err)
					}
				}
				refused("a symbolic link to it", func() error {
					if _, err := user.Symlink(dir+"/"+name, "link", p9.NoUID, p9.NoGID); err != nil {
						return err
					}
					_, f, err := user.Walk([]string{"link"})
					if err != nil {
						return err
					}
					if text := taken(f); text != "" {
						t.Errorf("the link has %q", text)
					}
					_, _, err = user.Walk([]string{"link", "x"})
					return errors.Join(err, user.UnlinkAt("link", 0))
				}())
				if in != nil {
					_, _, err := in.Walk([]string{name})
					refused("a walk from its directory", err)
					for way, flags := range map[string]p9.OpenFlags{"create": p9.ReadWrite, "create, truncated": p9.ReadWrite | 0o1000} {
						_, g, _ := in.Walk(nil)
						_, _, _, err := g.Create(name, flags, 0o600, p9.NoUID, p9.NoGID)
						refused(way, err)
					}
					_, err = in.Mkdir(name, 0o700, p9.NoUID, p9.NoGID)
					refused("mkdir", err)
					_, err = in.Mknod(name, p9.ModeRegular|0o600, 0, 0, p9.NoUID, p9.NoGID)
					refused("mknod", err)
					_, err = in.Symlink("x", name, p9.NoUID, p9.NoGID)
					refused("symlink", err)
					refused("link over it", in.Link(plain, name))
					refused("unlink", in.UnlinkAt(name, 0))
					refused("its rename", in.RenameAt(name, user, "other"))
					refused("a rename over it", user.RenameAt("plain", in, name))
					refused("a rename of a fid over it", plain.Rename(in, name))
					if _, err := in.GetXattr("user." + name); err == nil {
						t.Error("an xattr that is not there was read")
					}
				}
			}
		})
	}
}

// openDir opens a directory for its names.
func openDir(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// raceVariable is for how long TestEscapeRace runs, as a time.Duration; without it, it makes a few rounds.
const raceVariable = "EXPORTFS_TEST_RACE"

// TestEscapeRace: directories and files below the root change places with symbolic links that lead out of it, and with directories outside,
// while a client walks, reads, makes and removes. Nothing outside is ever read or changed.
func TestEscapeRace(t *testing.T) {
	const rounds = 300
	limit, _ := time.ParseDuration(os.Getenv(raceVariable))
	base := t.TempDir()
	for _, dir := range []string{"root/a/b/c", "outside/b/c", "outside/c", "elsewhere"} {
		if err := os.MkdirAll(base+"/"+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	secret := strings.Repeat("outside", 1111)
	write(t, base+"/root/a/b/c/f", "inside")
	for _, name := range []string{"b/c/f", "c/f", "f"} {
		write(t, base+"/outside/"+name, secret)
	}
	for link, target := range map[string]string{"root/a/dir": base + "/outside/b", "root/a/up": "../../outside/b", "root/a/b/file": base + "/outside/f"} {
		if err := os.Symlink(target, base+"/"+link); err != nil {
			t.Fatal(err)
		}
	}
	fs, err := New(Options{Root: base + "/root"})
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	socket := listen(t, fs)

	ctx, cancel := context.WithCancel(context.Background())
	if limit > 0 {
		ctx, cancel = context.WithTimeout(ctx, limit)
	}
	defer cancel()
	var swaps, walks, inside, refused, made atomic.Int64
	var swapping, racing sync.WaitGroup
	// Each from a directory that no name leads to, so that nothing of what is outside is brought in.
	exchange := func(dir int, a, b string) {
		if unix.Renameat2(dir, a, dir, b, unix.RENAME_EXCHANGE) == nil {
			swaps.Add(1)
		}
	}
	top, b := openDir(t, base), openDir(t, base+"/root/a/b")
	// A swap is made for each thing that the clients ask for, while it is done, and waits for nobody: it leaves them the processor between.
	turns := make(chan struct{}, 4)
	for _, s := range []struct {
		dir  int
		a, b string
	}{{top, "root/a/b", "root/a/dir"}, {top, "root/a/b", "root/a/up"}, {b, "c/f", "file"}, {top, "root/a/b", "elsewhere"}} {
		swapping.Go(func() {
			for range turns {
				exchange(s.dir, s.a, s.b)
			}
		})
	}
	bad := func(how, text string) {
		if strings.Contains(text, "outside") {
			t.Errorf("%s: read what is outside", how)
			cancel()
		}
	}
	turn := func() {
		select {
		case turns <- struct{}{}:
		default: // all swappers have enough to do
		}
	}
	round := func(root *ninep.File) {
		for _, way := range [][]string{{"a", "b", "c", "f"}, {"a", "dir", "c", "f"}, {"a", "up", "c", "f"}, {"a", "b", "file"}, {"a", "b", "c", "..", "..", "..", "..", "outside", "f"}} {
			turn()
			walks.Add(1)
			_, f, mask, attr, err := root.WalkGetAttr(way)
			if err != nil {
				refused.Add(1)
				continue
			}
			if mask.Size && attr.Size == uint64(len(secret)) {
				t.Errorf("%v: the attributes of what is outside", way)
			}
			turn()
			text := taken(f)
			bad(strings.Join(way, "/"), text)
			if text == "inside" {
				inside.Add(1)
			}
			f.Close()
		}
		// A fid that is held while its directory goes.
		_, d, err := root.Walk([]string{"a", "b"})
		if err != nil {
			return
		}
		defer d.Close()
		for _, way := range [][]string{{"c", "f"}, {"..", "..", "outside", "f"}, {"..", "outside", "f"}, {"..", "..", "..", "outside", "c", "f"}} {
			turn()
			walks.Add(1)
			if _, f, err := d.Walk(way); err == nil {
				bad("from a/b: "+strings.Join(way, "/"), taken(f))
				f.Close()
			} else {
				refused.Add(1)
			}
		}
		turn()
		sweep(d, func(path, text string) { bad("below a/b: "+path, text); turn() }, "")
		if _, err := d.Mkdir("made", 0o700, p9.NoUID, p9.NoGID); err == nil {
			made.Add(1)
		}
		turn()
		d.UnlinkAt("made", removeDir)
		_, c, err := d.Walk([]string{"c"})
		if err != nil {
			return
		}
		turn()
		c.Symlink("x", "made", p9.NoUID, p9.NoGID)
		c.UnlinkAt("made", 0)
		c.UnlinkAt("g", 0)
		turn()
		if g, _, _, err := c.Create("g", p9.WriteOnly, 0o600, p9.NoUID, p9.NoGID); err == nil {
			g.WriteAt([]byte("inside"), 0)
			g.Close()
		} else {
			c.Close()
		}
	}
	for _, version := range []string{ninep.VersionCPU, ninep.Version9P2000L} {
		root := remote(t, socket, version)
		racing.Go(func() {
			for n := 0; ctx.Err() == nil && (limit > 0 || n < rounds); n++ {
				round(root)
			}
		})
	}
	racing.Wait()
	close(turns)
	swapping.Wait()
	t.Logf("%d swaps; %d walks, %d refused, %d files read, %d directories made", swaps.Load(), walks.Load(), refused.Load(), inside.Load(), made.Load())
	if swaps.Load() == 0 || inside.Load() == 0 {
		t.Error("there was no race")
	}
	// Outside nothing is changed, and what was made is within.
	for _, name := range []string{"b/c/f", "c/f", "f"} {
		if text, err := os.ReadFile(base + "/outside/" + name); err != nil || !bytes.Equal(text, []byte(secret)) {
			t.Errorf("outside/%s has %d bytes, %v", name, len(text), err)
		}
	}
	filepath.WalkDir(base+"/outside", func(path string, _ os.DirEntry, err error) error {
		if name := filepath.Base(path); err != nil || name == "made" || name == "g" {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
}
